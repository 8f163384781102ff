//! What keyfob writes into a store's opaque bytes: records, notes, events and observations. Each is a
//! format byte and CBOR with numbered fields, so that old code reads new data and new code old data.
//!
//! | module | what |
//! |---|---|
//! | `format` | the format byte, encoding and decoding |
//! | `claim` | the claim of an idempotency key |
//! | `fields` | the encoding of single fields |
//! | `record` | the body of a token's record |
//! | `secrets` | the secrets of an API key, as its record keeps them |
//! | `note` | the note beside a revocation |

mod claim;
mod fields;
mod format;
mod note;
mod record;
mod secrets;

pub(crate) use claim::Claim;
pub(crate) use format::{decode, encode};
pub(crate) use note::{Note, encode_note};
pub(crate) use record::{Change, Record};
pub(crate) use secrets::Secrets;

use crate::sessions::SessionIndex;
use format::Stored;
use keyfob_core::event::{Event, Observation};

impl Stored for Record {
    const WHAT: &'static str = "a token";

    fn format(&self) -> u8 {
        // To a reader of version 1 it would be an API key whose bearer needs no proof.
        match self.registered.client_key {
            Some(_) => 2,
            None => 1,
        }
    }
}

impl Stored for SessionIndex {
    const WHAT: &'static str = "a session index";
}

impl Stored for Claim {
    const WHAT: &'static str = "the claim of an idempotency key";
}

impl Stored for Event {
    const WHAT: &'static str = "an event";
}

impl Stored for Observation {
    const WHAT: &'static str = "an observation";
}

#[cfg(test)]
mod tests;
