//! An audit log: every event as a line of JSON in a file that survives restarts and rotates.
//!
//! # Delivery
//! An event is written **at least once**. Beside the file lies a second one, `PATH.cursor`, with the
//! cursor up to which events are written. It is replaced atomically, and only after the lines
//! before it are in the file. So a crash at any moment loses no event. After a crash, lines that
//! were written after the last cursor are recognised by their event's id and not repeated. Only
//! when the machine loses power around a rotation may an event appear twice, with the same id.
//!
//! The feed of a store is capped. If a log is away so long that events were trimmed, it has a line
//! of the type `keyfob.events.trimmed` in their place.
//!
//! # Several instances
//! A file has one writer. An operating system lock on `PATH.lock` ensures that, for the processes
//! of **one host**; the lock of a process that crashed is free immediately.
//!
//! - **Each its own**: give each instance a path of its own. Each file has every event.
//! - **One among several, on one host**: name the consumer with [`AuditLogOptions::shared`]. One
//!   instance writes, the others wait, and one of them takes over with its cursor when it ends.
//! - **Over several hosts** the lock does not hold: there is no lease in the store. Give each host a
//!   path of its own, or run the log on one of them. Do not put it on a network file system.
//!
//! # Layout
//! | file | what |
//! |---|---|
//! | `PATH` | the lines, JSON in the form of CloudEvents 1.0 |
//! | `PATH.2026-11-28T183000Z` | a file that was rotated at that time; `-001` follows if it existed |
//! | `PATH.cursor` | the cursor, and how long the file was when it was written |
//! | `PATH.lock` | the lock; it stays when the log is closed |

mod error;
mod log;
mod options;
mod position;
mod writer;

pub use error::AuditLogError;
pub use log::AuditLog;
pub(crate) use log::TakeOver;
pub use options::{AuditLogOptions, Rotation, SyncPolicy};
pub(crate) use writer::Writer;
