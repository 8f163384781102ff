//! Passing the invalidation feed on, to nodes that have no connection to the store.
//!
//! A node with a connection keeps a [`Journal`] of what its [listener](crate::InvalidationListener)
//! sees. A node without one asks it, again and again. Each answer is a [`Beat`]: the changes since the
//! last beat, and how old the proof is that there are no others. The [`Follower`] decides what a beat
//! means for the caches of its node. Both are functions of values: what carries the beats does the
//! input and output.
//!
//! # Why a revocation takes effect in time
//! - A beat covers every change that was made before it was answered, less its *age*. The follower knows when it
//!   asked, and for how long the answer was held back. So it counts the maximum staleness from an instant
//!   that is not later than the one that the beat covers, whatever the network did.
//! - The next beat of the same journal begins where the last one ended. Another journal, such as that
//!   of another replica, says how far back it goes. Where that is not far enough, the follower drops
//!   what it has.
//! - Without beats, trust ends by itself.

mod follower;
mod journal;

pub use follower::{Follower, OtherNamespace, Step, Trip};
pub use journal::{Beat, Journal, JournalId, Since};

#[cfg(test)]
mod tests;
