//! The state that the callers of a store share with its writing thread.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use keyfob_store::{Clock, InvalidationListeners, LaneCount, Namespace, StoreError};
use redb::ReadTransaction;

use crate::error::{TxError, not_a_store};
use crate::open;
use crate::opened::OpenFile;
use crate::options::Options;

/// How long a shared store keeps the file at a time.
pub(crate) const MAX_HOLD: Duration = Duration::from_millis(100);

/// How long a shared store then leaves the file to others. They look for it more often than that.
const MIN_RELEASE: Duration = Duration::from_millis(25);

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) namespace: Namespace,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) commit_counters: CommitCounters,
    pub(crate) listeners: InvalidationListeners,
    pub(crate) options: Options,
    /// Only opening and closing lock it for writing. A read lock is held for one transaction, never
    /// across an await point.
    file: RwLock<FileState>,
}

enum FileState {
    Open(OpenFile),
    /// Others may have the file since this time. The next command opens it again.
    Released(Instant),
    Closed,
}

/// The numbers of executed commands and of commits.
#[derive(Debug, Default)]
pub(crate) struct CommitCounters {
    pub(crate) commands: AtomicU64,
    pub(crate) commits: AtomicU64,
}

/// The error of a store that was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::unavailable("the store is closed")
}

impl Shared {
    pub(crate) fn new(
        path: PathBuf,
        namespace: Namespace,
        options: Options,
        file: OpenFile,
    ) -> Self {
        Self {
            path,
            namespace,
            clock: Arc::clone(&options.clock),
            commit_counters: CommitCounters::default(),
            listeners: InvalidationListeners::default(),
            // A store that is opened again exists.
            options: options.create(false),
            file: RwLock::new(FileState::Open(file)),
        }
    }

    pub(crate) fn lanes(&self) -> LaneCount {
        self.namespace.lanes()
    }

    /// Runs `work` on the open file. Opens the file first if that is necessary.
    pub(crate) fn with_file<T>(
        &self,
        work: impl FnOnce(&OpenFile) -> Result<T, TxError>,
    ) -> Result<T, StoreError> {
        loop {
            match &*self.file.read().unwrap_or_else(PoisonError::into_inner) {
                FileState::Open(file) if !file.must_reopen() => {
                    return work(file).map_err(|error| error.of(&self.path));
                }
                FileState::Closed => return Err(closed()),
                FileState::Open(_) | FileState::Released(_) => {}
            }
            self.reopen()?;
        }
    }

    /// Runs `work` on a snapshot of the last commit, and once more if a full disk ended it.
    ///
    /// It runs on the caller's thread. A read from the engine's cache or the system's takes
    /// microseconds, less than a hand-over to another thread. Callers hand over only the walks
    /// through a whole term or the whole file.
    pub(crate) fn read<T>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, TxError>,
    ) -> Result<T, StoreError> {
        let read = || {
            let mut must_reopen = false;
            let outcome = self.with_file(|file| {
                // The engine trusts its own data and may panic where the file was damaged since.
                let read = AssertUnwindSafe(|| work(&file.begin_read()?));
                let outcome = panic::catch_unwind(read).unwrap_or_else(|_| {
                    let detail = "the file is damaged: restore it from a backup";
                    Err(TxError::Engine(detail.to_owned()))
                });
                must_reopen = file.must_reopen();
                outcome
            });
            (outcome, must_reopen)
        };
        match read() {
            (Err(_), true) => read().0,
            (outcome, _) => outcome,
        }
    }

    /// Opens the file again, if others may have it or the engine refuses to continue.
    fn reopen(&self) -> Result<(), StoreError> {
        let mut state = self.file.write().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            FileState::Closed => return Err(closed()),
            // Another thread was faster.
            FileState::Open(file) if !file.must_reopen() => return Ok(()),
            FileState::Open(_) => {}
            FileState::Released(since) => {
                std::thread::sleep(MIN_RELEASE.saturating_sub(since.elapsed()));
            }
        }
        // The file must be closed before it is opened: each open locks it.
        let before = std::mem::replace(&mut *state, FileState::Released(Instant::now()));
        // The engine may panic where the file was damaged.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(before)));
        let (file, namespace) = open::open(&self.path, &self.options)?;
        if namespace.key() != self.namespace.key() {
            let detail = "another store was put in its place: start this process again";
            return Err(not_a_store(&self.path, detail));
        }
        *state = FileState::Open(file);
        Ok(())
    }

    /// Closes the file of a shared store once it was open for [`MAX_HOLD`].
    pub(crate) fn release(&self) {
        let mut state = self.file.write().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            FileState::Open(file) if MAX_HOLD <= file.opened.elapsed() => {}
            _ => return,
        }
        let released = FileState::Released(Instant::now());
        close_file(std::mem::replace(&mut *state, released));
        // Closing may have taken a while, and others can have the file only now.
        *state = FileState::Released(Instant::now());
    }

    /// Closes the file after the current reads end.
    pub(crate) fn close(&self) {
        let mut state = self.file.write().unwrap_or_else(PoisonError::into_inner);
        close_file(std::mem::replace(&mut *state, FileState::Closed));
    }
}

fn close_file(state: FileState) {
    let FileState::Open(file) = state else { return };
    // The engine may panic where the file was damaged.
    let closed = panic::catch_unwind(AssertUnwindSafe(|| file.close()));
    let error = match closed {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the engine stopped with an internal error".to_owned(),
    };
    tracing::error!(%error, "the file was not closed cleanly; the next open repairs it");
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}
