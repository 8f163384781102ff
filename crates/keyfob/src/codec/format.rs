//! The format: a format byte, then CBOR with numbered fields.

use keyfob_core::envelope;
use minicbor::{Decode, Encode};

use keyfob_store::StoreError;

/// The greatest version of the format that is known. A reader refuses a greater one.
const FORMAT: u8 = 2;

/// A type that is stored in this format.
pub(crate) trait Stored: Encode<()> + for<'b> Decode<'b, ()> {
    /// How errors call a value of the type.
    const WHAT: &'static str;

    /// The first version of the format whose readers understand this value. It is greater than 1 if a reader that leaves
    /// out what it does not know would accept too much.
    fn format(&self) -> u8 {
        1
    }
}

pub(crate) fn encode<T: Stored>(value: &T) -> Vec<u8> {
    let mut bytes = vec![value.format()];
    // Writing to memory cannot fail, and no encoding of a stored type can.
    let encoded = minicbor::encode(value, &mut bytes);
    debug_assert!(encoded.is_ok());
    bytes
}

pub(crate) fn decode<T: Stored>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((1..=FORMAT, body)) => minicbor::decode(body).map_err(|error| StoreError::Corrupt {
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
