//! Why a token is no longer good.

use crate::id::TokenId;
use crate::text::{Actor, Reason};
use crate::time::Timestamp;

/// When, why, by whom and through what a token was revoked. Kept as long as the record, so that
/// "why was I logged out?" has an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<Reason>,
    /// By whom.
    pub by: Option<Actor>,
    /// Through what.
    pub through: RevocationScope,
}

/// Through what a token was revoked.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, minicbor::Encode, minicbor::Decode,
)]
pub enum RevocationScope {
    /// It was named itself.
    #[n(0)]
    Token,
    /// A token that it descends from was, which for a family is its root.
    #[n(1)]
    Ancestor(#[n(0)] TokenId),
    /// Everything of its subject was.
    #[n(2)]
    Subject,
    /// Everything of its client was.
    #[n(3)]
    Client,
    /// Every token was.
    #[n(4)]
    All,
}

impl RevocationScope {
    /// The name on the wire.
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
