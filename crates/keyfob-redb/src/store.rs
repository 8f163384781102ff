//! The store: each verb of the contract handed to the thread that writes, or read from a snapshot.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use keyfob_store::*;
use keyfob_store::{Clock, KeyVersion, Lane, Namespace, Random, Term, Timestamp, TokenId};

use crate::fault::Fault;
use crate::integrity::{self, Integrity};
use crate::options::Options;
use crate::shared::Shared;
use crate::view::{self, Snapshot};
use crate::writer::Writer;
use crate::{feed, file, foundation, report, tables};

/// A store in one file on disk. See the documentation of the crate.
#[derive(Debug)]
pub struct RedbStore {
    shared: Arc<Shared>,
    writer: Writer,
}

impl RedbStore {
    /// Opens the store at `path` with the [`Options`] that suit most.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Options::new().open(path)
    }

    /// Opens the store at `path` on this clock; the namespace key of a new one is drawn from
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

    pub(crate) fn open_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        let (database, namespace) = file::open(path, &options)?;
        let shared = Shared::new(path.to_owned(), namespace, options.clock, database);
        let shared = Arc::new(shared);
        let writer = Writer::start(Arc::clone(&shared))?;
        Ok(Self { shared, writer })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// How many commands were carried out since the store was opened, and by how many commits.
    pub fn commits(&self) -> Commits {
        let tally = &self.shared.tally;
        Commits {
            commands: tally.commands.load(Ordering::Relaxed),
            commits: tally.commits.load(Ordering::Relaxed),
        }
    }

    /// Compares every record with its index rows, and every index row with its record. It reads the
    /// whole file, from a snapshot, while the store stays in use.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], when the file cannot be read to its end.
    pub async fn check(&self) -> Result<Integrity, StoreError> {
        let lanes = self.shared.lanes();
        self.read_at_length(move |transaction| integrity::check(transaction, lanes)).await
    }

    fn snapshot<T>(
        &self,
        work: impl FnOnce(Snapshot) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.shared.read(|transaction| work(Snapshot::of(transaction, self.shared.lanes())?))
    }

    async fn read_at_length<T: Send + 'static>(
        &self,
        work: impl FnOnce(&redb::ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.read(work))
            .await
            .unwrap_or_else(|error| Err(StoreError::unavailable(error)))
    }
}

/// How well commands share commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commits {
    /// The commands that were carried out.
    pub commands: u64,
    /// The commits that made them durable.
    pub commits: u64,
}

#[async_trait]
impl RecordStore for RedbStore {
    fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError> {
        self.writer
            .write(Some(operation.id), [], move |changes| changes.insert(operation, insert))
            .await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        let now = self.shared.clock.now();
        self.snapshot(|snapshot| snapshot.view().load(id, now))
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let told = replace.changes();
        self.writer
            .write(Some(operation.id), told, move |changes| changes.replace(operation, replace))
            .await
    }

    async fn consume(
        &self,
        operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        self.writer
            .write(Some(operation.id), [], move |changes| changes.consume(operation, consume.id))
            .await
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let uses = uses.to_vec();
        self.writer.write(None, [], move |changes| changes.touch(&uses)).await
    }

    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError> {
        let told = revoke.changes();
        self.writer
            .write(Some(operation.id), told, move |changes| changes.revoke(operation, revoke))
            .await
    }

    async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let told = advance.changes(self.shared.lanes());
        self.writer
            .write(Some(operation.id), told, move |changes| changes.advance(operation, advance))
            .await
    }

    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        self.snapshot(|snapshot| Ok(snapshot.view().lane_to_write(lane)?.sequence))
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
            Snapshot::of(transaction, lanes)?.view().page(&index, query, now)
        })
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.read_at_length(move |transaction| {
            view::count(&transaction.open_table(tables::INDEX)?, term, lane)
        })
        .await
    }
}

#[async_trait]
impl EventLog for RedbStore {
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.writer.write(None, [], move |changes| changes.observe(lane, entries)).await
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
            feed::page(&log, &trimmed, feed, after, limit, lanes)
        })
    }

    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        let lanes = self.shared.lanes();
        self.shared.read(|transaction| {
            feed::latest(&transaction.open_table(tables::feed_table(feed))?, lanes)
        })
    }
}

#[async_trait]
impl Counting for RedbStore {
    async fn tallies(&self) -> Result<Vec<BucketCounts>, StoreError> {
        self.read_at_length(view::tallies).await
    }
}

#[async_trait]
impl Resealing for RedbStore {
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        self.writer
            .write(Some(operation.id), [], move |changes| changes.reseal(operation, reseal))
            .await
    }

    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        self.shared
            .read(|transaction| foundation::min_key_version(&transaction.open_table(tables::META)?))
    }

    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        self.writer.write(None, [], move |changes| changes.raise_min_key_version(floor)).await
    }
}

#[async_trait]
impl Invalidations for RedbStore {
    fn watch(&self, watcher: &Arc<InvalidationListener>) {
        self.shared.watchers.add_trusted(watcher, self.shared.lanes());
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
