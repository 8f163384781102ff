//! What is read: from files and from stdin, bounded, and never on a thread that others wait for.
//!
//! A read from a terminal or a pipe may take for ever. It is done on a thread of its own, which the
//! process does not wait for when it is interrupted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::unechoed::Unechoed;

/// The most that is read of a bearer. None is nearly as long.
pub(crate) const MOST_BYTES: usize = 64 * 1024;

/// Where something is read from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// A path, where `-` is stdin.
    pub(crate) fn named(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// The source as an error names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// How many bytes there are, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path) => {
                path.metadata().ok().filter(|found| found.is_file()).map(|f| f.len())
            }
        }
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Result<Box<dyn BufRead + Send>, Failure> {
        match self {
            Self::Stdin => Ok(Box::new(BufReader::new(io::stdin()))),
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(BufReader::new(file))),
                Err(error) => Err(self.failed(error)),
            },
        }
    }

    /// The failure of a read from it.
    pub(crate) fn failed(&self, error: io::Error) -> Failure {
        Failure::Input { what: self.name(), error }
    }
}

/// Reads a bearer: at most `most` bytes, of which a longer input gives one more. From a terminal
/// one line is read and not shown, otherwise everything. One newline at the end is left out.
pub(crate) async fn bearer(source: Source, most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let reader = source.open()?;
    let one_line = matches!(source, Source::Stdin) && io::stdin().is_terminal();
    let unechoed = one_line.then(Unechoed::begin);
    if one_line {
        // Without stderr there is nobody to prompt.
        let _ = write!(io::stderr(), "bearer: ");
    }
    let read = on_a_thread(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
        let mut bounded = reader.take(most as u64 + 1);
        let outcome = if one_line {
            bounded.read_until(b'\n', &mut bytes)
        } else {
            bounded.read_to_end(&mut bytes)
        };
        outcome.map(|_| bytes)
    });
    let read = read.await;
    if unechoed.is_some_and(|unechoed| unechoed.end()) {
        // The newline was not shown either.
        let _ = writeln!(io::stderr());
    }
    let mut bytes = read.map_err(|error| source.failed(error))?;
    let end = bytes.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let length = end.map_or(bytes.len(), <[u8]>::len);
    bytes.truncate(length);
    Ok(bytes)
}

/// The answer to a question on the terminal: whether it was yes.
pub(crate) async fn is_confirmed() -> Result<bool, Failure> {
    let read = on_a_thread(|| {
        let mut answer = String::new();
        BufReader::new(io::stdin().take(16)).read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    });
    read.await.map_err(|error| Source::Stdin.failed(error))
}

async fn on_a_thread<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new().name("input".into()).spawn(move || {
        // Nobody is there to take it when the command was interrupted.
        let _ = sender.send(read());
    })?;
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the reading thread ended")))
}
