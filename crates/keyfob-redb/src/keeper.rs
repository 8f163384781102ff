//! The mark of a process that keeps the file for itself, such as a service: a lock on the file that sets room
//! aside beside the store. A process that finds the store locked sees from it that waiting is of little use.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::reserve::reserve_path;

/// The maximum number of attempts to lock. Another process holds the lock for a moment to see whether there is
/// a mark.
const MAX_ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(1);

/// Marks a store that this process keeps. The mark ends when the file is dropped. Without the file beside the
/// store, it does nothing: other processes then wait as long as their options say.
pub(crate) fn mark(store: &Path) -> Option<File> {
    let file = open(store)?;
    for _ in 0..MAX_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

/// Returns whether a process keeps the store.
pub(crate) fn is_marked(store: &Path) -> bool {
    open(store).is_some_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn open(store: &Path) -> Option<File> {
    let path = reserve_path(store);
    // Some file systems lock only files that are open for writing. A user who may only read can try.
    let file = OpenOptions::new().read(true).write(true).open(&path);
    file.or_else(|_| File::open(&path)).ok()
}
