//! A ring from a variable of the environment.

use async_trait::async_trait;
use zeroize::Zeroizing;

use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};

use crate::parse;

/// A ring from a variable of the environment, as text; semicolons may stand for line breaks.
///
/// Whoever may look at the process may see its environment: a file is the better place.
#[derive(Clone, Debug)]
pub struct EnvKeys {
    variable: String,
}

impl EnvKeys {
    /// Reads this variable.
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
