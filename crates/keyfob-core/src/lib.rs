//! The values and the rules of keyfob: what a token, a bearer token, a filter and a refusal are, and
//! what is decided about them. No I/O, no runtime, no store.
//!
//! Applications use the crate `keyfob`, which re-exports what they need.
//!
//! | folder | what | may use |
//! |---|---|---|
//! | [`values`] | names, ids, times, bearer tokens, clocks: values that hold by construction | nothing above |
//! | [`token`] | a token, its grant, claims, states and history | `values` |
//! | [`rules`] | pure decisions: filter, validation, rotation | `values`, `token` |
//! | [`event`] | what happened, and what was only seen | `values`, `token` |

pub mod event;
pub mod rules;
pub mod token;
pub mod values;

pub use rules::{filter, rotation, validation};
pub use values::{
    bearer, clock, digest, envelope, error_class, field, id, invalid, key_version, kind, limit_by,
    monotonic, names, namespace, operation, random, seal_fault, stamp, store_error, text, time,
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
pub use namespace::{EpochField, Namespace, NamespaceKey, Term, TermField};
pub use operation::{Operation, OperationId};
pub use random::{OsRandom, Random, RandomUnavailable, SeededRandom};
pub use seal_fault::SealFault;
pub use stamp::Stamp;
pub use store_error::StoreError;
pub use time::{Timestamp, Ttl};
pub use token::{Grant, Kind, Token, TokenState};
