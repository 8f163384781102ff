//! The format: a format byte, then CBOR with numbered fields.

use keyfob_core::envelope;
use minicbor::{Decode, Encode};

use keyfob_store::StoreError;

/// The version of the format. A reader refuses a greater one.
const FORMAT: u8 = 1;

/// A type that is stored in this format.
pub(crate) trait Stored: Encode<()> + for<'b> Decode<'b, ()> {
    /// How errors call a value of the type.
    const WHAT: &'static str;
}

pub(crate) fn encode<T: Stored>(value: &T) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    // Writing to memory cannot fail, and no encoding of a stored type can.
    let encoded = minicbor::encode(value, &mut bytes);
    debug_assert!(encoded.is_ok());
    bytes
}

pub(crate) fn decode<T: Stored>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => minicbor::decode(body).map_err(|error| StoreError::Corrupt {
            what: T::WHAT.to_owned(),
            // The kind of error and its position; never the bytes.
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
