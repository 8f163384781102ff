//! The contract between keyfob and whatever holds its records.
//!
//! A store makes one prepared change atomic; what the change means was decided before, by pure
//! code. It sees record bodies, notes and events as opaque bytes, and the values that tokens are
//! found by as keyed digests. What it must read itself is in clear and able only to *restrict*:
//! version, stamp, epochs, the number of uses, the moment at which a record may be forgotten.
//!
//! # Stamps and epochs
//! Each lane counts up one **sequence**. A record is stamped with it when stored. Revoking all that
//! a field covers writes the next value of the sequence under that field: its **epoch**. A record
//! whose stamp is below the epoch of one of its fields is revoked. So revoking everything of a
//! subject is one write, however many tokens there are. [`Verdict::of`] is that rule; every store
//! uses it, or says the same in its own language.
//!
//! A sequence starts at the time of the store's clock in microseconds, not at zero, and its start
//! is kept beside it as its **birth**. A stamp outside birth and sequence therefore shows that the
//! store lost its epochs, by a deleted key or a fail-over that rolled back, and the record is
//! refused as damaged: losing epochs can never bring a token back.
//!
//! # Keys
//! A body may be sealed, and then its key's number stands beside it in clear. A namespace has a
//! **floor**: what is to be written under a lower key is refused, so that a node whose key ring is
//! out of date cannot go on writing under a key that was retired. Resealing a record changes the
//! form of its body and of its terms, and nothing that they say.
//!
//! # Counts
//! A record may say what it is **counted** by: its token's kind, its beginning and its end. A store
//! keeps the counts in the same step as the records, so that [`Store::tallies`] needs no walk; the
//! [`BucketCounts`] is per kind, client and span of time. See [`TimeBucket`] for how a token that ends by time
//! alone is counted, and the table in the documentation of [`CountedAs`] for what counts when.
//!
//! # Writes
//! Every write carries an [`Operation`]: an id and a deadline. The same id gets the same answer and
//! has its effect once; after the deadline a write does nothing. So a write that timed out can be
//! sent again, and one that is stuck somewhere cannot strike later.
//!
//! `keyfob-testkit` holds the contract as a suite of tests, for the stores of this project and for
//! any other.

#![allow(missing_docs, unreachable_pub, reason = "to be written before the split is done")]

pub mod atomic;
mod change;
mod contract;
mod count;
mod event_log;
mod invalidation;
mod measured;
mod memory;
mod query;
mod verdict;
mod wrapper;

pub use change::{
    Advance, Advanced, Consume, Consumed, EpochScope, Insert, Inserted, LastUse, NewRecord,
    Replace, Replaced, Reseal, Resealed, Revoke, Revoked, StampRule,
};
pub use contract::{
    Counting, EventLog, Invalidations, Maintenance, RecordStore, Resealing, Store, TermIndex,
};
pub use count::{BucketCounts, CountBucket, CountColumn, CountTotals, CountedAs, TimeBucket};
// What a store author needs of the values, so that this crate is enough.
pub use event_log::{Cursor, Entry, EntryPage, Feed, LanePosition};
pub use invalidation::{
    Invalidation, InvalidationListener, InvalidationListeners, InvalidationSlot,
    InvalidationSource, LoadVersion,
};
pub use keyfob_core::kind::Kind;
pub use keyfob_core::monotonic::MonotonicInstant;
pub use keyfob_core::operation::{Operation, OperationId};
pub use keyfob_core::stamp::Stamp;
pub use keyfob_core::store_error::StoreError;
pub use keyfob_core::{
    Clock, EpochField, KeyVersion, Lane, LaneCount, ManualClock, Namespace, NamespaceKey, OsRandom,
    Random, RandomUnavailable, SealFault, SeededRandom, SystemClock, Term, TermField, Timestamp,
    TokenId, Ttl,
};
pub use keyfob_metrics::StoreMethod;
pub use keyfob_metrics::{self as metrics, Metrics};
pub use measured::MeasuredStore;
pub use memory::MemoryStore;
pub use query::{Order, Position, Query, RecordPage};
pub use verdict::{Epoch, Epochs, MarkScope, RevocationMark, Verdict};
pub use wrapper::{Call, StoreWrapper};

/// One record as a store gives it, from one consistent read.
#[derive(Clone)]
pub struct Loaded {
    /// The record's token.
    pub id: TokenId,
    /// What was stored, unread.
    pub body: Vec<u8>,
    /// The key that the body is sealed under.
    pub key: KeyVersion,
    /// Which version of the record this is; each replacement counts it up.
    pub version: RecordVersion,
    /// The stamp that the record was stored with.
    pub stamp: Stamp,
    /// When the store may forget the record.
    pub keep_until: Timestamp,
    /// How many uses are left, where they are counted.
    pub uses_left: Option<u32>,
    /// When the token was last touched, if it was.
    pub last_used: Option<Timestamp>,
    /// The fields whose epochs it answers to.
    pub epochs: Epochs,
    /// When the request was sent that brought it: it may have been read at any moment since.
    pub sent: MonotonicInstant,
    /// What the record's tombstone and its epochs say.
    pub verdict: Verdict,
}

/// Which version of a record was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RecordVersion(pub u32);

/// What a store says of itself, for `doctor` and `stats`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreReport {
    /// The kind of store and where it is, without secrets.
    pub description: String,
    /// What its clock says.
    pub now: Timestamp,
    /// The findings, the gravest first.
    pub findings: Vec<Finding>,
}

/// One thing that a store found out about its settings or its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What was looked at, such as `maxmemory-policy`.
    pub what: String,
    /// What is the case, and what to do about it.
    pub advice: String,
}

/// How grave a [`Finding`] is; the gravest sorts first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// A promise of keyfob does not hold with this.
    Fault,
    /// A promise of keyfob rests on luck with this.
    Warning,
    /// As it should be.
    Good,
}

impl StoreReport {
    /// A report without findings.
    pub fn new(description: impl Into<String>, now: Timestamp) -> Self {
        Self { description: description.into(), now, findings: Vec::new() }
    }

    /// Adds a finding, in its place by gravity.
    pub fn find(&mut self, severity: Severity, what: impl Into<String>, advice: impl Into<String>) {
        let place = self.findings.partition_point(|known| known.severity <= severity);
        let finding = Finding { severity, what: what.into(), advice: advice.into() };
        self.findings.insert(place, finding);
    }
}

/// The traits of the contract, for code that calls a store's methods: `use keyfob_store::prelude::*`.
pub mod prelude {
    pub use crate::{
        Counting, EventLog, Invalidations, Maintenance, RecordStore, Resealing, Store, TermIndex,
    };
}
