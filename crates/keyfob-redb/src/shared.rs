//! What the callers of a store and its writing thread share.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use keyfob_store::{Clock, InvalidationListeners, LaneCount, Namespace, StoreError};
use redb::{Database, ReadTransaction, ReadableDatabase};

use crate::fault::Fault;
use crate::writer::{self, WriterCounts};

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) namespace: Namespace,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tally: WriterCounts,
    pub(crate) watchers: InvalidationListeners,
    /// Locked for writing only to close it; a lock is held for one transaction, never across a
    /// point where a task waits.
    database: RwLock<Option<Database>>,
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
            tally: WriterCounts::default(),
            watchers: InvalidationListeners::default(),
            database,
        }
    }

    pub(crate) fn lanes(&self) -> LaneCount {
        self.namespace.lanes()
    }

    pub(crate) fn with_database<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(work(database.as_ref().ok_or_else(writer::closed)?)?)
    }

    /// Reads from a snapshot.
    ///
    /// On the caller's thread: it takes microseconds from the engine's cache or the system's, less
    /// than handing it to another thread would; only what walks a whole term or the whole file is
    /// handed over.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.with_database(|database| {
            // The engine trusts what it once wrote: where the file was damaged since, it may panic.
            panic::catch_unwind(AssertUnwindSafe(|| work(&database.begin_read()?))).unwrap_or_else(
                |_| {
                    let detail = "the file is damaged: restore it from a backup";
                    Err(Fault::Engine(detail.to_owned()))
                },
            )
        })
    }

    /// Lets go of the file once no read is under way.
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
