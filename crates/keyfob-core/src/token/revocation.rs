//! The revocation of a token.

use crate::id::TokenId;
use crate::text::{Actor, Reason};
use crate::time::Timestamp;

/// The revocation of a token: when, why, by whom and with which scope.
///
/// It is kept as long as the record, so that "why was I logged out?" has an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// When the token was revoked.
    pub at: Timestamp,
    /// The reason, if one was given.
    pub reason: Option<Reason>,
    /// Who revoked it, if that was given.
    pub by: Option<Actor>,
    /// The scope of the revocation.
    pub through: RevocationScope,
}

/// The scope of the revocation that ended a token.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, minicbor::Encode, minicbor::Decode,
)]
#[non_exhaustive]
pub enum RevocationScope {
    /// The token itself was revoked.
    #[n(0)]
    Token,
    /// A token that it descends from was revoked. For a family, that is its root.
    #[n(1)]
    Ancestor(#[n(0)] TokenId),
    /// Everything of its subject was revoked.
    #[n(2)]
    Subject,
    /// Everything of its client was revoked.
    #[n(3)]
    Client,
    /// Every token was revoked.
    #[n(4)]
    All,
}

impl RevocationScope {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Ancestor(_) => "ancestor",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::All => "all",
        }
    }
}

impl serde::Serialize for RevocationScope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
