//! What the manager's results count as in the metrics.

use keyfob_core::field::Field;
use keyfob_core::rotation::RefreshRefused;
use keyfob_metrics::{Derivation, RefreshOutcome, ValidationOutcome};

use crate::error::Error;
use crate::manager::Issued;

impl From<&Error> for ValidationOutcome {
    fn from(error: &Error) -> Self {
        error.refusal().map_or(Self::Undecided, Self::from)
    }
}

impl From<&Error> for RefreshOutcome {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refresh(refused) => match refused {
                RefreshRefused::WrongPresenter { .. } => Self::WrongPresenter,
                other => other.case().map_or(Self::Refused, Self::from),
            },
            Error::Refused(_) => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// Returns what deriving a token counts as.
pub(crate) fn derivation(outcome: &Result<Issued, Error>) -> Derivation {
    match outcome {
        Ok(_) => Derivation::Derived,
        Err(Error::Invalid(invalid)) if invalid.field() == Field::Ancestors => Derivation::TooDeep,
        Err(Error::Store(_)) => Derivation::Failed,
        Err(_) => Derivation::Refused,
    }
}
