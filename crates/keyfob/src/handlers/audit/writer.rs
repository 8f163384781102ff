//! The one writer of an audit log's file: lines, rotation, the disk.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::error::{AuditLogError, failed_to};
use super::options::{AuditLogOptions, Rotation, SyncPolicy};
use super::position::{LogPosition, beside};
use crate::handlers::json_lines;
use crate::handlers::{Delivery, EventHandler, HandlerError};
use keyfob_core::time::Timestamp;
use keyfob_store::Cursor;

/// Writes events to the file while it holds the lock.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    options: AuditLogOptions,
    file: File,
    /// How long the file is up to the end of its last whole line.
    length: u64,
    /// Whether something may lie beyond: a write failed.
    is_torn: bool,
    /// The day, in UTC, of the last line.
    day: u64,
    /// Every event before it is in the file.
    cursor: Cursor,
    /// The ids of the events that were written since the cursor was last stored.
    written: HashSet<String>,
    /// Whether the cursor has moved since it was last stored.
    has_moved: bool,
    stored_at: Instant,
    /// Holds the lock until it is dropped.
    _lock: File,
}

const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How many events may be written before the cursor is stored, whatever the time.
const MAX_WRITTEN: usize = 10_000;
/// How many bytes beyond the stored position are searched for events that are in the file already.
const MAX_SEARCHED: u64 = 16 << 20;
const MILLIS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

impl Writer {
    /// Takes the lock, removes a last line that was cut off, and reads the cursor.
    pub(super) fn open(path: &Path, options: &AuditLogOptions) -> Result<Self, AuditLogError> {
        let lock = take_lock(path)?;
        let consumer = options.consumer.as_deref();
        let position = LogPosition::read(path, consumer)?;
        let mut file = open_log(path)?;
        let found = file.metadata().map_err(failed_to("read", path))?.len();
        let position =
            position.unwrap_or_else(|| LogPosition { cursor: options.start.clone(), length: 0 });
        if found < position.length {
            tracing::warn!(
                path = %path.display(), found, expected = position.length,
                "an audit log is shorter than it was: lines were removed or never reached the disk"
            );
        }
        let start = position.length.min(found).max(found.saturating_sub(MAX_SEARCHED));
        let tail = read_from(&mut file, start).map_err(failed_to("read", path))?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let length = start + whole as u64;
        let mut writer = Self {
            path: path.to_owned(),
            options: options.clone(),
            file,
            length,
            is_torn: length < found,
            day: day_of(written_at(path).unwrap_or_else(|| options.clock.now())),
            cursor: position.cursor,
            written: ids_in(tail.get(..whole).unwrap_or_default()),
            has_moved: false,
            stored_at: Instant::now(),
            _lock: lock,
        };
        writer.remove_torn_line()?;
        Ok(writer)
    }

    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    fn write(&mut self, delivery: &Delivery) -> Result<(), HandlerError> {
        let id = match delivery {
            Delivery::Event(event) => Some(event.id.to_string()),
            Delivery::Trimmed => None,
        };
        if id.as_ref().is_some_and(|id| self.written.contains(id)) {
            return Ok(());
        }
        self.remove_torn_line().map_err(HandlerError::new)?;
        let now = self.options.clock.now();
        // Between two batches only: what follows a stored cursor lies in one file.
        if self.written.is_empty() && self.is_rotation_due(now) {
            self.rotate(now).map_err(HandlerError::new)?;
        }
        let line = json_lines::line(delivery)?;
        self.is_torn = true;
        let written = self.file.write_all(&line);
        written.map_err(failed_to("write", &self.path)).map_err(HandlerError::new)?;
        self.is_torn = false;
        self.length += line.len() as u64;
        self.day = day_of(now);
        self.written.extend(id);
        Ok(())
    }

    /// Cuts the file off after its last whole line.
    fn remove_torn_line(&mut self) -> Result<(), AuditLogError> {
        if self.is_torn {
            self.file.set_len(self.length).map_err(failed_to("shorten", &self.path))?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn is_rotation_due(&self, now: Timestamp) -> bool {
        self.length > 0
            && match self.options.rotation {
                Rotation::Never => false,
                Rotation::Size(bytes) => self.length >= bytes,
                Rotation::Daily => day_of(now) > self.day,
            }
    }

    fn rotate(&mut self, now: Timestamp) -> Result<(), AuditLogError> {
        self.store_position()?;
        let rotated = unused_name(&self.path, now);
        fs::rename(&self.path, &rotated).map_err(failed_to("rename", &self.path))?;
        self.file = open_log(&self.path)?;
        self.length = 0;
        self.store_position()?;
        if let Some(max_files) = self.options.max_files {
            delete_oldest(&self.path, max_files);
        }
        Ok(())
    }

    /// Writes the lines to the disk if the policy says so, and then stores the cursor.
    fn store_position(&mut self) -> Result<(), AuditLogError> {
        let is_durable = self.options.sync != SyncPolicy::Never;
        if is_durable {
            self.file.sync_data().map_err(failed_to("write", &self.path))?;
        }
        let position = LogPosition { cursor: self.cursor.clone(), length: self.length };
        position.write(&self.path, self.options.consumer.as_deref(), is_durable)?;
        self.written.clear();
        self.has_moved = false;
        self.stored_at = Instant::now();
        Ok(())
    }
}

impl EventHandler for Writer {
    fn handle(&mut self, delivery: &Delivery) -> Result<(), HandlerError> {
        self.write(delivery)
    }

    fn commit(&mut self, cursor: &Cursor) -> Result<(), HandlerError> {
        self.cursor = cursor.clone();
        self.has_moved = true;
        let is_due = self.options.sync != SyncPolicy::EverySecond
            || self.stored_at.elapsed() >= SYNC_INTERVAL
            || self.written.len() >= MAX_WRITTEN;
        if is_due { self.sync() } else { Ok(()) }
    }

    fn needs_sync(&self) -> bool {
        self.has_moved
    }

    fn sync(&mut self) -> Result<(), HandlerError> {
        if self.has_moved {
            self.store_position().map_err(HandlerError::new)?;
        }
        Ok(())
    }
}

fn take_lock(path: &Path) -> Result<File, AuditLogError> {
    let name = beside(path, ".lock");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&name);
    let lock = lock.map_err(failed_to("open", &name))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(AuditLogError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed_to("lock", &name)(error)),
    }
}

fn open_log(path: &Path) -> Result<File, AuditLogError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path).map_err(failed_to("open", path))
}

fn read_from(file: &mut File, start: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The ids of the events in these lines.
fn ids_in(lines: &[u8]) -> HashSet<String> {
    #[derive(Deserialize)]
    struct WithId {
        id: String,
    }
    let lines = lines.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice::<WithId>(line).ok())
        .map(|line| line.id)
        .collect()
}

/// When the file was last written, unless it is empty.
fn written_at(path: &Path) -> Option<Timestamp> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.len() > 0)?;
    let since_1970 = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(u64::try_from(since_1970.as_millis()).ok()?))
}

fn day_of(at: Timestamp) -> u64 {
    at.as_millis() / MILLIS_PER_DAY
}

/// A name for a file that is rotated now, which no file has.
fn unused_name(path: &Path, now: Timestamp) -> PathBuf {
    // Colons are not allowed in file names everywhere.
    let seconds = Timestamp::from_millis(now.as_secs() * 1_000);
    let suffix = format!(".{}", seconds.to_string().replace(':', ""));
    let numbered = (1u32..).map(|number| beside(path, &format!("{suffix}-{number:03}")));
    let mut names = std::iter::once(beside(path, &suffix)).chain(numbered);
    names.find(|name| !name.exists()).unwrap_or_else(|| beside(path, &suffix))
}

/// Deletes the oldest rotated files until the given number is left. One that cannot be deleted is left.
fn delete_oldest(path: &Path, max_files: usize) {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(directory.unwrap_or(Path::new("."))) else { return };
    let Some(stem) = path.file_name().and_then(OsStr::to_str) else { return };
    let is_rotated = |name: &str| {
        let suffix = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
        suffix.is_some_and(|suffix| suffix.starts_with(|first: char| first.is_ascii_digit()))
    };
    let rotated = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut rotated: Vec<_> = rotated
        .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_rotated))
        .collect();
    // Their names are in order of time.
    rotated.sort_unstable();
    let surplus = rotated.len().saturating_sub(max_files);
    for old in rotated.into_iter().take(surplus) {
        if let Err(error) = fs::remove_file(&old) {
            tracing::warn!(path = %old.display(), %error, "an old audit log cannot be deleted");
        }
    }
}
