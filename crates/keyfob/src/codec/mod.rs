//! What keyfob writes into a store's opaque bytes: records, notes, events and observations, each a
//! format byte and CBOR with numbered fields, so that old code reads new data and new code old.

mod record;
mod secrets;

use minicbor::{Decode, Encode};

pub(crate) use record::{Change, Record};
pub(crate) use secrets::Secrets;

use crate::event::{Event, Observation};
use crate::sessions::SessionIndex;
use crate::store::StoreError;
use crate::text::{Actor, Reason};
use keyfob_core::envelope;

/// The format of everything below. A reader refuses a greater one.
const FORMAT: u8 = 1;

/// Why and by whom, beside a revocation.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub(crate) struct Note {
    #[n(0)]
    pub(crate) reason: Option<Reason>,
    #[n(1)]
    pub(crate) by: Option<Actor>,
}

/// What is kept in this format.
pub(crate) trait Kept: Encode<()> + for<'b> Decode<'b, ()> {
    /// What one is called in an error.
    const WHAT: &'static str;
}

impl Kept for Record {
    const WHAT: &'static str = "a token";
}
impl Kept for SessionIndex {
    const WHAT: &'static str = "a session index";
}
impl Kept for Note {
    const WHAT: &'static str = "a revocation's note";
}
impl Kept for Event {
    const WHAT: &'static str = "an event";
}
impl Kept for Observation {
    const WHAT: &'static str = "an observation";
}

pub(crate) fn encode<T: Kept>(value: &T) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    // Writing to memory cannot fail, and no value of ours has an encoding that can.
    let encoded = minicbor::encode(value, &mut bytes);
    debug_assert!(encoded.is_ok());
    bytes
}

pub(crate) fn decode<T: Kept>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => minicbor::decode(body).map_err(|error| StoreError::Corrupt {
            what: T::WHAT.to_owned(),
            // The kind of error and its place; never the bytes.
            detail: error.to_string(),
        }),
        _ if envelope::is_sealed(bytes) => Err(StoreError::Sealed {
            what: T::WHAT.to_owned(),
            key: envelope::key_of(bytes).unwrap_or_default(),
        }),
        Some((&found, _)) if found > FORMAT => Err(StoreError::NewerFormat {
            what: T::WHAT.to_owned(),
            found: found.into(),
            known: FORMAT.into(),
        }),
        _ => Err(StoreError::Corrupt { what: T::WHAT.to_owned(), detail: "no format".to_owned() }),
    }
}

/// A revocation without a word on it has no note at all.
pub(crate) fn encode_note(note: &Note) -> Vec<u8> {
    match note {
        Note { reason: None, by: None } => Vec::new(),
        said => encode(said),
    }
}

/// A note that cannot be read takes nothing from the revocation that it belongs to.
pub(crate) fn decode_note(bytes: &[u8]) -> Note {
    decode(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
