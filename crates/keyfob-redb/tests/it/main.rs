//! The embedded store, held to the contract and to what a file on disk adds to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod stage;

mod contract;
mod counts;
mod damage;
mod kill;
mod open;
mod reopen;
mod sealed;
mod share;
mod upkeep;
