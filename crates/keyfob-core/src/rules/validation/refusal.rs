//! Why a bearer is refused.

use crate::bearer::ParseBearerError;
use crate::error_class::ErrorClass;
use crate::names::NameSet;
use crate::text::{ClaimName, Scope};
use crate::time::{Timestamp, Ttl};
use crate::token::{Kind, Revocation};

use super::Denied;

/// Why a bearer is refused. Its code is stable and the same on the wire.
///
/// The text is for the log and for the caller's operator. To whoever presented the bearer, tell no
/// more than that it is not good.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The text is no bearer. Nothing was looked up.
    #[error("token is malformed: {0}")]
    Malformed(#[from] ParseBearerError),
    /// There is no such token, or the secret is not its. Which of the two is not told.
    #[error("token is unknown")]
    Unknown,
    /// The client address had too many failed attempts. Nothing was looked up: the bearer may be good.
    #[error("too many failed attempts from this address: try again in {retry_after}")]
    Throttled {
        /// How long the address has to wait.
        retry_after: Ttl,
    },
    /// The store lost epochs that may have revoked the token.
    #[error("token cannot be judged: the store lost what may have revoked it")]
    Damaged,
    /// It was revoked.
    #[error("token has been revoked")]
    Revoked(Box<Revocation>),
    /// Its uses are spent.
    #[error("token has no uses left")]
    Exhausted,
    /// Its time is over.
    #[error("token expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Its time has not come.
    #[error("token is not valid before {from}")]
    NotYetValid {
        /// When it will be.
        from: Timestamp,
    },
    /// It is of another kind than is asked for.
    #[error("a token of kind {found} is not accepted here")]
    Kind {
        /// Its kind.
        found: Kind,
    },
    /// Its issuer is not one that is trusted, or it has none.
    #[error("token is not from an accepted issuer")]
    Issuer,
    /// It is not meant for this audience, or for none.
    #[error("token is not meant for this audience")]
    Audience,
    /// It allows too little.
    #[error("token lacks scope: {missing}")]
    Scope {
        /// What it lacks: all of these, or where any would do, one of them.
        missing: NameSet<Scope>,
    },
    /// It was issued too long ago.
    #[error("token was issued at {issued_at}, too long ago")]
    TooOld {
        /// When.
        issued_at: Timestamp,
    },
    /// It lacks a claim.
    #[error("token lacks the claim {name}")]
    MissingClaim {
        /// Which.
        name: ClaimName,
    },
    /// It is bound to a device other than the one that presents it.
    #[error("token is bound to another device")]
    Device,
    /// It is bound to a key of which possession was not proven.
    #[error("token is bound to a key of which possession was not proven")]
    ProofKey,
    /// A rule of the application refused it.
    #[error(transparent)]
    Rule(#[from] Denied),
}

impl Refusal {
    /// Whether it tells of an attempt that was made with a bearer that is not good, which counts
    /// against the address it came from. What is malformed does not: it was not looked up.
    pub fn is_failed_attempt(&self) -> bool {
        matches!(self, Self::Unknown | Self::Revoked(_) | Self::Exhausted | Self::Expired { .. })
    }

    /// Returns the kind of answer that the refusal calls for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Malformed(_)
            | Self::Unknown
            | Self::Damaged
            | Self::Revoked(_)
            | Self::Exhausted
            | Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::Kind { .. }
            | Self::Issuer
            | Self::Audience
            | Self::TooOld { .. }
            | Self::MissingClaim { .. }
            | Self::Device
            | Self::ProofKey => ErrorClass::InvalidToken,
            Self::Throttled { retry_after } => ErrorClass::Limited { retry_after: *retry_after },
            Self::Scope { .. } => ErrorClass::InsufficientScope,
            Self::Rule(_) => ErrorClass::AccessDenied,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Malformed(_) => "token_malformed",
            Self::Unknown => "token_unknown",
            Self::Throttled { .. } => "throttled",
            Self::Damaged => "token_damaged",
            Self::Revoked(_) => "token_revoked",
            Self::Exhausted => "token_exhausted",
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid { .. } => "token_not_yet_valid",
            Self::Kind { .. } => "invalid_kind",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
            Self::Scope { .. } => "insufficient_scope",
            Self::TooOld { .. } => "token_too_old",
            Self::MissingClaim { .. } => "missing_claim",
            Self::Device => "device_mismatch",
            Self::ProofKey => "proof_key_mismatch",
            Self::Rule(denied) => denied.code(),
        }
    }
}
