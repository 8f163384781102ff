//! Events and observations.
//!
//! | module | what |
//! |---|---|
//! | `pages` | events and observations after a cursor, page by page |
//! | `stream` | events one by one, as they happen |
//! | `task` | a task that hands events to a handler and keeps its cursor |
//! | `observer`, `observations` | observations, recorded within a rate |
//!
//! Events have one delivery model: [`EventStream`] reads the store's feed by a cursor. A consumer
//! that is slow, or was away, resumes where it was, and is notified when the feed no longer reaches
//! back that far.

mod observations;
mod observer;
mod older_secrets;
mod pages;
mod stream;
mod task;

pub(in crate::manager) use observer::Observer;
pub use pages::{EventPage, ObservationPage};
pub use stream::EventStream;
pub use task::HandlerTask;
