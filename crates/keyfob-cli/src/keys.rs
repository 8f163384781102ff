//! Where the key ring is, as `--keys` names it.

use std::path::PathBuf;
use std::str::FromStr;

use keyfob::KeyProvider;
use keyfob::seal::{KeyError, KeyRing};
use keyfob_keys::{CommandKeys, EnvKeys, FileKeys};

use crate::failure::Failure;

/// Where the key ring is.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    File(FileKeys),
    Variable(EnvKeys),
    Command(CommandKeys),
}

/// A text that names no key ring. It does not hold the text, which may be the keys themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("--keys or KEYFOB_KEYS names no key ring: {0}")]
pub(crate) struct WrongSource(&'static str);

/// No path is as long, and a ring is longer.
const LONGEST: usize = 1024;

impl FromStr for KeySource {
    type Err = WrongSource;

    fn from_str(text: &str) -> Result<Self, WrongSource> {
        if text.contains(['\n', ';']) || text.len() > LONGEST {
            return Err(WrongSource("it names where the ring is, and must not be the ring"));
        }
        let (scheme, rest) = text.split_once(':').unwrap_or(("file", text));
        match scheme {
            "env" if !rest.is_empty() => Ok(Self::Variable(EnvKeys::new(rest))),
            "command" => {
                let mut words = rest.split_whitespace();
                let program = words.next().ok_or(WrongSource("no command follows command:"))?;
                Ok(Self::Command(CommandKeys::new(program, words)))
            }
            "file" if !rest.is_empty() => Ok(Self::File(FileKeys::new(PathBuf::from(rest)))),
            "env" | "file" => Err(WrongSource("it is empty")),
            _ => Err(WrongSource("it begins with none of file:, env: and command:")),
        }
    }
}

impl KeySource {
    /// Reads the ring.
    pub(crate) async fn ring(&self) -> Result<KeyRing, Failure> {
        let ring = match self {
            Self::File(keys) => keys.ring().await,
            Self::Variable(keys) => keys.ring().await,
            Self::Command(keys) => keys.ring().await,
        };
        Ok(ring?)
    }

    /// The file that the ring is in, if it is in one: only that can be changed.
    pub(crate) fn file(&self) -> Result<&FileKeys, Failure> {
        match self {
            Self::File(keys) => Ok(keys),
            Self::Variable(_) | Self::Command(_) => Err(Failure::Usage {
                code: "usage",
                message: "only a key ring in a file can be changed: name one by --keys FILE".into(),
                details: String::new(),
            }),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Keyfob(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_in_a_file_a_variable_or_a_command() {
        for (text, of) in [
            ("/etc/keyfob/keys", "File"),
            ("keys", "File"),
            ("file:env:odd", "File"),
            ("env:RING", "Variable"),
            ("command:vault read keys", "Command"),
        ] {
            let source: KeySource = text.parse().unwrap();
            assert!(format!("{source:?}").starts_with(of), "{text}: {source:?}");
        }
    }

    #[test]
    fn what_names_no_ring_is_refused_without_being_repeated() {
        let ring = "bare reading;terms 1 2026-11-24T08:30:00Z hunter2";
        let long = "hunter2".repeat(200);
        for text in [ring, "key 1\nhunter2", &long, "", "file:", "env:", "command: ", "x:hunter2"] {
            let refused = text.parse::<KeySource>().unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }
}
