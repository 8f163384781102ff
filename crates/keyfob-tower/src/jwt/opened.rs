//! The tokens whose signature was verified: verifying it costs a hundred times what everything else does.

use std::fmt;
use std::sync::Arc;

use keyfob_jwt::access_token::AccessToken;
use keyfob_jwt::key_set::{KeySet, VerifyingKey};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

/// How many tokens are kept by default: a few ten megabytes if each is as long as it may be.
const DEFAULT_MAX_TOKENS: usize = 10_000;

/// A bounded number of tokens, by the digest of their text. The text itself, a secret, is not kept.
pub(super) struct OpenedTokens(Option<Cache<[u8; 32], Opened>>);

#[derive(Clone)]
struct Opened {
    token: Arc<AccessToken>,
    key: VerifyingKey,
}

/// The place of a token that is not kept yet.
#[derive(Clone, Copy)]
pub(super) struct Place([u8; 32]);

impl Default for OpenedTokens {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_TOKENS)
    }
}

impl OpenedTokens {
    pub(super) fn new(max_tokens: usize) -> Self {
        Self((max_tokens > 0).then(|| Cache::new(max_tokens)))
    }

    /// Returns a token that one of these keys has signed, or where to keep it.
    pub(super) fn find(&self, text: &str, keys: &KeySet) -> Result<Arc<AccessToken>, Place> {
        let Some(cache) = &self.0 else { return Err(Place([0; 32])) };
        let place: [u8; 32] = Sha256::digest(text).into();
        match cache.get(&place) {
            // A key that the issuer has withdrawn counts no more.
            Some(opened) if keys.keys().contains(&opened.key) => Ok(opened.token),
            _ => Err(Place(place)),
        }
    }

    pub(super) fn keep(
        &self,
        Place(place): Place,
        token: AccessToken,
        key: &VerifyingKey,
    ) -> Arc<AccessToken> {
        let token = Arc::new(token);
        if let Some(cache) = &self.0 {
            cache.insert(place, Opened { token: Arc::clone(&token), key: key.clone() });
        }
        token
    }
}

impl fmt::Debug for OpenedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.0.as_ref().map_or(0, Cache::len);
        f.debug_struct("OpenedTokens").field("tokens", &tokens).finish()
    }
}

#[cfg(test)]
mod tests {
    use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};

    use super::*;

    fn token(jti: u32) -> AccessToken {
        let claims = serde_json::json!({
            "iss": "https://tokens.example", "sub": "alice", "aud": "orders", "exp": 2, "iat": 1,
            "jti": jti.to_string(), "client_id": "web",
        });
        serde_json::from_value(claims).unwrap()
    }

    fn key(seed: u8) -> VerifyingKey {
        SigningKey::derive(&[seed; 32], SigningAlgorithm::EdDsa).unwrap().public().clone()
    }

    #[test]
    fn a_token_is_found_by_its_whole_text_while_its_key_counts() {
        let (tokens, keys) = (OpenedTokens::new(8), KeySet::new([key(1), key(2)]));
        let place = tokens.find("a.b.c", &keys).unwrap_err();
        tokens.keep(place, token(7), &key(1));
        assert_eq!(tokens.find("a.b.c", &keys).ok().as_deref(), Some(&token(7)));
        assert!(tokens.find("a.b.C", &keys).is_err());
        assert!(tokens.find("a.b.c", &KeySet::new([key(2)])).is_err());
        assert!(tokens.find("a.b.c", &KeySet::new([key(1)])).is_ok());
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let keys = KeySet::new([key(1)]);
        for max in [0, 16] {
            let tokens = OpenedTokens::new(max);
            for number in 0..1_000 {
                let place = tokens.find(&number.to_string(), &keys).unwrap_err();
                tokens.keep(place, token(number), &key(1));
            }
            let kept = (0..1_000).filter(|it: &u32| tokens.find(&it.to_string(), &keys).is_ok());
            assert!(kept.count() <= max);
        }
    }
}
