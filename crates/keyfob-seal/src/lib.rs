//! Sealing: the content of a store can be read only with a key that is not in the store.
//!
//! A [`KeyRing`] holds the keys. It comes from a [`KeyProvider`]: [`StaticKeys`], a provider of the crate
//! `keyfob-keys`, or one of your own. With a ring, every record, note, event and observation is sealed by
//! AES-256-GCM before a store sees it, and the terms of the index are blinded by HMAC-SHA256.
//!
//! # What it protects
//! An attacker who has a copy of the store, or reads its traffic, learns no subject, label, claim
//! or device, and no content of events. An attacker who can write to the store cannot make anything
//! that is accepted: bytes that were changed, moved to another id, swapped, or taken from another
//! namespace do not open, and a token that does not open is refused. The fields that a store must
//! read are in plaintext, and bound to the body: epoch fields, version, stamp, the number of uses,
//! the time at which the record may be forgotten. A record beside other fields does not open.
//!
//! # What it does not protect
//! - What a store must read can be seen: ids, versions, stamps, times, the number of uses.
//! - What changes without a key cannot be bound: tombstones, epochs, the time of the last use, uses that
//!   were taken. An attacker who can write to the store can undo those. `docs/sealing.md` has a table of
//!   attack, effect and what notices it.
//! - Within the index, equal values have equal terms. So it shows how many tokens share a value.
//! - Lanes, epochs and the keys of limits are digests under the namespace's own key, which is stored
//!   beside the data, because they must never change. An attacker with a copy of the store can test a guess
//!   of a subject, a client or an address against them.
//! - An attacker who can write to the store can replace a record by an older version of it, and can delete
//!   records.
//! - A ring may allow plaintext ([`KeyRing::allowing_plaintext`]), so that a store can be sealed while it
//!   is in use. Until [`KeyVersion::PLAINTEXT`] is retired, an attacker who can write to the store can forge
//!   plaintext records. So reseal, and then retire it.
//! - Records and session indexes are resealed under a new key. Events and notes of revocations are not:
//!   they stay readable as long as the ring has their key.

mod associated_data;
mod blind;
mod cipher;
mod error;
mod provider;
mod record_binding;
mod ring;
mod salts;
mod sealer;
mod secret;
mod store;

pub use error::KeyError;
pub use keyfob_core::{KeyVersion, SealFault};
pub use provider::{KeyProvider, StaticKeys};
pub use ring::{DerivedKey, KeyInfo, KeyRing, KeyState, NewKey};
pub use store::SealedStore;
