//! The contract in small traits, one for each capability.
//!
//! | trait | what a store gives | needed |
//! |---|---|---|
//! | [`RecordStore`] | records, epochs and events, written in one atomic step | yes |
//! | [`TermIndex`] | records by what they are listed under | yes |
//! | [`EventLog`] | events and observations, read by cursor | yes |
//! | [`Counting`] | how many tokens there are, without a walk | has a default |
//! | [`Resealing`] | records under another key, and the lowest key in use | has a default |
//! | [`Invalidations`] | notifications of changes, on which caches rest | has a default |
//! | [`Maintenance`] | a health report, and closing | has a default |
//!
//! [`Store`] is all of them together, and every type that implements them is one.
//!
//! An id or a term of a lane that the namespace does not have names nothing: it is unknown, not an
//! error. Every method is atomic. A change that was acknowledged is never lost, as long as the medium
//! keeps what it acknowledged.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Advance, Advanced, BucketCounts, Consume, Consumed, Cursor, EntryPage, Feed, Insert, Inserted,
    InvalidationListener, KeyVersion, Lane, LastUse, Loaded, Namespace, Operation, Query,
    RecordPage, Replace, Replaced, Reseal, Resealed, Revoke, Revoked, Stamp, StoreError,
    StoreReport, Term, Timestamp, TokenId,
};

/// A store: every capability of the contract. A type that implements the seven traits is one.
pub trait Store:
    RecordStore + TermIndex + EventLog + Counting + Resealing + Invalidations + Maintenance
{
}

impl<S> Store for S where
    S: RecordStore + TermIndex + EventLog + Counting + Resealing + Invalidations + Maintenance
{
}

/// Records, the epochs that they answer to, and the events that tell of their changes.
#[async_trait]
pub trait RecordStore: Send + Sync + Debug + 'static {
    /// What the store's data was created with.
    fn namespace(&self) -> &Namespace;

    /// Stores new records of one lane together with their index entries and events, all or none.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::OutcomeUnknown`] may be sent again with the same operation.
    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError>;

    /// Reads one record and the verdict of its epochs, from one consistent read of the primary.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError>;

    /// Replaces a record's body if the version read still stands and its verdict is still clear;
    /// may insert minted records in the same step. Never creates the record, never prolongs it.
    ///
    /// # Errors
    /// As [`Store::insert`].
    async fn replace(&self, operation: Operation, replace: Replace)
    -> Result<Replaced, StoreError>;

    /// Takes one use off a record whose uses are counted, if its verdict is clear and one is left.
    ///
    /// # Errors
    /// As [`Store::insert`].
    async fn consume(&self, operation: Operation, consume: Consume)
    -> Result<Consumed, StoreError>;

    /// Notes when tokens were last used. A later time wins; an unknown token is passed over;
    /// nothing is created that outlives the record.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError>;

    /// Writes a record's tombstone; the first one is kept. May advance the record's epoch as an
    /// ancestor in the same step, so that all that descends from it falls with it.
    ///
    /// # Errors
    /// As [`Store::insert`].
    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError>;

    /// Advances an epoch: one write per lane that it concerns, however many tokens it covers. Over
    /// several lanes it is recorded first and finished by any node that finds it unfinished; it is
    /// done when every lane has answered.
    ///
    /// # Errors
    /// As [`Store::insert`].
    async fn advance(&self, operation: Operation, advance: Advance)
    -> Result<Advanced, StoreError>;

    /// The stamp that a record inserted in `lane` now would get.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError>;

    /// What the store's clock says in a lane when the node's says `at`, as far as that is known
    /// without asking. What several nodes decide by one time, such as whether a window is over, they
    /// decide by this one. A store without a clock of its own says the same.
    ///
    /// # Errors
    /// [`StoreError`], when it cannot be told: a guess may be off by more than a window.
    async fn time_of(&self, lane: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        let _lane = lane;
        Ok(at)
    }
}

/// The index: records by the terms that they are listed under.
#[async_trait]
pub trait TermIndex: Send + Sync {
    /// One page of the records under a term, in order. Never loads everything.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError>;

    /// How many records a term lists, at most: those that it will forget soon may be counted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError>;
}

/// The log of events and the log of observations.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends to the feed of observations, which is capped: the oldest give way.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError>;

    /// The entries of a feed after a cursor, in order within each lane.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError>;

    /// The cursor after the newest entry of a feed.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError>;
}

/// Counts of tokens that are kept as they are written. Without it, the number of tokens can only be
/// told by a walk.
#[async_trait]
pub trait Counting: Send + Sync {
    /// How many tokens there are, by what they are counted by: over all lanes, in no order. It looks
    /// at the counts alone, however many tokens there are. Spans that are over may be left out.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn tallies(&self) -> Result<Vec<BucketCounts>, StoreError> {
        Err(StoreError::unsupported("counts of tokens"))
    }
}

/// Changing the key that records are sealed under. A store without it holds what is sealed, and keeps
/// every key in use for good.
#[async_trait]
pub trait Resealing: Send + Sync {
    /// Gives a record's body another form, if the version read still stands, whatever its verdict.
    /// The version is counted up; stamp, tombstone and keep-until stay, and watchers are not told:
    /// nothing that the record says has changed.
    ///
    /// The operation is not remembered: sent again, it finds that its version is gone.
    ///
    /// # Errors
    /// As [`Store::insert`].
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        let _unsupported = (operation, reseal);
        Err(StoreError::unsupported("resealing"))
    }

    /// The lowest key that every lane accepts. A new namespace accepts any.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        Ok(KeyVersion::default())
    }

    /// Raises the floor in every lane: once it has returned, inserts, replacements and reseals under
    /// a lower key are refused. It is never lowered.
    ///
    /// # Errors
    /// [`StoreError`]; it is safe to call again.
    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        let _unsupported = floor;
        Err(StoreError::unsupported("retiring a key"))
    }
}

/// The invalidation feed. See [`InvalidationListener`].
pub trait Invalidations: Send + Sync {
    /// Registers a watcher, which is to be told of every change that ends a token or replaces what
    /// is stored of it: within this process before the verb that changed it returns, whatever it
    /// returns, and from other processes within the watcher's bound. Inserts, touches and spent
    /// uses are not told of. The store does not keep the watcher alive.
    ///
    /// A store that does nothing here is correct: without a source, nothing is ever trusted.
    fn watch(&self, watcher: &Arc<InvalidationListener>) {
        let _unheard = watcher;
    }
}

/// The state of the store itself.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Looks at the store's health and settings.
    ///
    /// # Errors
    /// [`StoreError`], when it cannot even be asked.
    async fn report(&self) -> Result<StoreReport, StoreError>;

    /// Finishes what is under way and lets go of the store.
    async fn close(&self) {}
}
