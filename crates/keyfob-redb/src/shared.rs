//! The state that the callers of a store share with its writing thread.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use keyfob_store::{Clock, InvalidationListeners, LaneCount, Namespace, StoreError};
use redb::{Database, ReadTransaction, ReadableDatabase};

use crate::error::TxError;

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) namespace: Namespace,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) commit_counters: CommitCounters,
    pub(crate) listeners: InvalidationListeners,
    /// `None` after the store is closed. Only closing locks it for writing. A read lock is held for
    /// one transaction, never across an await point.
    database: RwLock<Option<Database>>,
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
        clock: Arc<dyn Clock>,
        database: Database,
    ) -> Self {
        let database = RwLock::new(Some(database));
        Self {
            path,
            namespace,
            clock,
            commit_counters: CommitCounters::default(),
            listeners: InvalidationListeners::default(),
            database,
        }
    }

    pub(crate) fn lanes(&self) -> LaneCount {
        self.namespace.lanes()
    }

    pub(crate) fn with_database<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, TxError>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(work(database.as_ref().ok_or_else(closed)?)?)
    }

    /// Runs `work` on a snapshot of the last commit.
    ///
    /// It runs on the caller's thread. A read from the engine's cache or the system's takes
    /// microseconds, less than a hand-over to another thread. Callers hand over only the walks
    /// through a whole term or the whole file.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, TxError>,
    ) -> Result<T, StoreError> {
        self.with_database(|database| {
            // The engine trusts its own data and may panic where the file was damaged since.
            panic::catch_unwind(AssertUnwindSafe(|| work(&database.begin_read()?))).unwrap_or_else(
                |_| {
                    let detail = "the file is damaged: restore it from a backup";
                    Err(TxError::Engine(detail.to_owned()))
                },
            )
        })
    }

    /// Closes the file after the current reads end.
    pub(crate) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = database.map(Database::close) {
            tracing::error!(%error, "the file was not closed cleanly; the next open repairs it");
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}
