//! Why the namespace could not be looked for, as the answer for all callers that waited.

use keyfob_store::StoreError;

/// Why the namespace could not be looked for.
#[derive(Clone, Debug)]
pub(super) struct LookupFailure {
    detail: String,
    is_unconfirmed: bool,
}

impl LookupFailure {
    /// Returns what callers that wait are given, or `None` for an error that each finds by itself.
    pub(super) fn of(error: &StoreError) -> Option<Self> {
        let (detail, is_unconfirmed) = match error {
            StoreError::Unavailable { detail } => (detail.clone(), false),
            StoreError::AddressUnconfirmed { detail } => (detail.clone(), true),
            _ => return None,
        };
        Some(Self { detail, is_unconfirmed })
    }

    /// Returns the error again.
    pub(super) fn to_error(&self) -> StoreError {
        let detail = self.detail.clone();
        match self.is_unconfirmed {
            true => StoreError::AddressUnconfirmed { detail },
            false => StoreError::Unavailable { detail },
        }
    }
}
