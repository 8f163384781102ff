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

mod position;
mod writer;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use writer::Writer;

use crate::clock::{Clock, SystemClock};
use crate::store::Cursor;

/// An audit log: every event as a line of JSON in a file that survives restarts and rotates. See the
/// [module](self) for what it promises. [`TokenManager::spawn_audit_log`] writes into it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::handlers::audit::{AuditLog, Rotation, SyncPolicy};
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager};
///
/// # let path = std::env::temp_dir().join(format!("keyfob-doc-{}.jsonl", std::process::id()));
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let log = AuditLog::options()
///     .rotation(Rotation::Daily)
///     .max_files(90)
///     .sync(SyncPolicy::EverySecond)
///     .open(&path)?;
/// manager.spawn_audit_log(log);
/// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
/// manager.shutdown().await; // writes what there is
/// assert_eq!(std::fs::read_to_string(&path)?.lines().count(), 1);
/// # for end in ["", ".cursor", ".lock"] { std::fs::remove_file(format!("{}{end}", path.display()))?; }
/// # Ok(())
/// # }
/// ```
///
/// [`TokenManager::spawn_audit_log`]: crate::TokenManager::spawn_audit_log
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    options: AuditLogOptions,
    /// Missing while another instance writes to the file.
    writer: Option<Writer>,
}

/// How an [`AuditLog`] is written. [`AuditLog::options`] has the defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuditLogOptions {
    rotation: Rotation,
    max_files: Option<usize>,
    sync: SyncPolicy,
    consumer: Option<String>,
    start: Cursor,
    clock: Arc<dyn Clock>,
}

/// When an audit log begins a new file. It does so between two batches of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rotation {
    /// Never: leave it to a tool, such as `logrotate` with `copytruncate`.
    Never,
    /// When the file has reached so many bytes.
    Size(u64),
    /// With the first event of a day in UTC.
    Daily,
}

/// When an audit log has the operating system write to the disk (`fsync`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// After each batch of events, before its cursor is kept. Nothing is lost when the machine
    /// loses power.
    Always,
    /// Once a second, before the cursor is kept. Nothing is lost when the machine loses power: the
    /// events of the last second are written again.
    EverySecond,
    /// Never: the operating system decides. Nothing is lost when the process crashes. Events may be
    /// lost when the machine loses power.
    Never,
}

/// An audit log could not be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditLogError {
    /// Another process, or another log of this process, writes to the file.
    #[error(
        "the audit log {path} is in use. Give each instance a path of its own, or share it with \
         AuditLogOptions::shared"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to a consumer of another name.
    #[error(
        "the audit log {path} belongs to the consumer '{found}', not to '{expected}'. Use another \
         path, or the same name"
    )]
    OtherConsumer {
        /// The file.
        path: PathBuf,
        /// The name that the cursor was written with; empty if it had none.
        found: String,
        /// The name of this log; empty if it has none.
        expected: String,
    },
    /// The file with the cursor cannot be read.
    #[error(
        "{path} does not hold the cursor of an audit log: {detail}. Restore it, or delete it to \
         write every event that the store keeps once more"
    )]
    DamagedCursor {
        /// The file with the cursor.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file could not be read or written.
    #[error("the audit log cannot {action} {path}: {source}")]
    Io {
        /// What it tried, such as `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// What came of an attempt to be the one writer of a file.
pub(crate) enum TakeOver {
    /// This instance writes, from this cursor on.
    Taken(Writer, Cursor),
    /// Another instance writes.
    Waiting(AuditLog),
    /// The file cannot be written now.
    Failed(AuditLog, AuditLogError),
}

impl AuditLog {
    /// Opens a log with the default options: a new file each day, kept for good, written to the
    /// disk once a second, with the events from the beginning of what the store keeps.
    ///
    /// # Errors
    /// [`AuditLogError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AuditLogError> {
        Self::options().open(path)
    }

    /// The default options.
    pub fn options() -> AuditLogOptions {
        AuditLogOptions {
            rotation: Rotation::Daily,
            max_files: None,
            sync: SyncPolicy::EverySecond,
            consumer: None,
            start: Cursor::start(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this instance writes to the file. If not, another one does, and this one waits.
    pub fn is_writing(&self) -> bool {
        self.writer.is_some()
    }

    /// Tries to be the one writer of the file.
    pub(crate) fn take_over(mut self) -> TakeOver {
        let writer = match self.writer.take() {
            Some(writer) => Ok(writer),
            None => Writer::open(&self.path, &self.options),
        };
        match writer {
            Ok(writer) => {
                let cursor = writer.cursor().clone();
                TakeOver::Taken(writer, cursor)
            }
            Err(AuditLogError::InUse { .. }) => TakeOver::Waiting(self),
            Err(error) => TakeOver::Failed(self, error),
        }
    }
}

impl AuditLogOptions {
    /// When to begin a new file. Default: [`Rotation::Daily`].
    pub fn rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// How many rotated files to keep: the oldest are deleted. Default: all.
    pub fn max_files(self, files: usize) -> Self {
        Self { max_files: Some(files), ..self }
    }

    /// When to write to the disk. Default: [`SyncPolicy::EverySecond`].
    pub fn sync(self, sync: SyncPolicy) -> Self {
        Self { sync, ..self }
    }

    /// Names the consumer, and shares the file among all instances on this host that name the same
    /// one: one writes, the others wait to take over. Default: not shared, and opening a file that
    /// is in use fails.
    pub fn shared(self, consumer: impl Into<String>) -> Self {
        Self { consumer: Some(consumer.into()), ..self }
    }

    /// Where a log begins that has no cursor yet. Default: the beginning of what the store keeps.
    pub fn start_at(self, cursor: Cursor) -> Self {
        Self { start: cursor, ..self }
    }

    /// The clock by which files are rotated and named. Default: the system's.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Opens the log. A last line that a crash has cut off is removed: its event is written again.
    ///
    /// # Errors
    /// [`AuditLogError`]; [`AuditLogError::InUse`] only for a log that is not shared.
    pub fn open(self, path: impl AsRef<Path>) -> Result<AuditLog, AuditLogError> {
        let path = path.as_ref().to_owned();
        let writer = match Writer::open(&path, &self) {
            Ok(writer) => Some(writer),
            Err(AuditLogError::InUse { .. }) if self.consumer.is_some() => None,
            Err(error) => return Err(error),
        };
        Ok(AuditLog { path, options: self, writer })
    }
}

/// The path of a file beside the log.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Turns an error of the operating system into one that says what was tried.
fn failed_to(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuditLogError {
    let path = path.to_owned();
    move |source| AuditLogError::Io { action, path, source }
}
