//! The row of a record: a header with the fields that the store reads, then the opaque body.
//!
//! ```text
//! layout 1 ‖ flags ‖ ancestors ‖ terms(2) ‖ id(16) ‖ version(4) ‖ stamp(8) ‖ keep until(8)
//! ‖ key(2)? ‖ count bucket(13)? ‖ uses(4)? ‖ subject(8)? ‖ client(8)? ‖ ancestor(8)… ‖ term(17)… ‖ (at(8) ‖ length(2) ‖ note)? ‖ body
//! ```

use std::borrow::Cow;

use keyfob_store::{
    CountBucket, EpochField, Epochs, KeyVersion, MarkScope, NewRecord, RecordVersion,
    RevocationMark, Stamp, Timestamp, TokenId,
};

use super::{Damaged, Fields};
use crate::tables::{self, TERM_BYTES, TermKey};

const LAYOUT: u8 = 1;
const USES: u8 = 1;
const SUBJECT: u8 = 1 << 1;
const CLIENT: u8 = 1 << 2;
const TOMBSTONE: u8 = 1 << 3;
const SEALED: u8 = 1 << 4;
const COUNTED: u8 = 1 << 5;

/// A record as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) id: TokenId,
    pub(crate) version: RecordVersion,
    pub(crate) stamp: Stamp,
    pub(crate) keep_until: Timestamp,
    pub(crate) key: KeyVersion,
    /// Where the record is counted, if it is counted.
    pub(crate) counted_in: Option<CountBucket>,
    pub(crate) uses_left: Option<u32>,
    pub(crate) epochs: Epochs,
    pub(crate) terms: Terms<'a>,
    pub(crate) tombstone: Option<RevocationMark>,
    pub(crate) body: Cow<'a, [u8]>,
}

/// The terms that a record is listed under, without duplicates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Terms<'a>(Cow<'a, [u8]>);

impl Terms<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TermKey> {
        self.0.as_chunks().0.iter()
    }

    /// Adds a term. Returns `false` if the record already had it.
    pub(crate) fn add(&mut self, term: &TermKey) -> bool {
        if self.iter().any(|existing| existing == term) {
            return false;
        }
        self.0.to_mut().extend_from_slice(term);
        true
    }

    /// Removes a term. Returns `false` if the record did not have it.
    pub(crate) fn remove(&mut self, term: &TermKey) -> bool {
        let Some(index) = self.iter().position(|existing| existing == term) else { return false };
        self.0.to_mut().drain(index * TERM_BYTES..(index + 1) * TERM_BYTES);
        true
    }

    fn count(&self) -> u16 {
        u16::try_from(self.0.len() / TERM_BYTES).unwrap_or(u16::MAX)
    }
}

impl<'a> Record<'a> {
    /// Creates the first version of a record.
    pub(crate) fn new(new: NewRecord, stamp: Stamp, now: Timestamp) -> Record<'static> {
        let mut terms = Terms::default();
        for term in &new.terms {
            terms.add(&tables::term_key(*term));
        }
        Record {
            id: new.id,
            version: RecordVersion(1),
            stamp,
            keep_until: new.keep_until,
            key: new.key,
            counted_in: new.counted.map(|counted| counted.place(now)),
            uses_left: new.uses_left,
            epochs: new.epochs,
            terms,
            tombstone: None,
            body: Cow::Owned(new.body),
        }
    }

    pub(crate) fn read(row: &'a [u8]) -> Result<Self, Damaged> {
        let mut fields = Fields::of(row);
        if fields.u8()? != LAYOUT {
            return Err(Damaged("its layout is unknown"));
        }
        let flags = fields.u8()?;
        let ancestors = usize::from(fields.u8()?);
        let terms = usize::from(fields.u16()?);
        if flags & !(USES | SUBJECT | CLIENT | TOMBSTONE | SEALED | COUNTED) != 0 {
            return Err(Damaged("its flags are unknown"));
        }
        let id = TokenId::from_bytes(fields.array()?);
        let version = RecordVersion(fields.u32()?);
        let stamp = Stamp::new(fields.u64()?);
        let keep_until = Timestamp::from_millis(fields.u64()?);
        let has = |flag| flags & flag != 0;
        let key = has(SEALED).then(|| fields.u16()).transpose()?;
        let key = KeyVersion::new(key.unwrap_or_default());
        let counted_in = has(COUNTED)
            .then(|| {
                CountBucket::from_bytes(&fields.array()?)
                    .ok_or(Damaged("its count bucket is invalid"))
            })
            .transpose()?;
        let uses_left = has(USES).then(|| fields.u32()).transpose()?;
        let mut field = || fields.array().map(EpochField::from_bytes);
        let epochs = Epochs {
            subject: has(SUBJECT).then(&mut field).transpose()?,
            client: has(CLIENT).then(&mut field).transpose()?,
            ancestors: (0..ancestors).map(|_| field()).collect::<Result<_, _>>()?,
        };
        let terms = Terms(Cow::Borrowed(fields.bytes(terms * TERM_BYTES)?));
        let tombstone = has(TOMBSTONE)
            .then(|| {
                let at = Timestamp::from_millis(fields.u64()?);
                let length = usize::from(fields.u16()?);
                let note = fields.bytes(length)?.to_vec();
                Ok(RevocationMark { through: MarkScope::Token, at, note })
            })
            .transpose()?;
        let body = Cow::Borrowed(fields.rest());
        Ok(Self {
            id,
            version,
            stamp,
            keep_until,
            key,
            counted_in,
            uses_left,
            epochs,
            terms,
            tombstone,
            body,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(160 + self.terms.0.len() + self.body.len());
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.uses_left.is_some(), USES)
            | flag(self.epochs.subject.is_some(), SUBJECT)
            | flag(self.epochs.client.is_some(), CLIENT)
            | flag(self.tombstone.is_some(), TOMBSTONE)
            | flag(!self.key.is_plaintext(), SEALED)
            | flag(self.counted_in.is_some(), COUNTED);
        let ancestors = u8::try_from(self.epochs.ancestors.len()).unwrap_or(u8::MAX);
        row.extend_from_slice(&[LAYOUT, flags, ancestors]);
        row.extend_from_slice(&self.terms.count().to_be_bytes());
        row.extend_from_slice(self.id.as_bytes());
        row.extend_from_slice(&self.version.0.to_be_bytes());
        row.extend_from_slice(&self.stamp.value().to_be_bytes());
        row.extend_from_slice(&self.keep_until.as_millis().to_be_bytes());
        if !self.key.is_plaintext() {
            row.extend_from_slice(&self.key.value().to_be_bytes());
        }
        row.extend(self.counted_in.iter().flat_map(CountBucket::to_bytes));
        row.extend(self.uses_left.map(u32::to_be_bytes).into_iter().flatten());
        let owners = self.epochs.subject.iter().chain(&self.epochs.client);
        for field in owners.chain(self.epochs.ancestors.iter().take(usize::from(ancestors))) {
            row.extend_from_slice(field.as_bytes());
        }
        let terms = usize::from(self.terms.count()) * TERM_BYTES;
        row.extend_from_slice(self.terms.0.get(..terms).unwrap_or_default());
        if let Some(mark) = &self.tombstone {
            let length = u16::try_from(mark.note.len()).unwrap_or(u16::MAX);
            row.extend_from_slice(&mark.at.as_millis().to_be_bytes());
            row.extend_from_slice(&length.to_be_bytes());
            row.extend_from_slice(mark.note.get(..usize::from(length)).unwrap_or_default());
        }
        row.extend_from_slice(&self.body);
        row
    }

    /// Copies the borrowed parts, so that the record no longer borrows from its row.
    pub(crate) fn into_owned(self) -> Record<'static> {
        Record {
            terms: Terms(Cow::Owned(self.terms.0.into_owned())),
            body: Cow::Owned(self.body.into_owned()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use keyfob_store::TimeBucket;

    use super::*;

    fn record(everything: bool) -> Record<'static> {
        let mut record = Record {
            id: TokenId::from_bytes([7; 16]),
            version: RecordVersion(3),
            stamp: Stamp::new(1 << 52),
            keep_until: Timestamp::from_millis(1_795_000_000_123),
            key: KeyVersion::PLAINTEXT,
            counted_in: None,
            uses_left: None,
            epochs: Epochs::default(),
            terms: Terms::default(),
            tombstone: None,
            body: Cow::Owned(b"sealed".to_vec()),
        };
        if everything {
            let now = Timestamp::from_millis(1_700_000_000_000);
            let end = TimeBucket::of_end(record.keep_until, now);
            let start = Some(TimeBucket::of_start(record.keep_until, now));
            record.counted_in = Some(CountBucket { kind: keyfob_store::Kind::ApiKey, end, start });
            record.uses_left = Some(2);
            record.key = KeyVersion::new(0x0102);
            record.epochs.subject = Some(EpochField::from_bytes([1; 8]));
            record.epochs.client = Some(EpochField::from_bytes([2; 8]));
            record.epochs.ancestors = vec![EpochField::from_bytes([3; 8]); 8];
            assert!(record.terms.add(&[4; TERM_BYTES]));
            assert!(record.terms.add(&[5; TERM_BYTES]));
            assert!(!record.terms.add(&[4; TERM_BYTES]), "a term is listed once");
            assert!(record.terms.add(&[6; TERM_BYTES]) && record.terms.remove(&[6; TERM_BYTES]));
            assert!(!record.terms.remove(&[6; TERM_BYTES]), "the term was removed");
            let at = Timestamp::from_millis(9);
            record.tombstone =
                Some(RevocationMark { through: MarkScope::Token, at, note: b"logout".to_vec() });
        }
        record
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for record in [record(false), record(true)] {
            let row = record.write();
            assert_eq!(Record::read(&row).unwrap().into_owned(), record);
        }
    }

    #[test]
    fn a_row_cut_short_is_damaged_or_has_a_shorter_body_and_never_panics() {
        let record = record(true);
        let row = record.write();
        for length in 0..row.len() {
            match Record::read(&row[..length]) {
                Ok(read) => assert!(read.body.len() < record.body.len()),
                Err(Damaged(_)) => assert!(length < row.len() - record.body.len()),
            }
        }
        for index in 0..row.len() {
            let mut row = row.clone();
            row[index] ^= 0xff;
            assert_ne!(Record::read(&row), Ok(record.clone()), "byte {index}");
        }
    }
}
