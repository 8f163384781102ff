//! Clients: all of them, and one with its keys, its limits and all that was issued to it.

mod keys;
mod limits;
mod list;
mod one;

pub(crate) use list::show as list;
pub(crate) use one::{find, show as one};

use keyfob_api::ClientStats;

/// Returns how many tokens of a client are accepted now, or will be.
fn alive(stats: &ClientStats) -> u64 {
    ["active", "pending"].iter().filter_map(|state| stats.counts.get(*state)).sum()
}
