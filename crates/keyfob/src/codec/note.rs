//! The note beside a revocation.

use minicbor::{Decode, Encode};

use super::format::{Stored, decode, encode};
use keyfob_core::text::{Actor, Reason};

/// Why a token was revoked, and by whom.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub(crate) struct Note {
    #[n(0)]
    pub(crate) reason: Option<Reason>,
    #[n(1)]
    pub(crate) by: Option<Actor>,
}

impl Stored for Note {
    const WHAT: &'static str = "a revocation's note";
}

/// Returns the bytes of a note. A note that says nothing has none.
pub(crate) fn encode_note(note: &Note) -> Vec<u8> {
    match note {
        Note { reason: None, by: None } => Vec::new(),
        note => encode(note),
    }
}

/// Reads a note. One that cannot be read is empty, so that its revocation still counts.
pub(crate) fn decode_note(bytes: &[u8]) -> Note {
    decode(bytes).unwrap_or_default()
}
