//! Why a server could not be started, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a server for tests could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum LaunchError {
    /// There is no `redis-server`.
    Missing {
        /// What was looked for.
        program: PathBuf,
    },
    /// It came to an end instead of answering.
    Ended {
        /// The end of what it wrote.
        log: String,
    },
    /// It runs, but is not ready in time.
    NotReady {
        /// What was waited for.
        waited_for: &'static str,
        /// The last thing that was seen.
        seen: String,
    },
    /// The system refused a file, a port or a process.
    System(io::Error),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program } => write!(
                f,
                "{} cannot be found: run the tests by `cargo xtask test`, which installs it, or \
                 `apt-get install redis-server`, or name one in KEYFOB_REDIS_SERVER",
                program.display()
            ),
            Self::Ended { log } => {
                write!(f, "redis-server ended at once; read what it wrote:\n{log}")
            }
            Self::NotReady { waited_for, seen } => write!(
                f,
                "redis-server runs, but {waited_for} did not come about in time (last seen: \
                 {seen}): is the machine overloaded?"
            ),
            Self::System(error) => {
                write!(f, "the system refused what a redis-server needs: {error}")
            }
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for LaunchError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
