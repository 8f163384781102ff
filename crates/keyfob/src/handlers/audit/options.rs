//! How an audit log is written.

use std::sync::Arc;

use keyfob_core::clock::{Clock, SystemClock};
use keyfob_store::Cursor;

/// How an [`AuditLog`](super::AuditLog) is written. [`AuditLog::options`](super::AuditLog::options) has the defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuditLogOptions {
    pub(super) rotation: Rotation,
    pub(super) max_files: Option<usize>,
    pub(super) sync: SyncPolicy,
    pub(super) consumer: Option<String>,
    pub(super) start: Cursor,
    pub(super) clock: Arc<dyn Clock>,
}

/// When an audit log begins a new file. It does so between two batches of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rotation {
    /// Never: leave it to a tool, such as `logrotate` with `copytruncate`.
    Never,
    /// When the file has reached this number of bytes.
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

impl Default for AuditLogOptions {
    fn default() -> Self {
        Self {
            rotation: Rotation::Daily,
            max_files: None,
            sync: SyncPolicy::EverySecond,
            consumer: None,
            start: Cursor::start(),
            clock: Arc::new(SystemClock),
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
}
