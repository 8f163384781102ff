//! From a JWT that is presented to the bearer token of its record.
//!
//! The signature is verified, and then the record is asked like any other: by the manager, with its cache. A JWT whose
//! record was not issued as one is refused, because its secret is another one. A text that is no JWT of ours is left as
//! it is, and refused as a bearer token.

use std::borrow::Cow;

use keyfob::store::StoreError;
use keyfob::{BearerToken, Error, Kind, TokenId};
use keyfob_jwt::access_token;

use crate::shared::Shared;

/// What the compact form of every JWT begins with: a brace and a quote in base64url. No prefix of a bearer token has a
/// capital letter.
const BEGINNING: &str = "eyJ";

impl Shared {
    /// Returns the text to present to the manager for a bearer token or a JWT.
    #[inline]
    pub(crate) fn bearer<'a>(&self, presented: &'a str) -> Cow<'a, str> {
        if !presented.starts_with(BEGINNING) {
            return Cow::Borrowed(presented);
        }
        self.bearer_of_jwt(presented).map_or(Cow::Borrowed(presented), Cow::Owned)
    }

    /// Returns whether only the central server of this edge can check a token: a JWT, because that one has the keys, or
    /// a refresh token.
    pub(crate) fn is_for_central(&self, presented: &str) -> bool {
        if presented.starts_with(BEGINNING) {
            return self.settings.jwt.keys.is_none();
        }
        BearerToken::parse(presented, self.manager.prefix())
            .is_ok_and(|bearer| bearer.kind() == Kind::Refresh)
    }

    /// Returns whether a check fails because the token is a refresh token with the text of another kind: those with their
    /// own are sent on before they are checked.
    pub(crate) fn is_disguised(&self, error: &Error) -> bool {
        self.settings.forward.is_some()
            && matches!(error, Error::Store(StoreError::NotAtEdge { .. }))
    }

    fn bearer_of_jwt(&self, jwt: &str) -> Option<String> {
        let keys = self.settings.jwt.keys.as_ref()?;
        let (token, key) = access_token::open(jwt, keys.published()).ok()?;
        if self.settings.issuer.as_ref().is_some_and(|issuer| issuer.as_str() != token.iss) {
            return None;
        }
        let id: TokenId = token.jti.parse().ok()?;
        let version = keys.version_of(key.kid())?;
        let bearer = version.bearer_key.bearer(self.manager.prefix(), Kind::Access, id).ok()?;
        Some(bearer.expose().to_owned())
    }
}
