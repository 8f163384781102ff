//! An audit log, and which instance writes it.

use std::path::{Path, PathBuf};

use super::error::AuditLogError;
use super::options::AuditLogOptions;
use super::writer::Writer;
use keyfob_store::Cursor;

/// An audit log: every event as a line of JSON in a file that survives restarts and rotates. See the
/// [module](super) for what it promises. [`TokenManager::spawn_audit_log`] writes into it.
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
        AuditLogOptions::default()
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
