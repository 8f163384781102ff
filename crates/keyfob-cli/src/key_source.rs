//! The source of the key ring, as `--keys` and `KEYFOB_KEYS` name it.

use std::path::PathBuf;
use std::str::FromStr;

use keyfob::KeyProvider;
use keyfob::seal::{KeyError, KeyRing};
use keyfob_keys::{CommandKeys, EnvKeys, FileKeys};

/// The source of the key ring.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    File(FileKeys),
    Variable(EnvKeys),
    Command(CommandKeys),
}

/// A text that is not a key source. It does not contain the text, which may be the keys themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the key ring in --keys or KEYFOB_KEYS is not valid: {0}")]
pub(crate) struct InvalidKeySource(&'static str);

/// The maximum length in bytes. A path is shorter, a key ring is longer.
const MAX_BYTES: usize = 1024;

impl FromStr for KeySource {
    type Err = InvalidKeySource;

    fn from_str(text: &str) -> Result<Self, InvalidKeySource> {
        if text.contains(['\n', ';']) || text.len() > MAX_BYTES {
            return Err(InvalidKeySource(
                "the value must not be the ring. Name the file, variable or command that has it",
            ));
        }
        let (scheme, rest) = text.split_once(':').unwrap_or(("file", text));
        match scheme {
            "env" if !rest.is_empty() => Ok(Self::Variable(EnvKeys::new(rest))),
            "command" => {
                let mut words = rest.split_whitespace();
                let program =
                    words.next().ok_or(InvalidKeySource("write a command after command:"))?;
                Ok(Self::Command(CommandKeys::new(program, words)))
            }
            "file" if !rest.is_empty() => Ok(Self::File(FileKeys::new(PathBuf::from(rest)))),
            "env" | "file" => {
                Err(InvalidKeySource("it is empty. Write FILE, env:VARIABLE or command:COMMAND"))
            }
            _ => Err(InvalidKeySource("its scheme is unknown. Use file:, env: or command:")),
        }
    }
}

impl KeySource {
    /// Reads the ring.
    pub(crate) async fn ring(&self) -> Result<KeyRing, KeyError> {
        match self {
            Self::File(keys) => keys.ring().await,
            Self::Variable(keys) => keys.ring().await,
            Self::Command(keys) => keys.ring().await,
        }
    }

    /// The file of the ring. `None` for other sources, whose ring cannot be changed.
    pub(crate) const fn file(&self) -> Option<&FileKeys> {
        match self {
            Self::File(keys) => Some(keys),
            Self::Variable(_) | Self::Command(_) => None,
        }
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
    fn an_invalid_source_is_refused_and_not_repeated() {
        let ring = "bare reading;terms 1 2026-11-24T08:30:00Z hunter2";
        let long = "hunter2".repeat(200);
        for text in [ring, "key 1\nhunter2", &long, "", "file:", "env:", "command: ", "x:hunter2"] {
            let refused = text.parse::<KeySource>().unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }
}
