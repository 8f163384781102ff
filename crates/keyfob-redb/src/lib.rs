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
//! The file is a [redb](https://docs.rs/redb) database. One process at a time can open it, and one
//! thread of that process writes. Commands that arrive while the disk is busy share the next commit.
//! Each command is atomic for itself, and none is acknowledged before its commit is on disk. Readers
//! see the last commit and never wait for the writer.
//!
//! Every commit has two phases. A one-phase commit relies on checksums, and redb's checksums do not
//! resist an attacker who chooses the stored data. Here clients choose it.
//!
//! # Source files
//!
//! | file | content |
//! |---|---|
//! | `store` | the [`RedbStore`] and its `Store` implementation |
//! | `options`, `open`, `format` | opening the file, and what a new file contains |
//! | `tables`, `row` | the tables, their keys, and the byte layout of their rows |
//! | `reader` | loads and pages, from a snapshot or inside a write transaction |
//! | `writer` | the writing thread and its shared commits |
//! | `batch` | the write commands inside a transaction |
//! | `event_log` | the logs of events and observations |
//! | `integrity`, `report` | the consistency check, and the report for operators |

mod batch;
mod error;
mod event_log;
mod format;
mod integrity;
mod open;
mod options;
mod pending_keys;
mod reader;
mod report;
mod row;
mod shared;
mod store;
mod tables;
mod writer;

pub use integrity::IntegrityReport;
pub use options::Options;
pub use store::{Commits, RedbStore};
