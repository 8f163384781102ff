//! Why limits could not be applied. A request that is over a limit is no error but a verdict.

use keyfob_core::error_class::ErrorClass;
use keyfob_core::invalid::InvalidValue;
use keyfob_core::store_error::StoreError;
use keyfob_core::text::LimitName;

/// Why limits could not be applied. Do not go on with the request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The request costs more than the policy ever admits at once. Waiting is of no use.
    #[error(
        "a cost of {cost} can never be admitted by '{policy}', whose burst is {burst}: ask for less at once"
    )]
    CostAboveBurst {
        /// The policy.
        policy: LimitName,
        /// What the request costs.
        cost: u32,
        /// What the policy admits at once.
        burst: u32,
    },
    /// The store of the limits failed, and a policy that counts the request fails closed.
    #[error("'{policy}' cannot be applied and fails closed: {source}")]
    Unavailable {
        /// The policy.
        policy: LimitName,
        /// What the store said.
        source: StoreError,
    },
    /// The request or a policy is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The store of the limits failed while it was asked how they stand.
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

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CostAboveBurst { .. } => "cost_above_burst",
            Self::Unavailable { .. } => "limits_unavailable",
            Self::Invalid(invalid) => invalid.code(),
            Self::Store(error) => error.code(),
        }
    }
}
