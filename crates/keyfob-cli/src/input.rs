//! Reads from files and stdin, with a size limit, on a thread of its own.
//!
//! Text is UTF-8, with or without a byte order mark. Text in UTF-16 is refused by that name.
//!
//! A read from a terminal or a pipe may block for ever. The process does not wait for the reading
//! thread when the command is interrupted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::bearer_input::BearerInput;
use crate::failure::Failure;
use crate::no_echo::NoEchoInput;

/// The maximum number of bytes that are read as a bearer. A real one is far shorter.
pub(crate) const MAX_BEARER_BYTES: usize = 64 * 1024;

/// An input: stdin or a file.
#[derive(Clone, Debug)]
pub(crate) enum InputSource {
    Stdin,
    File(PathBuf),
}

impl InputSource {
    /// The input at a path, where `-` is stdin.
    pub(crate) fn from_path(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// The input that a flag names; stdin without the flag.
    pub(crate) fn from_flag(path: Option<&PathBuf>) -> Self {
        path.map_or(Self::Stdin, |path| Self::from_path(path))
    }

    /// The name of the input in errors.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The length in bytes, if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path) => {
                path.metadata().ok().filter(|found| found.is_file()).map(|f| f.len())
            }
        }
    }

    /// Opens the input.
    pub(crate) fn open(&self) -> Result<Box<dyn BufRead + Send>, Failure> {
        match self {
            Self::Stdin => Ok(Box::new(BufReader::new(io::stdin()))),
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(BufReader::new(file))),
                Err(error) => Err(self.failed(error)),
            },
        }
    }

    /// The failure of a read from this input.
    pub(crate) fn failed(&self, error: io::Error) -> Failure {
        Failure::Input { what: self.name(), error }
    }
}

/// Reads a bearer. From a terminal it reads one line without echo, otherwise everything.
///
/// Reads at most [`MAX_BEARER_BYTES`] and one more, so that the caller sees a longer input as too
/// long. White space and a byte order mark around the bearer do not count.
pub(crate) async fn bearer(source: InputSource) -> Result<BearerInput, Failure> {
    let reader = source.open()?;
    let one_line = matches!(source, InputSource::Stdin) && io::stdin().is_terminal();
    let no_echo = one_line.then(NoEchoInput::begin);
    if one_line {
        // Ignored: without stderr there is no prompt.
        let _ = write!(io::stderr(), "bearer: ");
    }
    let read = on_a_thread(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BEARER_BYTES + 1));
        let mut bounded = reader.take(MAX_BEARER_BYTES as u64 + 1);
        let outcome = if one_line {
            bounded.read_until(b'\n', &mut bytes)
        } else {
            bounded.read_to_end(&mut bytes)
        };
        outcome.map(|_| bytes)
    });
    let read = read.await;
    if no_echo.is_some_and(NoEchoInput::end) {
        // The terminal did not show the typed newline either.
        let _ = writeln!(io::stderr());
    }
    let bytes = read.map_err(|error| source.failed(error))?;
    Ok(BearerInput::new(source.name(), bytes))
}

/// Reads the answer to a question on the terminal. Returns whether it was yes.
pub(crate) async fn is_confirmed() -> Result<bool, Failure> {
    let read = on_a_thread(|| {
        let mut answer = String::new();
        BufReader::new(io::stdin().take(16)).read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    });
    read.await.map_err(|error| InputSource::Stdin.failed(error))
}

async fn on_a_thread<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new().name("input".into()).spawn(move || {
        // The receiver is gone if the command was interrupted.
        let _ = sender.send(read());
    })?;
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the reading thread ended")))
}
