//! The values and the rules of keyfob: tokens, bearer tokens, filters, validation, rotation and
//! events. This crate does no I/O, is not async , except for rules of an application, and knows no
//! store.
//!
//! Applications use the crate `keyfob`, which re-exports what they need. Authors of stores use
//! `keyfob-store`. The modules here are for the crates of this workspace; the names at the root are
//! what those two re-export most.
//!
//! # Bands
//! A module uses its own band and those that the last column names, never another:
//!
//! | band | content | may use |
//! |---|---|---|
//! | [`values`] | names, ids, times, bearer tokens, sources of time and randomness, the errors of values and of stores | nothing of this crate |
//! | [`token`] | [`Token`], [`Grant`], claims, metadata, [`TokenState`], history | `values` |
//! | [`rules`] | pure decisions: [`filter`], [`validation`], [`rotation`] | `values`, `token` |
//! | [`event`] | [`Event`] and [`Observation`], and their JSON form | `values`, `token` |
//!
//! # Where to find what
//! - A bounded text such as a subject or a scope: [`text`]. Sets and labels of them: [`names`].
//! - The error for a value that is not valid, and the field that it is about: [`InvalidValue`],
//!   [`Field`].
//! - The secret string and its format: [`bearer`]. The secrets of a refresh token:
//!   [`bearer::ratchet`].
//! - Why a bearer token is refused, and in which order that is checked: [`validation`].
//! - What a presented refresh token means for its family: [`rotation`].
//! - The state of a token: [`TokenState`], a function of
//!   [`StateInputs`](token::StateInputs) and the time.
//! - How data is addressed in a store: [`namespace`] for terms and epochs, [`id`] for ids and lanes,
//!   [`stamp`] for the order of writes, [`operation`] for the identity of a write.
//! - What kind of answer an error calls for: [`error_class`].
//!
//! # Invariants
//! - A value that exists is valid. There is no way to construct another.
//! - A decision depends on its arguments only. Time, randomness and keys are arguments.
//! - Only [`BearerToken`] contains a secret in plaintext. No error, `Debug` or `Display` shows it.
//! - Numbers in `#[n(…)]` are the stored format. They never change their meaning.

pub mod event;
pub mod rules;
pub mod token;
pub mod values;

pub use rules::{filter, rotation, validation};
pub use values::{
    bearer, clock, digest, envelope, error_class, field, id, id_mac, invalid, key_version, kind,
    limit_by, monotonic, names, namespace, operation, random, seal_fault, stamp, status_list,
    store_error, text, time,
};

pub use bearer::{BearerDigest, BearerPrefix, BearerToken, Generation, ParseBearerError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use event::{CloudEvent, EpochOf, Event, EventId, EventKind, Observation, ObservationKind};
pub use field::Field;
pub use filter::{Filter, FilterError};
pub use id::{FamilyId, IdPrefix, Lane, LaneCount, TokenId};
pub use invalid::{InvalidReason, InvalidValue};
pub use key_version::KeyVersion;
pub use names::{Labels, Name, NameSet};
pub use namespace::{EpochField, IdOrigin, Namespace, NamespaceKey, Term, TermField};
pub use operation::{Operation, OperationId};
pub use random::{OsRandom, Random, RandomUnavailable, SeededRandom};
pub use seal_fault::SealFault;
pub use stamp::Stamp;
pub use store_error::StoreError;
pub use time::{Timestamp, Ttl};
pub use token::{Grant, Kind, Token, TokenState};
