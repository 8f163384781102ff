//! The changes that a store makes, and the result of each.

use super::{
    ClearFields, CountedAs, Epochs, Invalidation, Loaded, RecordVersion, RevocationMark, Stamp,
    StoreError,
};
use keyfob_core::KeyVersion;
use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::namespace::{EpochField, Term};
use keyfob_core::time::Timestamp;

/// New records to store together, all of one lane, with their events.
#[derive(Clone, Debug)]
pub struct Insert {
    /// The records. At least one.
    pub records: Vec<NewRecord>,
    /// The encoded events, in order.
    pub events: Vec<Vec<u8>>,
}

/// One new record.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// The id of its token.
    pub id: TokenId,
    /// The encoded body: at most [`NewRecord::MAX_BODY`] bytes, plus what sealing adds.
    pub body: Vec<u8>,
    /// The key that the body is sealed under.
    pub key: KeyVersion,
    /// When the store forgets the record.
    pub keep_until: Timestamp,
    /// How many uses it has, if they are limited.
    pub uses_left: Option<u32>,
    /// The fields whose epochs can revoke it.
    pub epochs: Epochs,
    /// The terms to list it under.
    pub terms: Vec<Term>,
    /// Which stamp it gets.
    pub stamp: StampRule,
    /// How it is counted. `None` for a record that is not a token.
    pub counted: Option<CountedAs>,
}

impl NewRecord {
    /// The maximum size of a body in bytes, without what sealing adds.
    pub const MAX_BODY: usize = 64 * 1024;

    /// Checks the size of a body.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn check_body(body: &[u8]) -> Result<(), StoreError> {
        StoreError::check_size("the record", body, Self::MAX_BODY)
    }
}

/// Which stamp a new record gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StampRule {
    /// The current value of its lane's sequence.
    Present,
    /// A stamp that was read before: by a login before it checked the password, or with the parent
    /// token. If an epoch has moved above it since, the record is not stored.
    Seen(Stamp),
}

/// The result of an insert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// The records are stored, by this call or by an earlier call of the same operation. This is the
    /// stamp of the first record.
    Stored(Stamp),
    /// One of the ids is taken. Nothing was stored: draw another id.
    IdTaken,
    /// The login or the parent was revoked after its stamp was read. Nothing was stored.
    Superseded,
}

/// A new body for one record.
#[derive(Clone, Debug)]
pub struct Replace {
    /// The id of the record.
    pub id: TokenId,
    /// The version that was read.
    pub read: RecordVersion,
    /// The new encoded body.
    pub body: Vec<u8>,
    /// The key that the body is sealed under.
    pub key: KeyVersion,
    /// Terms to list the record under as well. Terms that no longer match may stay, because readers
    /// check what they find.
    pub added_terms: Vec<Term>,
    /// Records to store in the same atomic step, in the same lane.
    pub minted: Vec<NewRecord>,
    /// The new end of the token, if it has moved. The record is then counted there.
    pub ends_at: Option<Timestamp>,
    /// The record's fields in plaintext, as they were read with the version. Stores ignore them. A sealing
    /// wrapper binds them to the body; without them, it reads the record once more.
    pub clear: Option<ClearFields>,
    /// The encoded events, in order.
    pub events: Vec<Vec<u8>>,
}

impl Replace {
    /// Creates a replacement of a record that was read by another body, without events. The body is
    /// not sealed: the sealing wrapper sets `key`.
    pub fn of(loaded: &Loaded, body: Vec<u8>) -> Self {
        let clear = Some(loaded.clear_fields());
        Self { clear, ..Self::new(loaded.id, loaded.version, body) }
    }

    /// Creates a replacement as [`Replace::of`] does, without the fields in plaintext.
    pub const fn new(id: TokenId, read: RecordVersion, body: Vec<u8>) -> Self {
        Self {
            id,
            read,
            body,
            key: KeyVersion::PLAINTEXT,
            added_terms: Vec::new(),
            minted: Vec::new(),
            ends_at: None,
            clear: None,
            events: Vec::new(),
        }
    }
}

/// The result of a replacement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replaced {
    /// The record now has this version, by this call or by an earlier call of the same operation.
    Stored(RecordVersion),
    /// The record has another version: read it again.
    Stale,
    /// The record is revoked, or its epochs are damaged. It was not changed.
    Ended,
    /// There is no such record, and none was created.
    Missing,
    /// A minted record's id is taken. Nothing was changed: draw another id.
    IdTaken,
}

/// The same body and the same terms, sealed and blinded under other keys.
#[derive(Clone, Debug)]
pub struct Reseal {
    /// The id of the record.
    pub id: TokenId,
    /// The version that was read.
    pub read: RecordVersion,
    /// The body, sealed under `key`.
    pub body: Vec<u8>,
    /// The new key.
    pub key: KeyVersion,
    /// Terms to list the record under.
    pub added_terms: Vec<Term>,
    /// Terms to remove the record from.
    pub former_terms: Vec<Term>,
}

/// The result of resealing a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resealed {
    /// The record is sealed under the new key, and has the next version.
    Done,
    /// The record has another version: read it again.
    Stale,
    /// There is no such record, and none was created.
    Missing,
}

/// One use of a record whose uses are limited.
#[derive(Clone, Debug)]
pub struct Consume {
    /// The id of the record.
    pub id: TokenId,
}

/// The result of consuming a use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Consumed {
    /// One use was consumed, and this many are left.
    Left(u32),
    /// No use was left.
    Exhausted,
    /// The record is revoked, damaged or unknown, or its uses are not limited.
    Refused,
}

/// When a token was last used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastUse {
    /// The id of the token.
    pub id: TokenId,
    /// When it was used.
    pub at: Timestamp,
    /// The new end of the token, if the use has moved it. The record is then counted there.
    pub ends_at: Option<Timestamp>,
}

/// The revocation of one record.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// The id of the record.
    pub id: TokenId,
    /// When, by the clock of the node that decided it.
    pub at: Timestamp,
    /// The encoded reason and actor: at most [`Revoke::MAX_NOTE`] bytes.
    pub note: Vec<u8>,
    /// The epoch to advance in the same step: the record's own epoch as an ancestor, if tokens may
    /// descend from it. No descendant is kept longer than the record, so this epoch does not have
    /// to be kept longer either.
    pub cascade: Option<EpochField>,
    /// The terms that list its descendants, so that they are counted as revoked too. This has no
    /// influence on what is revoked.
    pub listed: Vec<Term>,
    /// The encoded events to append if the record was not revoked before.
    pub events: Vec<Vec<u8>>,
}

impl LastUse {
    /// Creates a use that does not move the end of the token.
    pub const fn new(id: TokenId, at: Timestamp) -> Self {
        Self { id, at, ends_at: None }
    }
}

impl Revoke {
    /// Creates a revocation of this record alone, without a note or events.
    pub const fn new(id: TokenId, at: Timestamp) -> Self {
        Self { id, at, note: Vec::new(), cascade: None, listed: Vec::new(), events: Vec::new() }
    }

    /// The maximum size of a note in bytes.
    pub const MAX_NOTE: usize = 1024;

    /// Checks the size of a note.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn check_note(note: &[u8]) -> Result<(), StoreError> {
        StoreError::check_size("the note", note, Self::MAX_NOTE)
    }
}

/// The result of a revocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Revoked {
    /// The record is revoked, by this call or by an earlier call of the same operation.
    Now,
    /// It was revoked before. That revocation is kept.
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
    /// The encoded reason and actor: at most [`Revoke::MAX_NOTE`] bytes.
    pub note: Vec<u8>,
    /// For the epoch of a subject or an ancestor: the terms that list what it revokes, so that these
    /// tokens are counted as revoked. This has no influence on what is revoked.
    pub listed: Vec<Term>,
    /// The encoded events to append: once, whatever the number of lanes.
    pub events: Vec<Vec<u8>>,
}

/// Which epoch is advanced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EpochScope {
    /// The epoch of a subject or an ancestor, in its lane.
    Lane(Lane, EpochField),
    /// The epoch of a client, in every lane.
    EveryLane(EpochField),
    /// The epoch of everything, in every lane.
    All,
}

/// The result of advancing an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advanced {
    /// In how many lanes it was advanced.
    pub lanes: u16,
}

impl Replace {
    /// Returns the invalidations to report.
    pub fn changes(&self) -> impl Iterator<Item = (Lane, Invalidation)> + use<> {
        std::iter::once((self.id.lane(), Invalidation::of(self.id)))
    }
}

impl Revoke {
    /// Returns the invalidations to report.
    pub fn changes(&self) -> impl Iterator<Item = (Lane, Invalidation)> + use<> {
        let lane = self.id.lane();
        let cascade = self.cascade.map(Invalidation::Field);
        std::iter::once(Invalidation::of(self.id)).chain(cascade).map(move |change| (lane, change))
    }
}

impl Advance {
    /// Creates an advance without a note or events.
    pub const fn new(scope: EpochScope, at: Timestamp) -> Self {
        Self { scope, at, note: Vec::new(), listed: Vec::new(), events: Vec::new() }
    }

    /// Returns the invalidations to report, in a namespace with this many lanes.
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
