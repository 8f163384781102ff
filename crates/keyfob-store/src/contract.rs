//! The contract in small traits, one for each capability.
//!
//! | trait | what a store gives | needed |
//! |---|---|---|
//! | [`RecordStore`] | records, epochs and events, written in one atomic step | yes |
//! | [`TermIndex`] | records by what they are listed under | yes |
//! | [`EventLog`] | events and observations, read by cursor | yes |
//! | [`Counting`] | how many tokens there are, without a read of all records | has a default |
//! | [`Resealing`] | records under another key, and the lowest key in use | has a default |
//! | [`Documents`] | small named documents of the service itself | has a default |
//! | [`Invalidations`] | notifications of changes, on which caches rest | has a default |
//! | [`Maintenance`] | a health report, and closing | `report` |
//!
//! [`Store`] is all of them together, and every type that implements them is one.
//!
//! An id or a term of a lane that the namespace does not have names nothing: it is unknown, not an
//! error. Every method is atomic. A change that was acknowledged is never lost, as long as the medium
//! keeps what it acknowledged.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use keyfob_metrics::Metrics;

use crate::{
    Advance, Advanced, Consume, Consumed, Cursor, Document, DocumentName, DocumentWritten,
    EntryPage, Feed, Insert, Inserted, InvalidationListener, KeyVersion, Lane, LastUse,
    ListDocuments, Loaded, Namespace, Operation, Query, RecordHead, RecordPage, Replace, Replaced,
    Reseal, Resealed, Revoke, Revoked, Rollback, Stamp, StoreError, StoreReport, Tallies, Term,
    Timestamp, TokenId, WriteDocument,
};

/// A store: every capability of the contract. A type that implements the eight traits is one.
pub trait Store:
    RecordStore + TermIndex + EventLog + Counting + Resealing + Documents + Invalidations + Maintenance
{
}

impl<S> Store for S where
    S: RecordStore
        + TermIndex
        + EventLog
        + Counting
        + Resealing
        + Documents
        + Invalidations
        + Maintenance
{
}

/// Records, the epochs that they answer to, and the events that tell of their changes.
#[async_trait]
pub trait RecordStore: Send + Sync + Debug + 'static {
    /// Returns the namespace that the data was created with.
    fn namespace(&self) -> &Namespace;

    /// Returns whether the data was seen to be of this namespace a moment ago. Where that is not certain,
    /// an id of another namespace is not refused before the store is asked. Default: it is certain, as for
    /// a store that cannot lose its namespace without being opened again.
    fn is_namespace_certain(&self) -> bool {
        true
    }

    /// Stores new records of one lane together with their index entries and events: all or nothing.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::OutcomeUnknown`], call again with the same operation.
    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError>;

    /// Reads one record and the verdict of its epochs, in one consistent read of the primary.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError>;

    /// Replaces a record's body, if the record still has the version that was read and its verdict is
    /// still clear. May insert minted records in the same step. Never creates the record, and never
    /// keeps it longer.
    ///
    /// # Errors
    /// As [`RecordStore::insert`].
    async fn replace(&self, operation: Operation, replace: Replace)
    -> Result<Replaced, StoreError>;

    /// Consumes one use of a record whose uses are limited, if its verdict is clear and a use is left.
    ///
    /// # Errors
    /// As [`RecordStore::insert`].
    async fn consume(&self, operation: Operation, consume: Consume)
    -> Result<Consumed, StoreError>;

    /// Records when tokens were last used. The later time wins, unknown tokens are skipped, and nothing
    /// is created that outlives the record.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError>;

    /// Writes a record's tombstone. The first tombstone is kept. May advance the record's epoch as an
    /// ancestor in the same step, so that all its descendants are revoked too.
    ///
    /// # Errors
    /// As [`RecordStore::insert`].
    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError>;

    /// Advances an epoch: one write per lane, however many tokens it revokes. An advance over several
    /// lanes is recorded in each lane with its step, and any node that finds it unfinished finishes it. It
    /// is done when every lane has answered.
    ///
    /// # Errors
    /// As [`RecordStore::insert`]. [`StoreError::PartlyApplied`] if some lanes cannot be reached: it is
    /// applied in the others, and any node applies it in these as soon as they can be reached.
    async fn advance(&self, operation: Operation, advance: Advance)
    -> Result<Advanced, StoreError>;

    /// Returns the stamp that a record would get if it were inserted in `lane` now.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError>;

    /// Translates a time of this node's clock into the store's clock, as far as that is known without a
    /// request. Decisions that several nodes must take alike, such as whether a grace period is over,
    /// use the store's clock. The default is for a store without a clock of its own: it returns `at`.
    ///
    /// # Errors
    /// [`StoreError`] if the offset is not known: a guess may be wrong by more than a grace period.
    async fn time_of(&self, lane: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        let _lane = lane;
        Ok(at)
    }
}

/// The index: records by the terms that they are listed under.
#[async_trait]
pub trait TermIndex: Send + Sync {
    /// Reads one page of the records under a term, in order. Never loads everything. If the query names
    /// no lane and some lanes cannot be reached, the page names them, and their records are missing.
    ///
    /// # Errors
    /// [`StoreError`] if no lane can be reached.
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError>;

    /// Reads one page as [`TermIndex::query`] does, of the records' heads. It is for counting many
    /// records by their state, so pages are large, and the bodies are not to be sent. The default
    /// reads the records, and does not say where they are counted.
    ///
    /// # Errors
    /// As [`TermIndex::query`].
    async fn heads(&self, query: &Query) -> Result<RecordPage<RecordHead>, StoreError> {
        Ok(self.query(query).await?.heads())
    }

    /// Returns an upper bound of how many records a term lists. Records that are about to be forgotten
    /// may be included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError>;

    /// Returns about how many records a term lists, in little time. It is for choosing the shortest of
    /// several lists, so a large number may be far too low. The default counts.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn estimate(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.count(term, lane).await
    }
}

/// The log of events and the log of observations.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends to the log of observations. The log has a maximum length: the oldest entries are dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError>;

    /// Reads the entries of a log after a cursor, in order within each lane.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError>;

    /// Returns the cursor after the newest entry of a log.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError>;

    /// Returns a future that is ready a second, at the latest, after any process has appended an entry
    /// since this call, or after the store can no longer notice that. It may be ready without a reason.
    /// Who follows a log calls this, reads the log, and waits if nothing was there.
    ///
    /// `None`, the default: the store cannot notice it at present, and the log has to be read again and
    /// again.
    fn appended(&self, feed: Feed) -> Option<Appended> {
        let _ignored = feed;
        None
    }
}

/// Waits for entries of a log: see [`EventLog::appended`].
pub type Appended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Counts of tokens that are kept as they are written. Without it, the number of tokens can only be
/// seen by a read of all tokens.
#[async_trait]
pub trait Counting: Send + Sync {
    /// Returns the counts of all lanes. It reads the counts alone, however many tokens there are. Time
    /// buckets that are over may be left out. If some lanes cannot be reached, the counts name them.
    ///
    /// # Errors
    /// [`StoreError`] if no lane can be reached.
    async fn tallies(&self) -> Result<Tallies, StoreError> {
        Err(StoreError::unsupported("counts of tokens"))
    }
}

/// Changing the key that records are sealed under. A store without it holds what is sealed, and keeps
/// every key in use for good.
#[async_trait]
pub trait Resealing: Send + Sync {
    /// Replaces a record's body by the same content under another key, if the record still has the
    /// version that was read, whatever its verdict. The version is counted up. Stamp, tombstone and
    /// keep-until stay. Invalidation listeners are not notified, as the content has not changed.
    ///
    /// The operation is not remembered: a second call finds another version.
    ///
    /// # Errors
    /// As [`RecordStore::insert`].
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        let _unsupported = (operation, reseal);
        Err(StoreError::unsupported("resealing"))
    }

    /// Returns the lowest key that every lane accepts. A new namespace accepts any key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        Ok(KeyVersion::default())
    }

    /// Raises the lowest accepted key in every lane. Once this has returned, writes under a lower key are
    /// refused. It is never lowered.
    ///
    /// # Errors
    /// [`StoreError`]. It is safe to call again.
    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        let _unsupported = floor;
        Err(StoreError::unsupported("retiring a key"))
    }
}

/// Documents that the service keeps for itself, such as the subscriptions of its webhooks. A store
/// without it serves tokens all the same, and what needs documents says that it does not support them.
///
/// Documents lie outside the tokens: no epoch reaches them, they are in no list of records, and they
/// stay until they are deleted. There are few: thousands, not millions.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Reads one document.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_document(&self, name: &DocumentName) -> Result<Option<Document>, StoreError> {
        let _unsupported = name;
        Err(StoreError::unsupported("documents"))
    }

    /// Writes or deletes one document, if it still has the version that was read, or is still absent. The
    /// document gets the id of the operation as its version.
    ///
    /// # Errors
    /// As [`RecordStore::insert`].
    async fn write_document(
        &self,
        operation: Operation,
        write: WriteDocument,
    ) -> Result<DocumentWritten, StoreError> {
        let _unsupported = (operation, write);
        Err(StoreError::unsupported("documents"))
    }

    /// Lists documents in the order of the bytes of their names. What is written meanwhile may be listed
    /// or not; what is there all the time is listed.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_documents(&self, list: &ListDocuments) -> Result<Vec<Document>, StoreError> {
        let _unsupported = list;
        Err(StoreError::unsupported("documents"))
    }
}

/// The invalidation feed. See [`InvalidationListener`].
pub trait Invalidations: Send + Sync {
    /// Registers a listener. The store must notify it of every change that ends a token or replaces its
    /// body. A change by this process must be reported before the method that made it returns, whatever
    /// it returns. A change by another process must be reported within the listener's maximum staleness.
    /// Inserts, touches and consumed uses are not reported. The store does not keep the listener alive.
    ///
    /// The default does nothing, and is correct: without a source, no lane is ever trusted, and every
    /// check asks the store.
    fn watch(&self, listener: &Arc<InvalidationListener>) {
        let _ignored = listener;
    }
}

/// The state of the store itself.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Checks the store's health and settings.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    async fn report(&self) -> Result<StoreReport, StoreError>;

    /// Returns the metrics that the store was given, if it was given any. A manager over the store
    /// uses the same, unless it was given others.
    fn metrics(&self) -> Option<Metrics> {
        None
    }

    /// Says what was lost, if the store refuses tokens since it was rolled back.
    ///
    /// # Errors
    /// [`StoreError`] if a lane does not answer.
    async fn rollback(&self) -> Result<Option<Rollback>, StoreError> {
        Ok(None)
    }

    /// Accepts the tokens again that the store refuses since it was rolled back. Returns the number of lanes
    /// where it did. If it refuses any, it appends the events to the log of the first lane, not later than it
    /// accepts the first token.
    ///
    /// # Errors
    /// [`StoreError`] if a lane does not answer.
    async fn accept_rollback(&self, events: Vec<Vec<u8>>) -> Result<u16, StoreError> {
        let _unused = events;
        Ok(0)
    }

    /// Finishes the work in progress and closes the store.
    async fn close(&self) {}
}
