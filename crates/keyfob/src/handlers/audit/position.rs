//! The file with the cursor of an audit log. It is replaced as a whole: a crash leaves the old one
//! or the new one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{AuditLogError, failed_to};
use keyfob_store::Cursor;

/// How far a log has got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LogPosition {
    /// Every event before it is in the log.
    pub(super) cursor: Cursor,
    /// How long the file was then. What lies beyond may be delivered again.
    pub(super) length: u64,
}

#[derive(Serialize, Deserialize)]
struct PositionFile {
    consumer: Option<String>,
    cursor: String,
    length: u64,
}

impl LogPosition {
    /// Reads the position of the log at `path`; `None` if there is no such file.
    pub(super) fn read(path: &Path, consumer: Option<&str>) -> Result<Option<Self>, AuditLogError> {
        let file = beside(path, ".cursor");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed_to("read", &file)(error)),
        };
        let damaged = |detail: String| AuditLogError::DamagedCursor { path: file.clone(), detail };
        let read: PositionFile =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if read.consumer.as_deref() != consumer {
            return Err(AuditLogError::OtherConsumer {
                path: path.to_owned(),
                found: read.consumer.unwrap_or_default(),
                expected: consumer.unwrap_or_default().to_owned(),
            });
        }
        let cursor = read.cursor.parse().map_err(|error| damaged(format!("{error}")))?;
        Ok(Some(Self { cursor, length: read.length }))
    }

    /// Replaces the position of the log at `path`, on the disk if `is_durable`.
    pub(super) fn write(
        &self,
        path: &Path,
        consumer: Option<&str>,
        is_durable: bool,
    ) -> Result<(), AuditLogError> {
        let file = beside(path, ".cursor");
        let new = beside(path, ".cursor.new");
        let content = PositionFile {
            consumer: consumer.map(str::to_owned),
            cursor: self.cursor.to_string(),
            length: self.length,
        };
        let write = || {
            let mut text = serde_json::to_vec(&content).map_err(io::Error::from)?;
            text.push(b'\n');
            let mut opened = File::create(&new)?;
            opened.write_all(&text)?;
            if is_durable {
                opened.sync_data()?;
            }
            fs::rename(&new, &file)
        };
        write().map_err(failed_to("write", &file))
    }
}

/// The path of a file beside the log.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
