//! The typed reason why a bearer token is refused.

use crate::bearer::ParseBearerError;
use crate::error_class::ErrorClass;
use crate::field::Field;
use crate::names::NameSet;
use crate::text::{ClaimName, Scope};
use crate::time::{Timestamp, Ttl};
use crate::token::{Kind, Revocation};

use super::Denied;

/// Why a bearer token is refused.
///
/// The [code](Self::code) is stable and the same on the wire. The code and the text are for the log
/// and for the operator. To the presenter of the token, send
/// [`public_code`](Self::public_code) and [`presenter_message`](Self::presenter_message) only: an
/// attacker learns from the exact reason whether a guessed or stolen token is real.
///
/// ```
/// use keyfob::Refusal;
/// use keyfob::values::Field;
///
/// let refusal = Refusal::Audience;
/// assert_eq!(refusal.code(), "invalid_audience");
/// assert_eq!(refusal.field(), Some(Field::Audience));
/// assert_eq!(refusal.public_code(), "invalid_token");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The text does not have the form of a bearer token. Nothing was looked up.
    #[error("token is malformed: {0}")]
    Malformed(#[from] ParseBearerError),
    /// There is no such token, or the secret is wrong. The error does not say which.
    #[error("token is unknown")]
    Unknown,
    /// The client address had too many failed attempts. Nothing was looked up: the token may be
    /// good.
    #[error("too many failed attempts from this address: try again in {retry_after}")]
    Throttled {
        /// How long the address has to wait.
        retry_after: Ttl,
    },
    /// The store lost epochs that may have revoked the token.
    #[error("token cannot be trusted: the store lost data that may have revoked it")]
    Damaged,
    /// The token is revoked.
    #[error("token has been revoked")]
    Revoked(Box<Revocation>),
    /// The token has no uses left.
    #[error("token has no uses left")]
    Exhausted,
    /// The token is expired.
    #[error("token expired at {at}")]
    Expired {
        /// When it expired.
        at: Timestamp,
    },
    /// The token is not valid yet.
    #[error("token is not valid before {from}")]
    NotYetValid {
        /// When it becomes valid.
        from: Timestamp,
    },
    /// The token is of a kind that the chain does not accept.
    #[error("a token of kind {found} is not accepted here")]
    Kind {
        /// The kind of the token.
        found: Kind,
    },
    /// The token's issuer is not accepted, or the token has none.
    #[error("token is not from an accepted issuer")]
    Issuer,
    /// The token is not meant for this audience, or it has no audience.
    #[error("token is not meant for this audience")]
    Audience,
    /// The token lacks a scope.
    #[error("token lacks scope: {missing}")]
    Scope {
        /// The scopes that are missing: all of these or, where any of several would do, one of
        /// them.
        missing: NameSet<Scope>,
    },
    /// The token was issued too long ago.
    #[error("token was issued at {issued_at}, too long ago")]
    TooOld {
        /// When it was issued.
        issued_at: Timestamp,
    },
    /// The token lacks a claim.
    #[error("token lacks the claim {name}")]
    MissingClaim {
        /// The name of the claim.
        name: ClaimName,
    },
    /// The token is bound to a device other than the one that presents it.
    #[error("token is bound to another device")]
    Device,
    /// The token is bound to a key (`cnf`, RFC 7800), and the request does not prove possession of
    /// that key.
    #[error("token is bound to a key whose possession was not proven")]
    Confirmation,
    /// A rule of the application refused the token.
    #[error(transparent)]
    Rule(#[from] Denied),
}

impl Refusal {
    /// Returns whether the refusal counts as a failed attempt of the client address.
    ///
    /// A malformed token does not count: it was not looked up.
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
            | Self::Confirmation => ErrorClass::InvalidToken,
            Self::Throttled { retry_after } => ErrorClass::Limited { retry_after: *retry_after },
            Self::Scope { .. } => ErrorClass::InsufficientScope,
            Self::Rule(_) => ErrorClass::AccessDenied,
        }
    }

    /// Returns the field of the token that was not accepted, or `None` if the refusal is about the
    /// token as a whole.
    pub fn field(&self) -> Option<Field> {
        match self {
            Self::Expired { .. } => Some(Field::Expiry),
            Self::NotYetValid { .. } => Some(Field::NotBefore),
            Self::Exhausted => Some(Field::Uses),
            Self::Kind { .. } => Some(Field::Kind),
            Self::Issuer => Some(Field::Issuer),
            Self::Audience => Some(Field::Audience),
            Self::Scope { .. } => Some(Field::Scope),
            Self::MissingClaim { .. } => Some(Field::Claim),
            Self::Device => Some(Field::DeviceId),
            Self::Confirmation => Some(Field::Confirmation),
            Self::Malformed(_)
            | Self::Unknown
            | Self::Throttled { .. }
            | Self::Damaged
            | Self::Revoked(_)
            | Self::TooOld { .. }
            | Self::Rule(_) => None,
        }
    }

    /// Returns the stable code, for logs, events and metrics. For a rule of the application it is
    /// the rule's own.
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
            Self::Confirmation => "confirmation_mismatch",
            Self::Rule(denied) => denied.code(),
        }
    }

    /// Returns the code that the presenter of the token may see: `invalid_token` or
    /// `insufficient_scope` (RFC 6750 section 3.1), `access_denied` for a rule of the application,
    /// `temporarily_unavailable` for a throttled address.
    pub fn public_code(&self) -> &'static str {
        self.class().oauth_error().unwrap_or("invalid_token")
    }

    /// Returns a sentence that the presenter of the token may see. It does not say which check
    /// failed.
    pub fn presenter_message(&self) -> &'static str {
        match self.class() {
            ErrorClass::InsufficientScope => "the request needs more scope than the token has",
            ErrorClass::AccessDenied => "access is denied",
            ErrorClass::Limited { .. } => "too many failed attempts: try again later",
            _ => "the token is malformed, expired, revoked or not accepted here",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presenter_cannot_tell_an_unknown_token_from_a_revoked_or_a_foreign_one() {
        let others = [
            Refusal::Malformed(ParseBearerError::Malformed),
            Refusal::Exhausted,
            Refusal::Expired { at: Timestamp::MAX },
            Refusal::Audience,
            Refusal::Device,
            Refusal::Confirmation,
            Refusal::Damaged,
        ];
        for refusal in others {
            assert_eq!(refusal.public_code(), Refusal::Unknown.public_code(), "{refusal}");
            assert_eq!(refusal.presenter_message(), Refusal::Unknown.presenter_message());
        }
    }

    #[test]
    fn a_presenter_learns_what_it_can_act_on() {
        let scope = Refusal::Scope { missing: NameSet::default() };
        assert_eq!(scope.public_code(), "insufficient_scope");
        let denied = Refusal::Rule(Denied::new("account_closed", "account 4711 is closed"));
        assert_eq!(denied.public_code(), "access_denied");
        assert!(!denied.presenter_message().contains("4711"));
        let throttled = Refusal::Throttled { retry_after: Ttl::from_secs(1) };
        assert_eq!(throttled.public_code(), "temporarily_unavailable");
    }
}
