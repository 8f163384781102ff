//! What can come of presenting a refresh token, and the refusals among it.

use crate::error_class::ErrorClass;
use crate::id::TokenId;
use crate::token::{Revocation, TokenState};

/// What came of presenting a refresh token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefreshCase {
    /// The family went on to its next generation.
    Rotated,
    /// The answer was given again.
    Replayed,
    /// Refused without effect: it was exchanged moments ago.
    RefusedInWindow,
    /// A retired generation came back: the family was ended.
    ReuseDetected,
    /// The store has lost what the bearer proves.
    AheadOfStore,
    /// The family is over.
    FamilyEnded,
}

/// Why a refresh token is not exchanged. Its code is stable and the same on the wire.
///
/// To whoever presented it, tell no more than `invalid_grant` (RFC 6749 section 5.2).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRefused {
    /// It was exchanged less than a window ago, by somebody else or for something else, or has been
    /// exchanged again since. Nothing happened; the newest bearer of the family is good.
    #[error(
        "refresh token of {token} was exchanged moments ago: use the bearer that it was exchanged \
         for, or repeat the same request from the same client"
    )]
    InWindow {
        /// The token.
        token: TokenId,
    },
    /// It was exchanged longer than a window ago, or a holder made it up: two parties hold bearers
    /// of the family, and it has been ended. Authenticate again.
    #[error("refresh token of {token} was used before: its family has been ended, log in again")]
    ReuseDetected {
        /// The token.
        token: TokenId,
    },
    /// It proves a rotation that the store does not know of: the store lost a write. Nothing was
    /// changed. Mend the store, or have its owner log in again.
    #[error("refresh token of {token} is newer than its record: the store has lost a write")]
    AheadOfStore {
        /// The token.
        token: TokenId,
    },
    /// The token is revoked or its time is over. Authenticate again.
    #[error("refresh token of {token} is {state}: log in again")]
    FamilyEnded {
        /// The token.
        token: TokenId,
        /// What it is.
        state: TokenState,
        /// Why, if it was revoked.
        revocation: Option<Box<Revocation>>,
    },
    /// It belongs to another client, device or key than the one that presents it. Nothing happened.
    #[error("refresh token of {token} is bound to another {what}")]
    WrongPresenter {
        /// The token.
        token: TokenId,
        /// What is not the same: `client`, `device` or `proof key`.
        what: &'static str,
    },
}

impl RefreshCase {
    /// The name in events and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Replayed => "replayed",
            Self::RefusedInWindow => "refused_in_window",
            Self::ReuseDetected => "reuse_detected",
            Self::AheadOfStore => "ahead_of_store",
            Self::FamilyEnded => "family_ended",
        }
    }
}

impl std::fmt::Display for RefreshCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl RefreshRefused {
    /// Returns the kind of answer that the refusal calls for: [`ErrorClass::InvalidGrant`].
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::InWindow { .. }
            | Self::ReuseDetected { .. }
            | Self::AheadOfStore { .. }
            | Self::FamilyEnded { .. }
            | Self::WrongPresenter { .. } => ErrorClass::InvalidGrant,
        }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InWindow { .. } => "refused_in_window",
            Self::ReuseDetected { .. } => "reuse_detected",
            Self::AheadOfStore { .. } => "ahead_of_store",
            Self::FamilyEnded { .. } => "family_ended",
            Self::WrongPresenter { .. } => "wrong_presenter",
        }
    }

    /// Which case it is; `None` for a wrong presenter, which says nothing of the family.
    pub const fn case(&self) -> Option<RefreshCase> {
        match self {
            Self::InWindow { .. } => Some(RefreshCase::RefusedInWindow),
            Self::ReuseDetected { .. } => Some(RefreshCase::ReuseDetected),
            Self::AheadOfStore { .. } => Some(RefreshCase::AheadOfStore),
            Self::FamilyEnded { .. } => Some(RefreshCase::FamilyEnded),
            Self::WrongPresenter { .. } => None,
        }
    }

    /// The token.
    pub const fn token(&self) -> TokenId {
        match self {
            Self::InWindow { token }
            | Self::ReuseDetected { token }
            | Self::AheadOfStore { token }
            | Self::FamilyEnded { token, .. }
            | Self::WrongPresenter { token, .. } => *token,
        }
    }
}
