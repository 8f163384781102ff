//! The tables and their keys. Keys sort like their parts, so that each order of a query is the order
//! of some keys.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | a property of the store |
//! | `records` | lane ‖ local part of the id | the record |
//! | `last_used` | the same | the time, so that a touch does not rewrite the record |
//! | `index` | term ‖ 0 ‖ id ‖ 0(5) | nothing |
//! | | term ‖ 1 ‖ end in seconds(5) ‖ id | nothing |
//! | `forget` | keep-until ‖ id | nothing |
//! | `lanes` | lane | its sequence |
//! | | lane ‖ field | the epoch of the field |
//! | `epoch_ends` | end ‖ lane ‖ field | nothing |
//! | `events`, `observations` | position | lane ‖ the entry |
//! | `trimmed` | log ‖ lane | the position of the last dropped entry |
//! | `answers` | deadline ‖ operation | the answer that the operation got |
//! | `counts` | end of the time bucket ‖ lane ‖ bucket ‖ kind ‖ client | how many tokens there are |
//! | `documents` | name | version ‖ key version ‖ body |
//!
//! The two rows of a record under a term are in one table: under a term with few records they share a
//! page. Keys of `answers` start with the deadline, so that rows are appended at one end and dropped
//! at the other. The keys of `index` have one length, and so have those of `forget`. A page of
//! fixed-length keys needs no table of offsets, and writes spend most of their time on moving rows
//! within pages.

use keyfob_store::{
    BucketCounts, EpochField, Feed, Kind, Lane, LanePosition, Operation, Order, Position, Term,
    TimeBucket, Timestamp, TokenId,
};
use redb::{ReadableTable, Table, TableDefinition};

/// A table of byte strings to byte strings.
pub(crate) type ByteTable = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The same, open for writing.
pub(crate) type ByteTableMut<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

/// A table of keys of one length, without values.
pub(crate) type KeyTable<const N: usize> = TableDefinition<'static, &'static [u8; N], ()>;

/// The same, open for writing.
pub(crate) type KeyTableMut<'txn, const N: usize> = Table<'txn, &'static [u8; N], ()>;

/// The same, open for reading in a read or write transaction.
pub(crate) trait ReadKeyTable<const N: usize>: ReadableTable<&'static [u8; N], ()> {}
impl<const N: usize, T: ReadableTable<&'static [u8; N], ()>> ReadKeyTable<N> for T {}

/// A [`ByteTable`] that is open for reading in a read or write transaction.
pub(crate) trait ReadByteTable: ReadableTable<&'static [u8], &'static [u8]> {}
impl<T: ReadableTable<&'static [u8], &'static [u8]>> ReadByteTable for T {}

pub(crate) const META: ByteTable = TableDefinition::new("meta");
pub(crate) const RECORDS: ByteTable = TableDefinition::new("records");
pub(crate) const LAST_USED: ByteTable = TableDefinition::new("last_used");
pub(crate) const INDEX: KeyTable<INDEX_BYTES> = TableDefinition::new("index");
pub(crate) const FORGET: KeyTable<FORGET_BYTES> = TableDefinition::new("forget");
pub(crate) const LANES: ByteTable = TableDefinition::new("lanes");
pub(crate) const EPOCH_ENDS: ByteTable = TableDefinition::new("epoch_ends");
pub(crate) const EVENTS: ByteTable = TableDefinition::new("events");
pub(crate) const OBSERVATIONS: ByteTable = TableDefinition::new("observations");
pub(crate) const TRIMMED: ByteTable = TableDefinition::new("trimmed");
pub(crate) const ANSWERS: ByteTable = TableDefinition::new("answers");
/// A file from a version without counts gets this table with its first write.
pub(crate) const COUNTS: ByteTable = TableDefinition::new("counts");
/// A file gets this table with its first document.
pub(crate) const DOCUMENTS: ByteTable = TableDefinition::new("documents");

/// The tables that every file has, except `index` and `forget`.
pub(crate) const BYTE_TABLES: [ByteTable; 9] =
    [META, RECORDS, LAST_USED, LANES, EPOCH_ENDS, EVENTS, OBSERVATIONS, TRIMMED, ANSWERS];

pub(crate) const TERM_BYTES: usize = 17;

/// A term as it appears in the index: its field and its digest.
pub(crate) type TermKey = [u8; TERM_BYTES];

const ID_BYTES: usize = 16;
const END_BYTES: usize = 5;

pub(crate) const INDEX_BYTES: usize = TERM_BYTES + 1 + END_BYTES + ID_BYTES;
pub(crate) const FORGET_BYTES: usize = 8 + ID_BYTES;

/// A key of the index.
pub(crate) type IndexKey = [u8; INDEX_BYTES];

/// Concatenates parts. The rest of the `N` bytes is zero.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let bytes = parts.iter().copied().flatten();
    key.iter_mut().zip(bytes).for_each(|(target, byte)| *target = *byte);
    key
}

pub(crate) fn term_key(term: Term) -> TermKey {
    join(&[&[term.field() as u8], term.digest()])
}

/// The key of a record: the part of the id that must be unique.
pub(crate) fn record_key(id: TokenId) -> [u8; 2 + TokenId::LOCAL_BYTES] {
    join(&[&id.lane().number().to_be_bytes(), &id.local()])
}

pub(crate) fn forget_key(keep_until: Timestamp, id: TokenId) -> [u8; FORGET_BYTES] {
    join(&[&keep_until.as_millis().to_be_bytes(), id.as_bytes()])
}

fn order_byte(order: Order) -> u8 {
    match order {
        Order::NewestFirst => 0,
        Order::NextToExpire => 1,
    }
}

/// The bounds of the rows of a term in an order: the start is inclusive, the end exclusive.
pub(crate) fn index_bounds(term: &TermKey, order: Order) -> [IndexKey; 2] {
    [0, 1].map(|step| join(&[term, &[order_byte(order) + step]]))
}

/// The key of a position under a term.
pub(crate) fn index_key(term: &TermKey, order: Order, position: &Position) -> IndexKey {
    let order_byte = [order_byte(order)];
    let id = position.id.as_bytes();
    match order {
        Order::NewestFirst => join(&[term, &order_byte, id]),
        Order::NextToExpire => {
            let secs = position.keep_until_secs.min(MAX_SECS).to_be_bytes();
            let (_, end) = secs.split_at(secs.len() - END_BYTES);
            join(&[term, &order_byte, end, id])
        }
    }
}

/// The largest time that fits into `END_BYTES`. No record is kept that long.
const MAX_SECS: u64 = (1 << (8 * END_BYTES)) - 1;

/// The term that a row of the index belongs to.
pub(crate) fn term_of(key: &IndexKey) -> &[u8] {
    key.split_at(TERM_BYTES).0
}

/// The id that a row of the index lists.
pub(crate) fn id_of(key: &IndexKey) -> Option<TokenId> {
    let (_, rest) = key.split_at(TERM_BYTES);
    match rest.split_first()? {
        (0, rest) => rest.first_chunk(),
        (_, rest) => rest.last_chunk(),
    }
    .map(|id| TokenId::from_bytes(*id))
}

/// The position of a record that is kept until `keep_until`.
pub(crate) fn index_position(keep_until: Timestamp, id: TokenId) -> Position {
    Position { keep_until_secs: keep_until.as_millis().div_ceil(1000), id }
}

/// The id at the end of a key of `forget`.
pub(crate) fn trailing_id(key: &[u8]) -> Option<TokenId> {
    key.last_chunk().copied().map(TokenId::from_bytes)
}

pub(crate) fn lane_key(lane: Lane) -> [u8; 2] {
    lane.number().to_be_bytes()
}

/// The key of an epoch; with `None`, of the epoch that covers all records.
pub(crate) fn epoch_key(lane: Lane, field: Option<EpochField>) -> Vec<u8> {
    let mut key = lane_key(lane).to_vec();
    match field {
        None => key.push(0),
        Some(field) => {
            key.push(1);
            key.extend_from_slice(field.as_bytes());
        }
    }
    key
}

pub(crate) fn epoch_end_key(covers_until: Timestamp, epoch_key: &[u8]) -> Vec<u8> {
    let mut key = covers_until.as_millis().to_be_bytes().to_vec();
    key.extend_from_slice(epoch_key);
    key
}

/// The key of an epoch at the end of a key of `epoch_ends`. A lane without a field is not an epoch.
pub(crate) fn trailing_epoch(key: &[u8]) -> Option<&[u8]> {
    let (_, epoch) = key.split_first_chunk::<8>()?;
    (epoch.len() > 2).then_some(epoch)
}

pub(crate) fn feed_table(feed: Feed) -> ByteTable {
    match feed {
        Feed::Events => EVENTS,
        Feed::Observations => OBSERVATIONS,
    }
}

pub(crate) fn position_key(position: LanePosition) -> [u8; 16] {
    join(&[&position.millis.to_be_bytes(), &position.number.to_be_bytes()])
}

pub(crate) fn parse_position(key: &[u8]) -> Option<LanePosition> {
    match key.as_chunks() {
        ([millis, number], []) => Some(LanePosition {
            millis: u64::from_be_bytes(*millis),
            number: u64::from_be_bytes(*number),
        }),
        _ => None,
    }
}

pub(crate) fn trimmed_key(feed: Feed, lane: Lane) -> [u8; 3] {
    let feed = match feed {
        Feed::Events => 0,
        Feed::Observations => 1,
    };
    join(&[&[feed], &lane_key(lane)])
}

pub(crate) fn answer_key(operation: &Operation) -> [u8; 24] {
    join(&[&operation.deadline.as_millis().to_be_bytes(), operation.id.as_bytes()])
}

/// The key of a count.
pub(crate) fn count_key(
    lane: Lane,
    bucket: TimeBucket,
    kind: Kind,
    client: Option<EpochField>,
) -> Vec<u8> {
    let mut key = bucket.to().as_millis().to_be_bytes().to_vec();
    key.extend_from_slice(&lane_key(lane));
    key.extend_from_slice(&bucket.to_bytes());
    key.push(kind as u8);
    key.extend(client.iter().flat_map(|field| *field.as_bytes()));
    key
}

/// Parses the key of a count: the lane, and the counts with all numbers zero.
pub(crate) fn parse_count_key(key: &[u8]) -> Option<(Lane, BucketCounts)> {
    let (_, key) = key.split_first_chunk::<8>()?;
    let (lane, key) = key.split_first_chunk()?;
    let (bucket, key) = key.split_first_chunk()?;
    let (kind, client) = key.split_first()?;
    let client = match client {
        [] => None,
        client => Some(EpochField::from_bytes(client.try_into().ok()?)),
    };
    let kind = *Kind::ALL.get(usize::from(*kind))?;
    let counts = BucketCounts::new(TimeBucket::from_bytes(*bucket)?, kind, client);
    Some((Lane::new(u16::from_be_bytes(*lane)), counts))
}

/// The time at the start of a key of `forget`, `epoch_ends`, `answers` or `counts`.
pub(crate) fn leading_time(key: &[u8]) -> Option<Timestamp> {
    key.first_chunk().map(|millis| Timestamp::from_millis(u64::from_be_bytes(*millis)))
}
