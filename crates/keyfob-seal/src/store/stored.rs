//! What is known of the record that a write changes.

use keyfob_core::KeyVersion;
use keyfob_store::ClearFields;

/// What a write has to know about the record that it changes.
pub(super) struct Stored {
    /// The key of its terms.
    pub(super) form: KeyVersion,
    pub(super) clear: ClearFields,
}
