//! Errors of starting a server, with what to do next.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Program;

/// The error of starting a server for tests.
#[derive(Debug)]
#[non_exhaustive]
pub enum LaunchError {
    /// The program was not found.
    Missing {
        /// The file that was searched for.
        path: PathBuf,
        /// The program.
        program: Program,
    },
    /// The server ended before it answered.
    Ended {
        /// The end of its log.
        log: String,
    },
    /// The server runs but was not ready in time.
    NotReady {
        /// The condition that was waited for.
        waited_for: &'static str,
        /// The last state that was seen.
        seen: String,
    },
    /// The system refused a file, a port or a process.
    System(io::Error),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path, program: Program { name, variable } } => write!(
                f,
                "{} cannot be found: run the tests by `cargo xtask test`, which installs it, or \
                 `apt-get install {name}`, or name one in {variable}",
                path.display()
            ),
            Self::Ended { log } => {
                write!(f, "the server ended immediately; read its log:\n{log}")
            }
            Self::NotReady { waited_for, seen } => write!(
                f,
                "the server runs, but {waited_for} did not happen in time (last seen: {seen}): is the machine overloaded?"
            ),
            Self::System(error) => {
                write!(f, "cannot create a file, port or process for a server: {error}")
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
