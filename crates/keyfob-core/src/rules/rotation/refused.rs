//! The outcomes of presenting a refresh token, and the refusals among them.

use crate::error_class::ErrorClass;
use crate::field::Field;
use crate::id::TokenId;
use crate::token::{Revocation, TokenState};

/// The outcome of presenting a refresh token.
///
/// The enum is exhaustive on purpose: every case has a counter, an event or an observation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefreshCase {
    /// The family moved on to its next generation.
    Rotated,
    /// The previous answer was given again.
    Replayed,
    /// The token was exchanged a moment ago. It was refused without effect.
    RefusedInWindow,
    /// A retired generation came back. The family was ended.
    ReuseDetected,
    /// The token proves a rotation that the store has lost.
    AheadOfStore,
    /// The family has ended.
    FamilyEnded,
}

/// Why a refresh token is not exchanged. The code is stable and the same on the wire.
///
/// To the presenter, send no more than `invalid_grant` (RFC 6749 section 5.2):
/// [`class`](Self::class) has it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRefused {
    /// The token was exchanged within the grace period, and this is not a retry of that exchange: it has
    /// another presenter (client, device or confirmation key), or the successor of the token has been
    /// exchanged since. Nothing changed. The newest bearer token of the family is good.
    #[error(
        "refresh token of {token} was exchanged moments ago: use the newest refresh token that its \
         client received. A retry has to come from the same client and device, before the next exchange"
    )]
    InWindow {
        /// The id of the token.
        token: TokenId,
    },
    /// The token was exchanged longer than a grace period ago, or a holder of another generation
    /// forged it. Two parties hold bearer tokens of the family, so the family was ended. The user
    /// has to log in again.
    #[error("refresh token of {token} was used before: its family has been ended, log in again")]
    ReuseDetected {
        /// The id of the token.
        token: TokenId,
    },
    /// The token proves a rotation that the store does not know: the store lost a write. Nothing
    /// changed. Repair the store, or have the user log in again.
    #[error("refresh token of {token} is newer than its record: the store has lost a write")]
    AheadOfStore {
        /// The id of the token.
        token: TokenId,
    },
    /// The token is revoked, expired or not valid yet. The user has to log in again.
    #[error("refresh token of {token} is {state}: log in again")]
    FamilyEnded {
        /// The id of the token.
        token: TokenId,
        /// The state of the token.
        state: TokenState,
        /// The revocation, if the token was revoked.
        revocation: Option<Box<Revocation>>,
    },
    /// The token is bound to a client, a device or a key other than the presenter's. Nothing
    /// changed.
    #[error("refresh token of {token} is bound to another {field}")]
    WrongPresenter {
        /// The id of the token.
        token: TokenId,
        /// What differs: [`Field::Client`], [`Field::DeviceId`] or [`Field::Confirmation`].
        field: Field,
    },
}

impl RefreshCase {
    /// Returns the name in events and on the wire.
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

impl serde::Serialize for RefreshCase {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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

    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InWindow { .. } => "refused_in_window",
            Self::ReuseDetected { .. } => "reuse_detected",
            Self::AheadOfStore { .. } => "ahead_of_store",
            Self::FamilyEnded { .. } => "family_ended",
            Self::WrongPresenter { .. } => "wrong_presenter",
        }
    }

    /// Returns the case of rotation, or `None` for a wrong presenter, which says nothing about the
    /// family.
    pub const fn case(&self) -> Option<RefreshCase> {
        match self {
            Self::InWindow { .. } => Some(RefreshCase::RefusedInWindow),
            Self::ReuseDetected { .. } => Some(RefreshCase::ReuseDetected),
            Self::AheadOfStore { .. } => Some(RefreshCase::AheadOfStore),
            Self::FamilyEnded { .. } => Some(RefreshCase::FamilyEnded),
            Self::WrongPresenter { .. } => None,
        }
    }

    /// Returns the id of the token.
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
