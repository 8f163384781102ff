//! A keyfob store in one file on disk, for a service that runs on one machine.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("keyfob.redb");
//! let store = keyfob_redb::RedbStore::open(&path)?;
//! # drop(store);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file is a [redb](https://docs.rs/redb) database. One process opens it at a time; one thread
//! of that process writes. Commands that arrive while the disk is busy share the next commit, each
//! still atomic for itself, and none is acknowledged before its commit is on disk. Readers never
//! wait for the writer: they see the last commit.
//!
//! Commits are in two phases, for the checksums that a commit in one phase relies on do not stand
//! against somebody who chooses what is stored, and what is stored here is chosen by clients.

mod changes;
mod fault;
mod feed;
mod file;
mod foundation;
mod integrity;
mod options;
mod pending;
mod report;
mod row;
mod shared;
mod store;
mod tables;
mod view;
mod writer;

pub use integrity::Integrity;
pub use options::Options;
pub use store::{Commits, RedbStore};
