//! The contract between keyfob and the store that holds its records, and the store in memory.
//!
//! To write a store, depend on this crate alone: it re-exports the values that the contract uses. The
//! traits are in the table of [`Store`]. `keyfob-testkit` tests a store against the contract.
//!
//! A store makes one prepared change atomic. What the change means was decided before, by pure code. To
//! a store, record bodies, notes and events are opaque bytes, and the values that tokens are found by
//! are keyed digests. The parts of a record that a store must read are in plaintext: version, stamp,
//! epochs, the number of uses, and the time at which the record may be forgotten. They grant nothing, but
//! they restrict: a party that can change them can lift a restriction. A sealing wrapper binds
//! most of them to the body ([`ClearFields`]), so a store must return them as they were written.
//!
//! # Stamps and epochs
//! Each lane has a counter, its **sequence**. A new record gets the current value as its **stamp**. To
//! revoke everything that has a field, such as a subject, a store writes the next value of the sequence
//! under that field: the field's **epoch**. A record whose stamp is below the epoch of one of its fields
//! is revoked. So revoking everything of a subject is one write, however many tokens there are.
//! [`Verdict::of`] is this rule. Every store uses it, or says the same in its own language.
//!
//! A sequence starts at the store's clock in microseconds, not at zero. The start is kept beside it as
//! its **birth**. A stamp below the birth or above the sequence shows that the store lost its epochs, by
//! a deleted key or a fail-over that rolled back. Such a record is refused as damaged, so losing epochs
//! never revives a token.
//!
//! # Keys
//! A body may be sealed. The version of its key then stands beside it in plaintext. A namespace has
//! a lowest accepted key: writes under a lower key are refused. So a node whose key ring is out of
//! date cannot continue to write under a key that was retired. Resealing a record changes the key
//! of its body and of its terms, and not their content.
//!
//! # Counts
//! A record may say how it is **counted**: by the kind of its token, its start and its end. A store
//! updates the counts in the same step as the records, so that [`Counting::tallies`] does not read
//! all records. There is a [`BucketCounts`] for each kind, client and time bucket. [`TimeBucket`]
//! says how a token is counted that ends by time alone, and [`CountedAs`] has the table of what
//! each step counts.
//!
//! # Documents
//! A store may also keep small named [`Document`]s for the service itself. They are written by
//! compare-and-set, and are no tokens: no epoch reaches them.
//!
//! # Writes
//! Every write carries an [`Operation`]: an id and a deadline. The same id gets the same answer and has
//! its effect once. After the deadline a write does nothing. So a write that timed out can be sent
//! again, and a write that is stuck somewhere cannot take effect later.

pub mod atomic;
mod change;
mod contract;
mod count;
mod document;
mod event_log;
mod handover;
mod head;
mod invalidation;
mod loaded;
mod measured;
mod memory;
mod query;
pub mod relay;
mod report;
mod verdict;
mod wrapper;

pub use change::{
    Advance, Advanced, Consume, Consumed, EpochScope, Insert, Inserted, LastUse, NewRecord,
    Replace, Replaced, Reseal, Resealed, Revoke, Revoked, StampRule,
};
pub use contract::{
    Appended, Counting, Documents, EventLog, Invalidations, Maintenance, RecordStore, Resealing,
    Store, TermIndex,
};
pub use count::{
    BucketCounts, CountBucket, CountColumn, CountTotals, CountedAs, Tallies, TimeBucket,
};
// What a store author needs of the values, so that this crate is enough.
pub use document::{
    Document, DocumentName, DocumentVersion, DocumentWritten, InvalidDocumentName, ListDocuments,
    WriteDocument,
};
pub use event_log::{Cursor, Entry, EntryPage, Feed, LanePosition};
pub use handover::IntoStore;
pub use head::RecordHead;
pub use invalidation::{
    Coverage, Invalidation, InvalidationListener, InvalidationListeners, InvalidationObserver,
    InvalidationSlot, InvalidationSource, LoadVersion,
};
pub use keyfob_core::kind::Kind;
pub use keyfob_core::monotonic::MonotonicInstant;
pub use keyfob_core::operation::{Operation, OperationId};
pub use keyfob_core::stamp::Stamp;
pub use keyfob_core::store_error::StoreError;
pub use keyfob_core::{
    Clock, EpochField, IdOrigin, KeyVersion, Lane, LaneCount, ManualClock, Namespace, NamespaceKey,
    OsRandom, Random, RandomUnavailable, SealFault, SeededRandom, SystemClock, Term, TermField,
    Timestamp, TokenId, Ttl,
};
pub use keyfob_metrics::StoreMethod;
pub use keyfob_metrics::{self as metrics, Metrics};
pub use loaded::{ClearFields, Loaded, RecordVersion};
pub use measured::MeasuredStore;
pub use memory::MemoryStore;
pub use query::{Listed, Order, Position, Query, RecordPage};
pub use report::{Finding, Rollback, Severity, StoreReport};
pub use verdict::{Epoch, Epochs, MarkScope, RevocationMark, Verdict};
pub use wrapper::{Call, StoreWrapper};

/// The traits of the contract, for code that calls a store's methods: `use keyfob_store::prelude::*`.
pub mod prelude {
    pub use crate::{
        Counting, Documents, EventLog, Invalidations, Maintenance, RecordStore, Resealing, Store,
        TermIndex,
    };
}
