//! The store. Write methods of the contract go to the writing thread; read methods use a snapshot.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use keyfob_store::*;
use keyfob_store::{Clock, KeyVersion, Lane, Namespace, Random, Term, Timestamp, TokenId};

use crate::batch::Batch;
use crate::commit::Room;
use crate::error::TxError;
use crate::integrity::{self, IntegrityReport};
use crate::options::Options;
use crate::reader::{self, Snapshot};
use crate::shared::Shared;
use crate::writer::Writer;
use crate::{documents, event_log, format, open, report, tables};

/// A store in one file on disk. See the [crate documentation](crate).
#[derive(Debug)]
pub struct RedbStore {
    shared: Arc<Shared>,
    writer: Writer,
}

impl RedbStore {
    /// Opens the store at `path` with the default [`Options`].
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Options::new().open(path)
    }

    /// Opens the store at `path` with this clock. The namespace key of a new store is drawn from
    /// `random`.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn with(
        path: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Options::new().clock(clock).random(random).open(path)
    }

    pub(crate) fn open_with(path: &Path, mut options: Options) -> Result<Self, StoreError> {
        options.is_full = Arc::default();
        let (file, namespace) = open::open(path, &options)?;
        let shared = Shared::new(path.to_owned(), namespace, options, file);
        let shared = Arc::new(shared);
        let writer = Writer::start(Arc::clone(&shared))?;
        Ok(Self { shared, writer })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Returns the numbers of commands and of commits since the store was opened.
    pub fn commits(&self) -> Commits {
        let counters = &self.shared.commit_counters;
        Commits {
            commands: counters.commands.load(Ordering::Relaxed),
            commits: counters.commits.load(Ordering::Relaxed),
        }
    }

    /// Compares every record with its index rows, and every index row with its record. The check reads
    /// the whole file from a snapshot; the store can be used meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be read to its end.
    pub async fn check(&self) -> Result<IntegrityReport, StoreError> {
        let lanes = self.shared.lanes();
        self.read_blocking(move |transaction| integrity::check(transaction, lanes)).await
    }

    fn snapshot<T>(&self, work: impl Fn(Snapshot) -> Result<T, TxError>) -> Result<T, StoreError> {
        self.shared.read(|transaction| work(Snapshot::of(transaction, self.shared.lanes())?))
    }

    /// Executes a revocation. A large transaction may find the disk full and is refused as a whole; the
    /// revocations in it are then executed alone.
    async fn write_revocation<T, I, C>(
        &self,
        operation: OperationId,
        command: impl Fn() -> (I, C) + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        I: IntoIterator<Item = (Lane, Invalidation)> + Send,
        C: FnOnce(&mut Batch<'_>) -> Result<T, TxError> + Send + 'static,
    {
        let write = || {
            let (invalidations, command) = command();
            self.writer.write(Some(operation), Room::Reserve, invalidations, command)
        };
        match write().await {
            Err(StoreError::Full { .. }) => write().await,
            outcome => outcome,
        }
    }

    async fn read_blocking<T: Send + 'static>(
        &self,
        work: impl Fn(&redb::ReadTransaction) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.read(work))
            .await
            .unwrap_or_else(|error| Err(StoreError::unavailable(error)))
    }
}

impl Options {
    /// Opens the store at `path`. Blocks the thread for milliseconds, or for as long as it waits for
    /// another process.
    ///
    /// # Errors
    /// - [`StoreError::InUse`] if another process has the file open, or another handle of this one.
    /// - [`StoreError::NotAStore`] if the path holds something else, or a damaged store.
    /// - [`StoreError::NewerFormat`] if a newer keyfob wrote the file.
    /// - [`StoreError::Misconfigured`] if the store has a different number of lanes.
    /// - [`StoreError::Unavailable`] if the operating system refuses.
    pub fn open(self, path: impl AsRef<Path>) -> Result<RedbStore, StoreError> {
        RedbStore::open_with(path.as_ref(), self)
    }
}

/// How many commands share a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commits {
    /// The number of executed commands.
    pub commands: u64,
    /// The number of commits that made them durable.
    pub commits: u64,
}

#[async_trait]
impl RecordStore for RedbStore {
    fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError> {
        self.writer
            .write(Some(operation.id), Room::Free, [], move |batch| batch.insert(operation, insert))
            .await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        let now = self.shared.clock.now();
        self.snapshot(|snapshot| snapshot.reader().load(id, now))
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let invalidations = replace.changes();
        self.writer
            .write(Some(operation.id), Room::Free, invalidations, move |batch| {
                batch.replace(operation, replace)
            })
            .await
    }

    async fn consume(
        &self,
        operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        self.writer
            .write(Some(operation.id), Room::Free, [], move |batch| {
                batch.consume(operation, consume.id)
            })
            .await
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let uses = uses.to_vec();
        self.writer.write(None, Room::Free, [], move |batch| batch.touch(&uses)).await
    }

    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError> {
        self.write_revocation(operation.id, || {
            let revoke = revoke.clone();
            (revoke.changes(), move |batch: &mut Batch<'_>| batch.revoke(operation, revoke))
        })
        .await
    }

    async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let lanes = self.shared.lanes();
        self.write_revocation(operation.id, || {
            let advance = advance.clone();
            (advance.changes(lanes), move |batch: &mut Batch<'_>| batch.advance(operation, advance))
        })
        .await
    }

    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        self.snapshot(|snapshot| Ok(snapshot.reader().lane_to_write(lane)?.sequence))
    }

    async fn time_of(&self, _: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(at)
    }
}

#[async_trait]
impl TermIndex for RedbStore {
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        let now = self.shared.clock.now();
        let lanes = self.shared.lanes();
        self.shared.read(|transaction| {
            let index = transaction.open_table(tables::INDEX)?;
            Snapshot::of(transaction, lanes)?.reader().page(&index, query, now)
        })
    }

    async fn heads(&self, query: &Query) -> Result<RecordPage<RecordHead>, StoreError> {
        let (query, now, lanes) = (*query, self.shared.clock.now(), self.shared.lanes());
        self.read_blocking(move |transaction| {
            let index = transaction.open_table(tables::INDEX)?;
            Snapshot::of(transaction, lanes)?.reader().heads(&index, &query, now)
        })
        .await
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.read_blocking(move |transaction| {
            reader::count(&transaction.open_table(tables::INDEX)?, term, lane)
        })
        .await
    }

    async fn estimate(&self, term: Term, _: Option<Lane>) -> Result<u64, StoreError> {
        self.shared
            .read(|transaction| reader::estimate(&transaction.open_table(tables::INDEX)?, term))
    }
}

#[async_trait]
impl EventLog for RedbStore {
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.writer.write(None, Room::Free, [], move |batch| batch.observe(lane, entries)).await
    }

    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        let lanes = self.shared.lanes();
        self.shared.read(|transaction| {
            let log = transaction.open_table(tables::feed_table(feed))?;
            let trimmed = transaction.open_table(tables::TRIMMED)?;
            event_log::page(&log, &trimmed, feed, after, limit, lanes)
        })
    }

    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        let lanes = self.shared.lanes();
        self.shared.read(|transaction| {
            event_log::latest(&transaction.open_table(tables::feed_table(feed))?, lanes)
        })
    }
}

#[async_trait]
impl Counting for RedbStore {
    async fn tallies(&self) -> Result<Tallies, StoreError> {
        self.read_blocking(reader::tallies).await.map(Tallies::from)
    }
}

#[async_trait]
impl Resealing for RedbStore {
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        self.writer
            .write(Some(operation.id), Room::Free, [], move |batch| batch.reseal(operation, reseal))
            .await
    }

    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        self.shared
            .read(|transaction| format::min_key_version(&transaction.open_table(tables::META)?))
    }

    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        self.writer
            .write(None, Room::Free, [], move |batch| batch.raise_min_key_version(floor))
            .await
    }
}

#[async_trait]
impl Documents for RedbStore {
    async fn read_document(&self, name: &DocumentName) -> Result<Option<Document>, StoreError> {
        self.shared.read(|transaction| documents::read(transaction, name))
    }

    async fn write_document(
        &self,
        operation: Operation,
        write: WriteDocument,
    ) -> Result<DocumentWritten, StoreError> {
        self.writer
            .write(Some(operation.id), Room::Free, [], move |batch| {
                batch.write_document(operation, write)
            })
            .await
    }

    async fn list_documents(&self, list: &ListDocuments) -> Result<Vec<Document>, StoreError> {
        let list = list.clone();
        self.read_blocking(move |transaction| documents::list(transaction, &list)).await
    }
}

#[async_trait]
impl Invalidations for RedbStore {
    fn watch(&self, listener: &Arc<InvalidationListener>) {
        if self.shared.options.is_shared {
            // Another process may revoke at any time, so no lane is trusted.
            self.shared.listeners.add(listener);
        } else {
            self.shared.listeners.add_trusted(listener, self.shared.lanes());
        }
    }
}

#[async_trait]
impl Maintenance for RedbStore {
    async fn report(&self) -> Result<StoreReport, StoreError> {
        report::of(&self.shared)
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}
