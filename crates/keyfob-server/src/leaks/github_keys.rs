//! The public keys with which GitHub signs what its secret scanning found.

use base64ct::{Base64, Encoding as _};
use keyfob_jwt::key::PublicKey;
use serde::Deserialize;

/// The public keys of GitHub, as `https://api.github.com/meta/public_keys/secret_scanning` answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GithubKeys(Vec<(String, PublicKey)>);

/// Why a text is not the keys of GitHub.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidGithubKeys {
    /// It is not the JSON of that address.
    #[error("it is not the JSON of https://api.github.com/meta/public_keys/secret_scanning")]
    NotTheJson,
    /// A key is of another kind.
    #[error("the key {0} is not a key on P-256 in PEM")]
    Key(String),
}

#[derive(Deserialize)]
struct Document {
    public_keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key_identifier: String,
    key: String,
}

impl GithubKeys {
    /// Reads the keys.
    ///
    /// # Errors
    /// If the text is not the JSON of GitHub, or has a key of another kind.
    pub fn parse(json: &str) -> Result<Self, InvalidGithubKeys> {
        let document: Document =
            serde_json::from_str(json).map_err(|_| InvalidGithubKeys::NotTheJson)?;
        let read = |Entry { key_identifier, key }| match PublicKey::p256_from_pem(&key) {
            Ok(key) => Ok((key_identifier, key)),
            Err(_) => Err(InvalidGithubKeys::Key(key_identifier)),
        };
        document.public_keys.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a body was signed with the key of this name.
    pub(super) fn have_signed(&self, key: &str, signature: &str, body: &[u8]) -> bool {
        let Ok(signature) = Base64::decode_vec(signature) else { return false };
        let mut of_name = self.0.iter().filter(|(name, _)| name == key);
        of_name.any(|(_, key)| key.verify_der(body, &signature).is_ok())
    }
}
