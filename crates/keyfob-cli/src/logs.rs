//! Logging to stderr. `KEYFOB_LOG` and `-v` set the level.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::output;
use crate::visible::visible;

const VARIABLE: &str = "KEYFOB_LOG";

/// Starts logging. `-v` overrides the variable.
pub(crate) fn start(verbose: u8) -> Result<(), Failure> {
    let configured = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
    let directives = match (verbose, configured) {
        (0, Some(configured)) => configured,
        (0, None) => "warn".to_owned(),
        (1, _) => "info".to_owned(),
        (2, _) => "debug".to_owned(),
        (_, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_new(directives).map_err(|_| Failure::Usage {
        code: "invalid_value",
        message: format!("{VARIABLE} is not a log filter"),
        details: "Write a level, or levels by module: warn, or keyfob=debug,warn.".into(),
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| VisibleLog(std::io::stderr()))
        .with_ansi(std::io::stderr().is_terminal() && output::colours_are_allowed())
        .init();
    Ok(())
}

/// A writer of log lines for people. `tracing_subscriber` escapes the control characters of ASCII
/// itself, and writes those of its colours and lines. The rest is escaped here.
struct VisibleLog<W>(W);

impl<W: Write> Write for VisibleLog<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut line = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c: char| c.is_ascii()) {
            match piece.char_indices().next_back() {
                Some((at, last)) if last.is_ascii() => {
                    line.push_str(&visible(&piece[..at]));
                    line.push(last);
                }
                _ => line.push_str(&visible(piece)),
            }
        }
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_shows_what_is_invisible() {
        let mut log = VisibleLog(Vec::new());
        let line = "\u{1b}[33mWARN\u{1b}[0m subject=a\u{202e}\u{200b}é\u{9b}31m \u{a0}\n";
        assert_eq!(log.write(line.as_bytes()).unwrap(), line.len());
        let expected = "\u{1b}[33mWARN\u{1b}[0m subject=a\\u{202e}\\u{200b}é\\u{9b}31m \\u{a0}\n";
        assert_eq!(String::from_utf8(log.0).unwrap(), expected);
    }
}
