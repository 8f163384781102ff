//! Events and observations: read in pages, followed as they happen, handed to handlers.

mod handlers;
pub(in crate::manager) mod observations;
mod stream;

pub use handlers::HandlerTask;
pub use stream::{Delivery, EventPage, Follower, ObservationPage};
