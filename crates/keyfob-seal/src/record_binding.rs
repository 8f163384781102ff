//! Binds the plaintext fields of a record, which the store keeps beside the body, to the body.
//!
//! | field | how it is bound |
//! |---|---|
//! | namespace, id, key | associated data, as for everything that is sealed |
//! | version, keep-until, epoch fields, whether uses are counted | associated data |
//! | the number of uses | sealed: as many as were granted, or as were left when the body was replaced |
//! | the stamp | sealed: its value where the node knows it, or else the deadline of the insert |
//!
//! A store that stamps an insert itself does so before the deadline of the operation. An epoch that is
//! advanced later lies above that stamp. So a record that is clear in spite of such an epoch has another
//! stamp than it was given.
//!
//! What is not here changes while the body stays: the tombstone, the last use, the counts.

use keyfob_core::envelope::MAX_TRAILER;
use keyfob_core::stamp::Stamp;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_store::{ClearFields, Epochs, Loaded, NewRecord, RecordVersion, StampRule};

/// How far the clocks of two nodes may differ before a node refuses what another one sealed.
const MAX_CLOCK_DIFFERENCE: Ttl = Ttl::from_mins(1);

/// What a record is sealed with.
#[derive(Clone, Copy, Debug)]
pub struct RecordBinding<'a> {
    version: RecordVersion,
    keep_until: Timestamp,
    uses: Option<u32>,
    epochs: &'a Epochs,
    stamp: StampBound,
}

/// What is known about the stamp when a record is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum StampBound {
    Exact(Stamp),
    GivenBefore(Timestamp),
}

/// The clear fields of a record as associated data.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundFields {
    bytes: [u8; MAX_FIELDS],
    length: usize,
}

const EPOCH_FIELD: usize = 8;
/// Version, keep-until, flags, the number of ancestors, then the epoch fields.
const FIXED_FIELDS: usize = 4 + 8 + 1 + 1;
pub(super) const MAX_FIELDS: usize = FIXED_FIELDS + EPOCH_FIELD * (2 + Epochs::MAX_ANCESTORS);

const COUNTS_USES: u8 = 1;
const HAS_SUBJECT: u8 = 1 << 1;
const HAS_CLIENT: u8 = 1 << 2;

const STAMP: usize = 8;
/// Marks a time. Stamps and times have at most 53 bits.
const IS_TIME: u64 = 1 << 63;

impl<'a> RecordBinding<'a> {
    /// Returns the binding of a new record, which is inserted before `deadline`.
    pub fn inserted(new: &'a NewRecord, deadline: Timestamp) -> Self {
        let stamp = match new.stamp {
            StampRule::Seen(stamp) => StampBound::Exact(stamp),
            StampRule::Present => StampBound::GivenBefore(deadline),
        };
        let (uses, epochs) = (new.uses_left, &new.epochs);
        Self { version: RecordVersion(1), keep_until: new.keep_until, uses, epochs, stamp }
    }

    /// Returns the binding of the next version of a record that was read.
    pub fn replaced(read: RecordVersion, clear: &'a ClearFields) -> Self {
        Self {
            version: RecordVersion(read.0.wrapping_add(1)),
            keep_until: clear.keep_until,
            uses: clear.uses_left,
            epochs: &clear.epochs,
            stamp: StampBound::Exact(clear.stamp),
        }
    }

    pub(super) fn fields(&self) -> BoundFields {
        BoundFields::new(self.version, self.keep_until, self.uses.is_some(), self.epochs)
    }

    /// Returns what is sealed after the body, and its length.
    pub(super) fn trailer(&self) -> ([u8; MAX_TRAILER], usize) {
        let mut trailer = [0; MAX_TRAILER];
        let stamp = match self.stamp {
            StampBound::Exact(stamp) => stamp.value(),
            StampBound::GivenBefore(deadline) => deadline.as_millis() | IS_TIME,
        };
        let (first, rest) = trailer.split_at_mut(STAMP);
        first.copy_from_slice(&stamp.to_be_bytes());
        if let Some(uses) = self.uses {
            rest.copy_from_slice(&uses.to_be_bytes());
            return (trailer, MAX_TRAILER);
        }
        (trailer, STAMP)
    }
}

impl BoundFields {
    /// Returns the fields of something that has none.
    pub(super) const fn none() -> Self {
        Self { bytes: [0; MAX_FIELDS], length: 0 }
    }

    pub(super) fn of(loaded: &Loaded) -> Self {
        let counts_uses = loaded.uses_left.is_some();
        Self::new(loaded.version, loaded.keep_until, counts_uses, &loaded.epochs)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn new(
        version: RecordVersion,
        keep_until: Timestamp,
        counts_uses: bool,
        epochs: &Epochs,
    ) -> Self {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(counts_uses, COUNTS_USES)
            | flag(epochs.subject.is_some(), HAS_SUBJECT)
            | flag(epochs.client.is_some(), HAS_CLIENT);
        let ancestors = epochs.ancestors.iter().take(Epochs::MAX_ANCESTORS);
        let mut fields = Self::none();
        fields.push(&version.0.to_be_bytes());
        fields.push(&keep_until.as_millis().to_be_bytes());
        fields.push(&[flags, ancestors.len() as u8]);
        for field in epochs.subject.iter().chain(&epochs.client).chain(ancestors) {
            fields.push(field.as_bytes());
        }
        fields
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }
}

/// Removes the trailer from an opened record. Returns `None` if the record in the store has another stamp
/// or more uses than it was sealed with.
pub(super) fn without_trailer(mut plain: Vec<u8>, loaded: &Loaded) -> Option<Vec<u8>> {
    if let Some(left) = loaded.uses_left {
        let granted = u32::from_be_bytes(*plain.last_chunk()?);
        if left > granted {
            return None;
        }
        plain.truncate(plain.len() - 4);
    }
    let stamp = u64::from_be_bytes(*plain.last_chunk::<STAMP>()?);
    plain.truncate(plain.len() - STAMP);
    let is_true = match stamp & IS_TIME {
        0 => loaded.stamp == Stamp::new(stamp),
        _ => {
            let given_before = Timestamp::from_millis(stamp & !IS_TIME) + MAX_CLOCK_DIFFERENCE;
            let is_overtaken = loaded.last_advance.is_some_and(|advance| advance > given_before);
            !(is_overtaken && loaded.verdict.is_clear())
        }
    };
    is_true.then_some(plain)
}

#[cfg(test)]
mod tests;
