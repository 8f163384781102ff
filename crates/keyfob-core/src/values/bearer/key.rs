//! A secret from which the secrets of bearer tokens follow.

use std::fmt;

use hmac::Mac as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{BearerPrefix, BearerToken, Generation};
use crate::digest;
use crate::id::TokenId;
use crate::kind::Kind;
use crate::random::{DerivedRandom, RandomUnavailable};

/// A secret key from which the secret of a bearer token follows, together with the id of the token. It is for tokens
/// that are presented in another form, such as a JWT: who has verified that form makes the bearer token again, and
/// nobody else can.
///
/// It has to be kept apart from the store: who has both can present every token that was made with it.
#[derive(Clone, ZeroizeOnDrop)]
pub struct BearerKey([u8; 32]);

impl BearerKey {
    /// Creates a key from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bearer token of a token.
    ///
    /// # Errors
    /// None at present.
    pub fn bearer(
        &self,
        prefix: &BearerPrefix,
        kind: Kind,
        id: TokenId,
    ) -> Result<BearerToken, RandomUnavailable> {
        let mut mac = digest::keyed(&self.0);
        mac.update(b"bearer of a token");
        mac.update(id.as_bytes());
        let seed = Zeroizing::new(mac.finalize().into_bytes().into());
        BearerToken::draw(prefix, kind, id, Generation::FIRST, &DerivedRandom::new(&seed))
    }
}

impl fmt::Debug for BearerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_follows_from_the_key_and_the_id() {
        let text = |key: u8, id: u8| {
            let (prefix, id) = (BearerPrefix::default(), TokenId::from_bytes([id; 16]));
            let bearer =
                BearerKey::from_bytes([key; 32]).bearer(&prefix, Kind::Access, id).unwrap();
            assert_eq!(bearer.id(), id);
            assert!(BearerToken::parse(bearer.expose(), &prefix).is_ok());
            bearer.expose()[25..].to_owned()
        };
        assert_eq!(text(1, 1), text(1, 1));
        assert_ne!(text(1, 1), text(2, 1));
        assert_ne!(text(1, 1), text(1, 2));
    }
}
