//! A record as one string: a plaintext header, which scripts read, and the body, which they do not.
//!
//! The layout of the header is [`header`].

use keyfob_store::{
    CountBucket, Epoch, EpochField, Epochs, KeyVersion, Kind, Loaded, MarkScope, MonotonicInstant,
    NewRecord, OperationId, RecordHead, RecordVersion, RevocationMark, Stamp, StoreError,
    Timestamp, TokenId, Verdict,
};

use crate::keys;
use crate::protocol::constants::{RECORD_FORMAT, flags};
use crate::protocol::layout::{
    EPOCH_FIELD_BYTES, EPOCH_NOTE, FIXED_BYTES, Field, MAX_HEADER_BYTES, epoch, header,
};

/// Returns the header of a new record before the stamp.
pub(crate) fn before_stamp(record: &NewRecord) -> Vec<u8> {
    let flag = |is: bool, flag| if is { flag } else { 0 };
    let flags = flag(record.uses_left.is_some(), flags::COUNTS_USES)
        | flag(record.epochs.subject.is_some(), flags::HAS_SUBJECT)
        | flag(record.epochs.client.is_some(), flags::HAS_CLIENT)
        | (record.epochs.ancestors.len().min(Epochs::MAX_ANCESTORS) as u8)
            << flags::ANCESTORS_SHIFT;
    let mut bytes = vec![RECORD_FORMAT, flags];
    bytes.extend_from_slice(&1u32.to_be_bytes());
    bytes
}

/// Returns the header of a new record after the stamp, and the body.
pub(crate) fn after_stamp(
    record: &NewRecord,
    operation: OperationId,
    bucket: Option<CountBucket>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_HEADER_BYTES + record.body.len());
    bytes.extend_from_slice(&six_bytes(record.keep_until));
    bytes.extend_from_slice(&record.key.value().to_be_bytes());
    bytes.extend_from_slice(&operation_prefix(operation));
    bytes.extend_from_slice(&keys::id_suffix(record.id));
    bytes.push(0);
    bytes.extend_from_slice(&bucket.map_or([0; CountBucket::BYTES], |bucket| bucket.to_bytes()));
    // The last byte of the tombstone's room is not used before a revocation.
    bytes.push(0);
    if let Some(uses) = record.uses_left {
        bytes.extend_from_slice(&uses.to_be_bytes());
    }
    bytes.extend_from_slice(&epoch_fields(&record.epochs));
    bytes.extend_from_slice(&record.body);
    bytes
}

/// Returns the field of a count bucket that counts tokens of this kind and client in a column.
pub(crate) fn count_field(column: &str, kind: Kind, epochs: &Epochs) -> Vec<u8> {
    let client = epochs.client.iter().flat_map(|field| *field.as_bytes());
    column.bytes().chain([b'0' + kind as u8]).chain(client).collect()
}

/// Returns the epoch fields in the order of the header.
pub(crate) fn epoch_fields(epochs: &Epochs) -> Vec<u8> {
    let ancestors = epochs.ancestors.iter().take(Epochs::MAX_ANCESTORS);
    let fields = epochs.subject.iter().chain(&epochs.client).chain(ancestors);
    fields.flat_map(|field| *field.as_bytes()).collect()
}

/// Returns what a revocation writes into the header.
pub(crate) fn tombstone(at: Timestamp, operation: OperationId, has_note: bool) -> Vec<u8> {
    let kind = if has_note { 2 } else { 1 };
    [&[kind][..], &six_bytes(at), &operation_prefix(operation)].concat()
}

/// Returns the first bytes of an operation's id, which a record or an epoch remembers.
pub(crate) fn operation_prefix(operation: OperationId) -> [u8; 8] {
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&operation.as_bytes()[..8]);
    prefix
}

fn six_bytes(at: Timestamp) -> [u8; 6] {
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
    bytes
}

/// A record as a script read it, with what decides whether it is revoked.
#[derive(Debug, Default)]
pub(crate) struct StoredRecord {
    /// The record, or only its header.
    pub(crate) record: Vec<u8>,
    /// When it was last used, in decimal digits.
    pub(crate) last_used: Option<Vec<u8>>,
    /// The note of its revocation.
    pub(crate) note: Option<Vec<u8>>,
    /// The tag of the lane's namespace, the lane's birth, its sequence, the epoch of everything, then the
    /// epochs of the record's fields.
    pub(crate) epochs: Vec<Option<Vec<u8>>>,
}

impl StoredRecord {
    /// The tag of the namespace that the record's lane belongs to.
    pub(crate) fn lane_tag(&self) -> Option<&[u8]> {
        self.epochs.first()?.as_deref()
    }

    /// Drops what was read of the lane, because it is another namespace's. The record is then refused.
    pub(crate) fn without_lane(mut self) -> Self {
        self.epochs.clear();
        self
    }

    /// Reads the record that is stored under these ten bytes of an id.
    pub(crate) fn into_loaded(self, local: [u8; 10]) -> Result<Loaded, StoreError> {
        let name = |id: Option<TokenId>| match id {
            Some(id) => id.to_string(),
            None => "a token".to_owned(),
        };
        let id = header::ID_SUFFIX.bytes(&self.record).map(|suffix| {
            let mut bytes = [0; 16];
            bytes[..10].copy_from_slice(&local);
            bytes[10..].copy_from_slice(suffix);
            TokenId::from_bytes(bytes)
        });
        if let Some(found) = self.record.first().filter(|format| **format > RECORD_FORMAT) {
            let (found, known) = (u32::from(*found), u32::from(RECORD_FORMAT));
            return Err(StoreError::NewerFormat { what: name(id), found, known });
        }
        let detail = "its header is too short".to_owned();
        let corrupt = || StoreError::Corrupt { what: name(id), detail };
        let header = Header::read(&self.record).zip(id);
        let (header, id) = header.ok_or_else(corrupt)?;
        let number = |bytes: &Vec<u8>| std::str::from_utf8(bytes).ok()?.parse().ok();
        let (verdict, last_advance) = self.verdict(&header);
        Ok(Loaded {
            id,
            key: header.key,
            version: RecordVersion(header.version),
            stamp: Stamp::new(header.stamp),
            keep_until: header.keep_until,
            uses_left: header.uses_left,
            last_used: self.last_used.as_ref().and_then(number).map(Timestamp::from_millis),
            verdict,
            last_advance,
            epochs: header.epochs(),
            sent: MonotonicInstant::now(),
            body: self.record.get(header.length..).unwrap_or_default().to_vec(),
        })
    }

    fn verdict(&self, header: &Header) -> (Verdict, Option<Timestamp>) {
        let tombstone = header.revoked_at.map(|at| {
            let note = self.note.clone().unwrap_or_default();
            RevocationMark { through: MarkScope::Token, at, note }
        });
        let value = |position: usize| self.epochs.get(position)?.as_deref();
        let stamp =
            |position| std::str::from_utf8(value(position)?).ok()?.parse().ok().map(Stamp::new);
        let epochs = header.epochs();
        let (stamp, sequence) = (Stamp::new(header.stamp), stamp(1).zip(stamp(2)));
        Verdict::with_last_advance(stamp, tombstone, &epochs, sequence, |field| {
            let position = match field {
                None => 3,
                Some(field) => 4 + header.fields.iter().position(|known| *known == field)?,
            };
            read_epoch(value(position)?)
        })
    }
}

/// Reads heads as `heads_newest.lua` answers them.
pub(crate) fn heads(mut bytes: &[u8]) -> Result<Vec<RecordHead>, StoreError> {
    let mut heads = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = read_head(bytes)
            .ok_or_else(|| StoreError::unavailable("the heads of records are cut short"))?;
        heads.push(head);
        bytes = rest;
    }
    Ok(heads)
}

/// Reads the first of some heads. Returns it and what follows.
fn read_head(bytes: &[u8]) -> Option<(RecordHead, &[u8])> {
    let (is_refused, bytes) = bytes.split_first()?;
    let (local, bytes) = bytes.split_at_checked(TokenId::LOCAL_BYTES)?;
    let counts_uses = header::FLAGS.number(bytes)? as u8 & flags::COUNTS_USES != 0;
    let length = if counts_uses { header::USES_LEFT.end() } else { FIXED_BYTES };
    let (bytes, rest) = bytes.split_at_checked(length)?;
    let mut id = [0; 16];
    let (first, last) = id.split_at_mut(TokenId::LOCAL_BYTES);
    first.copy_from_slice(local);
    last.copy_from_slice(header::ID_SUFFIX.bytes(bytes)?);
    let bucket = bytes.get(header::COUNTED_KIND.offset..)?.first_chunk();
    let head = RecordHead {
        id: TokenId::from_bytes(id),
        version: RecordVersion(header::VERSION.number(bytes)? as u32),
        keep_until: Timestamp::from_millis(header::KEEP_UNTIL.number(bytes)?),
        is_refused: *is_refused != b'0',
        uses_left: header::USES_LEFT.number(bytes).map(|uses| uses as u32),
        counted_in: None,
    };
    Some((head.counted_in(bucket.and_then(CountBucket::from_bytes)), rest))
}

fn read_epoch(bytes: &[u8]) -> Option<Epoch> {
    Some(Epoch {
        stamp: Stamp::new(epoch::STAMP.number(bytes)?),
        at: Timestamp::from_millis(epoch::REVOKED_AT.number(bytes)?),
        note: bytes.get(EPOCH_NOTE..)?.to_vec(),
    })
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
        let flags = header::FLAGS.number(bytes)? as u8;
        let counts_uses = flags & flags::COUNTS_USES != 0;
        let start = if counts_uses { header::USES_LEFT.end() } else { FIXED_BYTES };
        let has = |flag| usize::from(flags & flag != 0);
        let ancestors = usize::from(flags >> flags::ANCESTORS_SHIFT);
        let count = has(flags::HAS_SUBJECT) + has(flags::HAS_CLIENT) + ancestors;
        let length = start + EPOCH_FIELD_BYTES * count;
        let fields = bytes.get(start..length)?.chunks_exact(EPOCH_FIELD_BYTES);
        let fields = fields.filter_map(|field| field.try_into().ok()).map(EpochField::from_bytes);
        let time = |field: Field| field.number(bytes).map(Timestamp::from_millis);
        let is_revoked = header::TOMBSTONE.number(bytes)? != 0;
        Some(Self {
            flags,
            version: header::VERSION.number(bytes)? as u32,
            stamp: header::STAMP.number(bytes)?,
            keep_until: time(header::KEEP_UNTIL)?,
            key: KeyVersion::new(header::KEY_VERSION.number(bytes)? as u16),
            revoked_at: if is_revoked { time(header::REVOKED_AT) } else { None },
            uses_left: if counts_uses {
                Some(header::USES_LEFT.number(bytes)? as u32)
            } else {
                None
            },
            fields: fields.collect(),
            length,
        })
    }

    fn epochs(&self) -> Epochs {
        let mut fields = self.fields.iter().copied();
        let mut next = |flag| if self.flags & flag != 0 { fields.next() } else { None };
        let (subject, client) = (next(flags::HAS_SUBJECT), next(flags::HAS_CLIENT));
        Epochs { subject, client, ancestors: fields.collect() }
    }
}
