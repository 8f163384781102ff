//! The changes that a store makes, and what came of each.

use super::{
    CountedAs, Epochs, Invalidation, Loaded, RecordVersion, RevocationMark, Stamp, StoreError,
};
use keyfob_core::KeyVersion;
use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::namespace::{EpochField, Term};
use keyfob_core::time::Timestamp;

/// New records to store together, all of one lane, and the events that say so.
#[derive(Clone, Debug)]
pub struct Insert {
    /// The records; at least one.
    pub records: Vec<NewRecord>,
    /// The events, unread, in order.
    pub events: Vec<Vec<u8>>,
}

/// One new record.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Its token.
    pub id: TokenId,
    /// What is stored, unread; at most [`NewRecord::MAX_BODY`] bytes, and what sealing adds.
    pub body: Vec<u8>,
    /// The key that the body is sealed under.
    pub key: KeyVersion,
    /// When it may be forgotten, and by when it must be.
    pub keep_until: Timestamp,
    /// How many uses it has, where they are counted.
    pub uses_left: Option<u32>,
    /// The epochs that it answers to.
    pub epochs: Epochs,
    /// What it is listed under.
    pub terms: Vec<Term>,
    /// Which stamp it gets.
    pub stamp: StampRule,
    /// What it is counted by; a record that is no token's is not counted.
    pub counted: Option<CountedAs>,
}

impl NewRecord {
    /// The most bytes that the body of a record may have.
    pub const MAX_BODY: usize = 64 * 1024;

    /// Whether a body is one that a store takes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn check_body(body: &[u8]) -> Result<(), StoreError> {
        StoreError::if_larger("the record", body, Self::MAX_BODY)
    }
}

/// Which stamp a new record gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StampRule {
    /// The present value of its lane's sequence.
    Present,
    /// One that was read before: by a login before it checked the password, or with the token that
    /// this one is minted from. If an epoch moved above it since, the record is not stored.
    Seen(Stamp),
}

/// What came of an insert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// The records are stored, by this call or by an earlier one of the same operation. The stamp
    /// is that of the first.
    Stored(Stamp),
    /// Another record has one of the ids. Nothing was stored: draw another id.
    IdTaken,
    /// What the records rest on was revoked after the stamp was read. Nothing was stored.
    Superseded,
}

/// A change of one record's body.
#[derive(Clone, Debug)]
pub struct Replace {
    /// The record.
    pub id: TokenId,
    /// The version that was read.
    pub read: RecordVersion,
    /// The new body.
    pub body: Vec<u8>,
    /// The key that it is sealed under.
    pub key: KeyVersion,
    /// Terms that it is now also listed under. Those that no longer fit may stay: a reader tests
    /// what it finds.
    pub added_terms: Vec<Term>,
    /// Records to store in the same step, in the same lane.
    pub minted: Vec<NewRecord>,
    /// Where the token's end has moved: a record that is counted is counted there now.
    pub ends_at: Option<Timestamp>,
    /// The events, unread, in order.
    pub events: Vec<Vec<u8>>,
}

impl Replace {
    /// The plainest: another body, and nothing else. It is not sealed; a layer that seals says so.
    pub const fn new(id: TokenId, read: RecordVersion, body: Vec<u8>) -> Self {
        Self {
            id,
            read,
            body,
            key: KeyVersion::PLAINTEXT,
            added_terms: Vec::new(),
            minted: Vec::new(),
            ends_at: None,
            events: Vec::new(),
        }
    }
}

/// What came of a replacement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replaced {
    /// The record now has this version, by this call or by an earlier one of the same operation.
    Stored(RecordVersion),
    /// Another version stands: read again.
    Stale,
    /// The record is revoked, or its epochs are damaged; it stays as it is.
    Ended,
    /// There is no such record, and none was made.
    Missing,
    /// A minted record's id is taken. Nothing was changed: draw another id.
    IdTaken,
}

/// The same body in another form, and the same terms: sealed and blinded under other keys.
#[derive(Clone, Debug)]
pub struct Reseal {
    /// The record.
    pub id: TokenId,
    /// The version that was read.
    pub read: RecordVersion,
    /// The body in its new form.
    pub body: Vec<u8>,
    /// The key that it is sealed under.
    pub key: KeyVersion,
    /// Terms that it is now listed under, and was not.
    pub added_terms: Vec<Term>,
    /// Terms that it was listed under, and no longer is.
    pub former_terms: Vec<Term>,
}

/// What came of resealing a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resealed {
    /// The record has its new form, and the next version.
    Done,
    /// Another version stands: read again.
    Stale,
    /// There is no such record, and none was made.
    Missing,
}

/// One use of a record whose uses are counted.
#[derive(Clone, Debug)]
pub struct Consume {
    /// The record.
    pub id: TokenId,
}

/// What came of spending a use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Consumed {
    /// One use was taken; so many are left.
    Left(u32),
    /// None was left.
    Exhausted,
    /// The record is revoked, damaged, unknown, or its uses are not counted.
    Refused,
}

/// When a token was last used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastUse {
    /// The token.
    pub id: TokenId,
    /// When.
    pub at: Timestamp,
    /// Where the use has moved the token's end: a record that is counted is counted there now.
    pub ends_at: Option<Timestamp>,
}

/// The revocation of one record.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// The record.
    pub id: TokenId,
    /// When, by the clock of the node that decided it.
    pub at: Timestamp,
    /// Reason and actor, unread; at most [`Revoke::MAX_NOTE`] bytes.
    pub note: Vec<u8>,
    /// The epoch to advance in the same step: the record's own as an ancestor, where something may
    /// descend from it. Nothing that descends from a record is kept longer than the record, so this
    /// epoch need not be kept longer either.
    pub cascade: Option<EpochField>,
    /// Where what descends from it is listed, to be counted out with it. Who is revoked does not
    /// depend on it.
    pub listed: Vec<Term>,
    /// The events to append if the record was not revoked before.
    pub events: Vec<Vec<u8>>,
}

impl LastUse {
    /// A use that moves no end.
    pub const fn new(id: TokenId, at: Timestamp) -> Self {
        Self { id, at, ends_at: None }
    }
}

impl Revoke {
    /// The plainest: of this record alone, without a note or an event.
    pub const fn new(id: TokenId, at: Timestamp) -> Self {
        Self { id, at, note: Vec::new(), cascade: None, listed: Vec::new(), events: Vec::new() }
    }

    /// The most bytes that a note may have.
    pub const MAX_NOTE: usize = 1024;

    /// Whether a note is one that a store takes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn check_note(note: &[u8]) -> Result<(), StoreError> {
        StoreError::if_larger("the note", note, Self::MAX_NOTE)
    }
}

/// What came of a revocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Revoked {
    /// The record is revoked, by this call or by an earlier one of the same operation.
    Now,
    /// It was revoked before, in this way, and that stands.
    Before(RevocationMark),
    /// There is no such record.
    Missing,
}

/// The advance of an epoch.
#[derive(Clone, Debug)]
pub struct Advance {
    /// Which epoch.
    pub scope: EpochScope,
    /// When, by the clock of the node that decided it.
    pub at: Timestamp,
    /// Reason and actor, unread; at most [`Revoke::MAX_NOTE`] bytes.
    pub note: Vec<u8>,
    /// Where that is listed which the epoch of a subject or of an ancestor ends, to be counted out
    /// with it. Who is revoked does not depend on it.
    pub listed: Vec<Term>,
    /// The events to append, once, whatever the number of lanes.
    pub events: Vec<Vec<u8>>,
}

/// Which epoch is advanced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EpochScope {
    /// That of a subject or of an ancestor, in their lane.
    Lane(Lane, EpochField),
    /// That of a client, in every lane.
    EveryLane(EpochField),
    /// That of everything, in every lane.
    All,
}

/// What came of advancing an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advanced {
    /// How many lanes it was advanced in.
    pub lanes: u16,
}

impl Replace {
    /// What watchers are told of it.
    pub fn changes(&self) -> impl Iterator<Item = (Lane, Invalidation)> + use<> {
        std::iter::once((self.id.lane(), Invalidation::of(self.id)))
    }
}

impl Revoke {
    /// What watchers are told of it.
    pub fn changes(&self) -> impl Iterator<Item = (Lane, Invalidation)> + use<> {
        let lane = self.id.lane();
        let cascade = self.cascade.map(Invalidation::Field);
        std::iter::once(Invalidation::of(self.id)).chain(cascade).map(move |change| (lane, change))
    }
}

impl Advance {
    /// The plainest: without a note or an event.
    pub const fn new(scope: EpochScope, at: Timestamp) -> Self {
        Self { scope, at, note: Vec::new(), listed: Vec::new(), events: Vec::new() }
    }

    /// What watchers are told of it, where there are so many lanes.
    pub fn changes(&self, lanes: LaneCount) -> impl Iterator<Item = (Lane, Invalidation)> + use<> {
        let (of_one, change) = match self.scope {
            EpochScope::Lane(lane, field) => (Some(lane), Invalidation::Field(field)),
            EpochScope::EveryLane(field) => (None, Invalidation::Field(field)),
            EpochScope::All => (None, Invalidation::All),
        };
        let lanes = lanes.lanes().filter(move |lane| of_one.is_none_or(|one| one == *lane));
        lanes.map(move |lane| (lane, change))
    }
}

/// All that is known of the record. When it was asked for is no part of that.
impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("id", &self.id)
            .field("body", &self.body)
            .field("version", &self.version)
            .field("stamp", &self.stamp)
            .field("keep_until", &self.keep_until)
            .field("uses_left", &self.uses_left)
            .field("last_used", &self.last_used)
            .field("epochs", &self.epochs)
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// Whether a write on the strength of this read may go ahead.
    pub fn is_clear(&self) -> bool {
        self.verdict.is_clear()
    }
}
