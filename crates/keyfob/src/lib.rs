//! Distributed token management.
#![doc = ""]

mod bearer;
mod clock;
mod digest;
mod event;
mod id;
mod invalid;
mod memory;
mod names;
mod namespace;
mod random;
pub mod store;
mod text;
mod time;
mod token;

pub use bearer::{Bearer, BearerDigest, BearerPrefix, BearerRefused, Generation, ratchet};
pub use clock::{Clock, ManualClock, SystemClock};
pub use event::*;
pub use id::{FamilyId, IdPrefix, Lane, LaneCount, TokenId};
pub use invalid::{Invalid, Problem};
pub use memory::MemoryStore;
pub use names::{Labels, Name, NameSet};
pub use namespace::{EpochField, Namespace, NamespaceKey, Term, TermField};
pub use random::{OsRandom, Random, RandomUnavailable, SeededRandom};
pub use store::Store;
pub use text::*;
pub use time::{Timestamp, Ttl};
pub use token::*;
