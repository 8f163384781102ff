//! Tests of the embedded store: the contract suite, and what a file on disk adds to it.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod fixture;

mod contract;
mod counts;
mod damage;
mod expiry;
mod full_disk;
mod kill;
mod open;
mod reopen;
mod rights;
mod sealed;
mod sealed_edits;
mod shared_commit;
mod sharing;
