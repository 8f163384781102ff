//! Why limits could not be applied. A request over a limit is not an error, but a verdict.

use keyfob_core::error_class::ErrorClass;
use keyfob_core::invalid::InvalidValue;
use keyfob_core::store_error::StoreError;
use keyfob_core::text::LimitName;

/// Why limits could not be applied. The request must not continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The request costs more than the policy ever admits in one step. Waiting does not help.
    #[error(
        "a cost of {cost} can never be admitted by '{policy}', whose burst is {burst}: ask for fewer permits in one request"
    )]
    CostAboveBurst {
        /// The policy.
        policy: LimitName,
        /// The cost of the request.
        cost: u32,
        /// The burst of the policy.
        burst: u32,
    },
    /// The store of the limits failed, and a policy that applies to the request fails closed.
    #[error("'{policy}' cannot be applied and fails closed: {source}")]
    Unavailable {
        /// The policy.
        policy: LimitName,
        /// The error of the store.
        source: StoreError,
    },
    /// The request or a policy is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The store of the limits failed while it was asked for their status.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LimitError {
    /// Returns the kind of answer that the error calls for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::CostAboveBurst { .. } => ErrorClass::InvalidRequest,
            Self::Unavailable { .. } => ErrorClass::Unavailable,
            Self::Invalid(invalid) => invalid.class(),
            Self::Store(error) => error.class(),
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CostAboveBurst { .. } => "cost_above_burst",
            Self::Unavailable { .. } => "limits_unavailable",
            Self::Invalid(invalid) => invalid.code(),
            Self::Store(error) => error.code(),
        }
    }
}
