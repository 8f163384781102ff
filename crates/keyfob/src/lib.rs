//! Distributed token management.
#![doc = ""]

mod bearer;
mod clock;
mod codec;
mod digest;
mod error;
mod event;
mod filter;
mod id;
mod invalid;
mod manager;
mod memory;
mod names;
mod namespace;
mod random;
pub mod store;
mod text;
mod time;
mod token;
mod validation;

pub use bearer::{Bearer, BearerDigest, BearerPrefix, BearerRefused, Generation, ratchet};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::Error;
pub use event::*;
pub use filter::{Filter, FilterError};
pub use id::{FamilyId, IdPrefix, Lane, LaneCount, TokenId};
pub use invalid::{Invalid, Problem};
pub use manager::*;
pub use memory::MemoryStore;
pub use names::{Labels, Name, NameSet};
pub use namespace::{EpochField, Namespace, NamespaceKey, Term, TermField};
pub use random::{OsRandom, Random, RandomUnavailable, SeededRandom};
pub use store::Store;
pub use text::*;
pub use time::{Timestamp, Ttl};
pub use token::*;
pub use validation::{Denied, DeviceBinding, Presentation, Refusal, Rule, ValidationChain};
