//! The file below the engine, on a disk that may be full.
//!
//! After a failed write the engine refuses everything until the file is opened again. This layer keeps
//! the cause, so that the store knows whether to do that. A write of a revocation that finds the disk full
//! frees a part of the [`Reserve`] and tries again.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::reserve::{self, Reserve, State, is_full};

/// The room that must be there before ordinary commands are taken again after the disk was full.
const MIN_FREE: u64 = 1024 * 1024;

/// The disk of an open file.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    reserve: Reserve,
    may_use_reserve: AtomicBool,
    /// Whether a write found the disk full and no room was seen since. It outlives the open file.
    is_full: Arc<AtomicBool>,
    /// Whether a write of this open file found the disk full.
    found_full: AtomicBool,
}

impl Disk {
    /// Describes the disk of a file that the engine is about to open for writing.
    pub(crate) fn new(path: &Path, reserve: Reserve, is_full: Arc<AtomicBool>) -> Self {
        Self {
            path: path.to_owned(),
            reserve,
            // Opening may have to repair the file.
            may_use_reserve: AtomicBool::new(true),
            is_full,
            found_full: AtomicBool::new(false),
        }
    }

    pub(crate) fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Sets the reserve aside where it is not complete. Returns whether ordinary commands may be taken.
    pub(crate) fn prepare(&self) -> bool {
        let missing = match self.reserve.state() {
            State::Whole | State::Impossible(_) => 0,
            State::Partial(there) => self.reserve.size().saturating_sub(there),
        };
        if missing == 0 && !self.is_full.load(Ordering::Acquire) {
            return true;
        }
        if reserve::free_bytes(&self.path).is_some_and(|free| free < missing + MIN_FREE) {
            self.is_full.store(true, Ordering::Release);
            return false;
        }
        let has_room = !matches!(self.reserve.fill(), State::Partial(_));
        self.is_full.store(!has_room, Ordering::Release);
        has_room
    }

    /// Sets whether writes may use the reserve.
    pub(crate) fn allow_reserve(&self, allowed: bool) {
        self.may_use_reserve.store(allowed, Ordering::Release);
    }

    /// Returns whether a write found the disk full. The engine refuses everything until the file is
    /// opened again.
    pub(crate) fn found_full(&self) -> bool {
        self.found_full.load(Ordering::Acquire)
    }

    /// Runs a write. Frees a part of the reserve and tries again if the disk is full and that is allowed.
    fn write(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
        loop {
            let Err(error) = write() else { return Ok(()) };
            if !is_full(&error) {
                return Err(error);
            }
            self.is_full.store(true, Ordering::Release);
            if !self.may_use_reserve.load(Ordering::Acquire) || !self.reserve.release() {
                self.found_full.store(true, Ordering::Release);
                return Err(error);
            }
        }
    }
}

/// The engine's view of the file.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl DiskFile {
    pub(crate) fn new(file: FileBackend, disk: Arc<Disk>) -> Self {
        Self { file, disk }
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.write(|| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.write(|| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(|| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
