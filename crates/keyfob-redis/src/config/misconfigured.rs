//! The error for settings that cannot be used.

use keyfob_store::StoreError;

/// Returns a [`StoreError::Misconfigured`] that says what is wrong.
pub(crate) fn misconfigured(what: impl Into<String>) -> StoreError {
    StoreError::Misconfigured(what.into())
}
