//! Why an audit log could not be opened or written.

use std::io;
use std::path::{Path, PathBuf};

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

/// Turns an error of the operating system into one that says what was tried.
pub(super) fn failed_to(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> AuditLogError {
    let path = path.to_owned();
    move |source| AuditLogError::Io { action, path, source }
}
