//! A record as one string: a header in clear, which scripts read, and the body, which they do not.
//!
//! ```text
//!  0  format        1     22  operation of the insert  8
//!  1  flags         1     30  rest of the id           6
//!  2  version       4     36  tombstone: kind          1
//!  6  stamp         8     37             when          6
//! 14  keep until    6     43             operation     8
//! 20  sealing key   2     51  uses left, if counted    4, then 8 for each epoch field
//! ```
//! Numbers are big-endian, times in milliseconds. The tombstone has its place from the beginning,
//! so that a revocation is one write in place and the record keeps its size. Until then, what comes
//! after its kind says where the record is counted, which nobody has to know any more once it is
//! revoked: see [`CountBucket`].

use keyfob_store::{
    CountBucket, Epoch, EpochField, Epochs, KeyVersion, Kind, Loaded, MarkScope, MonotonicInstant,
    NewRecord, OperationId, RecordVersion, RevocationMark, Stamp, StoreError, Timestamp, TokenId,
    Verdict,
};

use crate::keys;

pub(crate) const FORMAT: u8 = 1;
const FIXED: usize = 51;
const COUNTED: u8 = 1;
const HAS_SUBJECT: u8 = 2;
const HAS_CLIENT: u8 = 4;

/// The header before the stamp.
pub(crate) fn front(record: &NewRecord) -> Vec<u8> {
    let flag = |is: bool, flag| if is { flag } else { 0 };
    let flags = flag(record.uses_left.is_some(), COUNTED)
        | flag(record.epochs.subject.is_some(), HAS_SUBJECT)
        | flag(record.epochs.client.is_some(), HAS_CLIENT)
        | (record.epochs.ancestors.len().min(Epochs::MAX_ANCESTORS) as u8) << 4;
    let mut front = vec![FORMAT, flags];
    front.extend_from_slice(&1u32.to_be_bytes());
    front
}

/// The header after the stamp, and the body.
pub(crate) fn back(
    record: &NewRecord,
    operation: OperationId,
    place: Option<CountBucket>,
) -> Vec<u8> {
    let mut back = Vec::with_capacity(FIXED + 40 + record.body.len());
    back.extend_from_slice(&six(record.keep_until));
    back.extend_from_slice(&record.key.value().to_be_bytes());
    back.extend_from_slice(&mark(operation));
    back.extend_from_slice(&keys::rest(record.id));
    back.push(0);
    back.extend_from_slice(&place.map_or([0; CountBucket::BYTES], |place| place.to_bytes()));
    back.push(0);
    if let Some(uses) = record.uses_left {
        back.extend_from_slice(&uses.to_be_bytes());
    }
    back.extend_from_slice(&fields(&record.epochs));
    back.extend_from_slice(&record.body);
    back
}

/// In how many cells a record is counted, and the field that it is counted under as stored: its kind,
/// then its client's epoch field.
pub(crate) fn counted_under(cells: u8, kind: Kind, epochs: &Epochs) -> Vec<u8> {
    let client = epochs.client.iter().flat_map(|field| *field.as_bytes());
    [b'0' + cells, b'i', b'0' + kind as u8].into_iter().chain(client).collect()
}

/// The epoch fields in the order of the header.
pub(crate) fn fields(epochs: &Epochs) -> Vec<u8> {
    let ancestors = epochs.ancestors.iter().take(Epochs::MAX_ANCESTORS);
    let fields = epochs.subject.iter().chain(&epochs.client).chain(ancestors);
    fields.flat_map(|field| *field.as_bytes()).collect()
}

/// What a revocation writes in place.
pub(crate) fn tombstone(at: Timestamp, operation: OperationId, has_note: bool) -> Vec<u8> {
    let kind = if has_note { 2 } else { 1 };
    [&[kind][..], &six(at), &mark(operation)].concat()
}

/// The bytes of an operation that a record remembers.
pub(crate) fn mark(operation: OperationId) -> [u8; 8] {
    let mut mark = [0; 8];
    mark.copy_from_slice(&operation.as_bytes()[..8]);
    mark
}

fn six(at: Timestamp) -> [u8; 6] {
    let mut six = [0; 6];
    six.copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
    six
}

/// A record and its surroundings as a script read them.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The record, or no more than its header.
    pub(crate) record: Vec<u8>,
    /// When it was last used, in decimal digits.
    pub(crate) last_used: Option<Vec<u8>>,
    /// The note of its revocation.
    pub(crate) note: Option<Vec<u8>>,
    /// The lane's birth, its sequence, the epoch of all, then those of the record's fields.
    pub(crate) lane: Vec<Option<Vec<u8>>>,
}

impl Read {
    /// The record under these ten bytes, if it says so itself.
    pub(crate) fn loaded(self, local: [u8; 10]) -> Result<Loaded, StoreError> {
        let name = |id: Option<TokenId>| match id {
            Some(id) => id.to_string(),
            None => "a token".to_owned(),
        };
        let id = self.record.get(30..36).map(|rest| {
            let mut bytes = [0; 16];
            bytes[..10].copy_from_slice(&local);
            bytes[10..].copy_from_slice(rest);
            TokenId::from_bytes(bytes)
        });
        if let Some(found) = self.record.first().filter(|format| **format > FORMAT) {
            let (found, known) = (u32::from(*found), u32::from(FORMAT));
            return Err(StoreError::NewerFormat { what: name(id), found, known });
        }
        let detail = "its header is too short".to_owned();
        let corrupt = || StoreError::Corrupt { what: name(id), detail };
        let header = Header::read(&self.record).zip(id);
        let (header, id) = header.ok_or_else(corrupt)?;
        let number = |bytes: &Vec<u8>| std::str::from_utf8(bytes).ok()?.parse().ok();
        Ok(Loaded {
            id,
            key: header.key,
            version: RecordVersion(header.version),
            stamp: Stamp::new(header.stamp),
            keep_until: header.keep_until,
            uses_left: header.uses_left,
            last_used: self.last_used.as_ref().and_then(number).map(Timestamp::from_millis),
            verdict: self.verdict(&header),
            epochs: header.epochs(),
            sent: MonotonicInstant::now(),
            body: self.record.get(header.length..).unwrap_or_default().to_vec(),
        })
    }

    fn verdict(&self, header: &Header) -> Verdict {
        let tombstone = header.revoked_at.map(|at| {
            let note = self.note.clone().unwrap_or_default();
            RevocationMark { through: MarkScope::Token, at, note }
        });
        let value = |place: usize| self.lane.get(place)?.as_deref();
        let number = |place| std::str::from_utf8(value(place)?).ok()?.parse().ok().map(Stamp::new);
        let epochs = header.epochs();
        Verdict::of(
            Stamp::new(header.stamp),
            tombstone,
            &epochs,
            number(0).zip(number(1)),
            |field| {
                let place = match field {
                    None => 2,
                    Some(field) => 3 + header.fields.iter().position(|known| *known == field)?,
                };
                epoch(value(place)?)
            },
        )
    }
}

/// An epoch as the lane keeps it; see `lane.lua`.
fn epoch(bytes: &[u8]) -> Option<Epoch> {
    Some(Epoch {
        stamp: Stamp::new(number(bytes.get(..8)?)),
        at: Timestamp::from_millis(number(bytes.get(8..14)?)),
        note: bytes.get(28..)?.to_vec(),
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

struct Header {
    flags: u8,
    version: u32,
    stamp: u64,
    keep_until: Timestamp,
    key: KeyVersion,
    revoked_at: Option<Timestamp>,
    uses_left: Option<u32>,
    fields: Vec<EpochField>,
    length: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let flags = *bytes.get(1)?;
        let counted = flags & COUNTED != 0;
        let start = FIXED + if counted { 4 } else { 0 };
        let has = |flag| usize::from(flags & flag != 0);
        let count = has(HAS_SUBJECT) + has(HAS_CLIENT) + usize::from(flags >> 4);
        let length = start + 8 * count;
        let fields = bytes.get(start..length)?.chunks_exact(8);
        let fields = fields.filter_map(|field| field.try_into().ok()).map(EpochField::from_bytes);
        let millis = |from: usize| Some(Timestamp::from_millis(number(bytes.get(from..from + 6)?)));
        Some(Self {
            flags,
            version: number(bytes.get(2..6)?) as u32,
            stamp: number(bytes.get(6..14)?),
            keep_until: millis(14)?,
            key: KeyVersion::new(number(bytes.get(20..22)?) as u16),
            revoked_at: if *bytes.get(36)? == 0 { None } else { millis(37) },
            uses_left: if counted { Some(number(bytes.get(51..55)?) as u32) } else { None },
            fields: fields.collect(),
            length,
        })
    }

    fn epochs(&self) -> Epochs {
        let mut fields = self.fields.iter().copied();
        let mut next = |flag| if self.flags & flag != 0 { fields.next() } else { None };
        let (subject, client) = (next(HAS_SUBJECT), next(HAS_CLIENT));
        Epochs { subject, client, ancestors: fields.collect() }
    }
}
