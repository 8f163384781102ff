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
//! The file is a [redb](https://docs.rs/redb) database. One process at a time can open it for writing,
//! and one thread of that process writes. [`Options::shared`] lets other processes in between commands. Commands that arrive while the disk is busy share the next commit.
//! Each command is atomic for itself, and none is acknowledged before its commit is on disk. Readers
//! see the last commit and never wait for the writer.
//!
//! Every commit has two phases. A one-phase commit relies on checksums, and redb's checksums do not
//! resist an attacker who chooses the stored data. Here clients choose it.
//!
//! # A full disk
//! Room for revocations is set aside beside the file ([`Options::reserve_bytes`]). While the disk
//! is full, commands get `store_full` and have no effect, revocations are taken, and reads
//! continue. The store continues by itself once there is room.
//!
//! # Source files
//!
//! | file | content |
//! |---|---|
//! | `store` | the [`RedbStore`] and its `Store` implementation |
//! | `options`, `open`, `engine`, `format` | opening the file, and what a new file contains |
//! | `opened`, `disk`, `reserve` | an open file, and the room that its disk has |
//! | `overlay` | a file that needs repair and may only be read |
//! | `tables`, `row` | the tables, their keys, and the byte layout of their rows |
//! | `reader` | loads and pages, from a snapshot or inside a write transaction |
//! | `writer`, `commit` | the writing thread and its shared commits |
//! | `batch` | the write commands inside a transaction |
//! | `event_log` | the logs of events and observations |
//! | `integrity`, `report` | the consistency check, and the report for operators |

mod batch;
mod commit;
mod disk;
mod documents;
mod engine;
mod error;
mod event_log;
mod format;
mod integrity;
mod keeper;
mod open;
mod opened;
mod options;
mod overlay;
mod pending_keys;
mod reader;
mod report;
mod reserve;
mod row;
mod shared;
mod store;
mod tables;
mod writer;

pub use integrity::IntegrityReport;
pub use options::{Access, Options};
pub use store::{Commits, RedbStore};
