//! Reads a key ring from an environment variable.

use async_trait::async_trait;
use zeroize::Zeroizing;

use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};

use crate::parse;

/// Reads a key ring from an environment variable, as text. Semicolons may replace line breaks.
///
/// A user who can inspect the process can see its environment. Prefer a file.
#[derive(Clone, Debug)]
pub struct EnvKeys {
    variable: String,
}

impl EnvKeys {
    /// Creates a provider that reads this variable.
    pub fn new(variable: impl Into<String>) -> Self {
        Self { variable: variable.into() }
    }

    /// Reads the ring.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(&self) -> Result<KeyRing, KeyError> {
        let what = format!("the variable {}", self.variable);
        let Some(text) = std::env::var_os(&self.variable) else {
            return Err(KeyError::Unreadable { what, detail: "it is not set".to_owned() });
        };
        parse(&what, Zeroizing::new(text.into_encoded_bytes()))
    }
}

#[async_trait]
impl KeyProvider for EnvKeys {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        self.read()
    }
}
