//! The tables and their keys. Keys sort as their parts do, so that every order that is asked for is
//! an order of keys.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | a fact about the store |
//! | `records` | lane ‖ local part of the id | the record |
//! | `last_used` | the same | when, so that a touch does not rewrite the record |
//! | `index` | term ‖ 0 ‖ id ‖ 0(5) | nothing |
//! | | term ‖ 1 ‖ end in seconds(5) ‖ id | nothing |
//! | `forget` | keep-until ‖ id | nothing |
//! | `lanes` | lane | its sequence |
//! | | lane ‖ field | the epoch of the field |
//! | `epoch_ends` | end ‖ lane ‖ field | nothing |
//! | `events`, `observations` | position | lane ‖ what was written |
//! | `trimmed` | feed ‖ lane | the last position that gave way |
//! | `answers` | deadline ‖ operation | what it was told |
//! | `counts` | end of the span ‖ lane ‖ span ‖ kind ‖ client | how many tokens there are |
//!
//! The two rows of a record under a term lie in one table, so that under a term with few records
//! they share a page; answers begin with their deadline, so that they are appended at one end and
//! dropped at the other. The keys of `index` and `forget` have one length each, for a page of such
//! keys needs no table of where each of them lies, and most of what a write does is to move rows
//! about in pages.

use keyfob_store::{
    BucketCounts, EpochField, Feed, Kind, Lane, LanePosition, Operation, Order, Position, Term,
    TimeBucket, Timestamp, TokenId,
};
use redb::{ReadableTable, Table, TableDefinition};

/// A table of ours: bytes to bytes.
pub(crate) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A table that is open for writing.
pub(crate) type Rows<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

/// A table of nothing but keys of one length.
pub(crate) type Keys<const N: usize> = TableDefinition<'static, &'static [u8; N], ()>;

/// The same, open for writing.
pub(crate) type KeyRows<'txn, const N: usize> = Table<'txn, &'static [u8; N], ()>;

/// The same, to be read in a transaction of either sort.
pub(crate) trait ReadableKeys<const N: usize>: ReadableTable<&'static [u8; N], ()> {}
impl<const N: usize, T: ReadableTable<&'static [u8; N], ()>> ReadableKeys<N> for T {}

/// A table that can be read, in a transaction of either sort.
pub(crate) trait Readable: ReadableTable<&'static [u8], &'static [u8]> {}
impl<T: ReadableTable<&'static [u8], &'static [u8]>> Readable for T {}

pub(crate) const META: Definition = TableDefinition::new("meta");
pub(crate) const RECORDS: Definition = TableDefinition::new("records");
pub(crate) const LAST_USED: Definition = TableDefinition::new("last_used");
pub(crate) const INDEX: Keys<INDEX_BYTES> = TableDefinition::new("index");
pub(crate) const FORGET: Keys<FORGET_BYTES> = TableDefinition::new("forget");
pub(crate) const LANES: Definition = TableDefinition::new("lanes");
pub(crate) const EPOCH_ENDS: Definition = TableDefinition::new("epoch_ends");
pub(crate) const EVENTS: Definition = TableDefinition::new("events");
pub(crate) const OBSERVATIONS: Definition = TableDefinition::new("observations");
pub(crate) const TRIMMED: Definition = TableDefinition::new("trimmed");
pub(crate) const ANSWERS: Definition = TableDefinition::new("answers");
/// A file that was written before there were counts has no such table until something is written.
pub(crate) const COUNTS: Definition = TableDefinition::new("counts");

/// The tables other than `index` and `forget`.
pub(crate) const OF_BYTES: [Definition; 9] =
    [META, RECORDS, LAST_USED, LANES, EPOCH_ENDS, EVENTS, OBSERVATIONS, TRIMMED, ANSWERS];

pub(crate) const TERM_BYTES: usize = 17;

/// A term as the index has it.
pub(crate) type TermKey = [u8; TERM_BYTES];

const ID_BYTES: usize = 16;
const END_BYTES: usize = 5;

pub(crate) const INDEX_BYTES: usize = TERM_BYTES + 1 + END_BYTES + ID_BYTES;
pub(crate) const FORGET_BYTES: usize = 8 + ID_BYTES;

/// A key of the index.
pub(crate) type IndexKey = [u8; INDEX_BYTES];

/// Parts of known lengths, one after the other.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let bytes = parts.iter().copied().flatten();
    key.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    key
}

pub(crate) fn term_key(term: Term) -> TermKey {
    join(&[&[term.field() as u8], term.digest()])
}

/// The key of a record: what must be unique, and no more.
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

/// The start of the rows of a term in an order, and the end, which is not one of them.
pub(crate) fn index_bounds(term: &TermKey, order: Order) -> [IndexKey; 2] {
    [0, 1].map(|step| join(&[term, &[order_byte(order) + step]]))
}

/// The key of a place under a term.
pub(crate) fn index_key(term: &TermKey, order: Order, place: &Position) -> IndexKey {
    let order_byte = [order_byte(order)];
    let id = place.id.as_bytes();
    match order {
        Order::NewestFirst => join(&[term, &order_byte, id]),
        Order::NextToExpire => {
            let secs = place.keep_until_secs.min(MOST_SECS).to_be_bytes();
            let (_, end) = secs.split_at(secs.len() - END_BYTES);
            join(&[term, &order_byte, end, id])
        }
    }
}

/// What fits into the bytes of an end; a record is never kept as long.
const MOST_SECS: u64 = (1 << (8 * END_BYTES)) - 1;

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

/// The place of a record that is kept until then.
pub(crate) fn place(keep_until: Timestamp, id: TokenId) -> Position {
    Position { keep_until_secs: keep_until.as_millis().div_ceil(1000), id }
}

/// The id that a key of `forget` ends with.
pub(crate) fn id_at_end(key: &[u8]) -> Option<TokenId> {
    key.last_chunk().copied().map(TokenId::from_bytes)
}

pub(crate) fn lane_key(lane: Lane) -> [u8; 2] {
    lane.number().to_be_bytes()
}

/// The key of an epoch; `None` is the epoch of everything.
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

/// The epoch that a key of `epoch_ends` ends with; a lane alone is not one.
pub(crate) fn epoch_at_end(key: &[u8]) -> Option<&[u8]> {
    let (_, epoch) = key.split_first_chunk::<8>()?;
    (epoch.len() > 2).then_some(epoch)
}

pub(crate) fn feed_table(feed: Feed) -> Definition {
    match feed {
        Feed::Events => EVENTS,
        Feed::Observations => OBSERVATIONS,
    }
}

pub(crate) fn position_key(position: LanePosition) -> [u8; 16] {
    join(&[&position.millis.to_be_bytes(), &position.number.to_be_bytes()])
}

pub(crate) fn position_at(key: &[u8]) -> Option<LanePosition> {
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
    span: TimeBucket,
    kind: Kind,
    client: Option<EpochField>,
) -> Vec<u8> {
    let mut key = span.to().as_millis().to_be_bytes().to_vec();
    key.extend_from_slice(&lane_key(lane));
    key.extend_from_slice(&span.to_bytes());
    key.push(kind as u8);
    key.extend(client.iter().flat_map(|field| *field.as_bytes()));
    key
}

/// The lane of a count, and the tally without its numbers.
pub(crate) fn counted_at(key: &[u8]) -> Option<(Lane, BucketCounts)> {
    let (_, key) = key.split_first_chunk::<8>()?;
    let (lane, key) = key.split_first_chunk()?;
    let (span, key) = key.split_first_chunk()?;
    let (kind, client) = key.split_first()?;
    let client = match client {
        [] => None,
        client => Some(EpochField::from_bytes(client.try_into().ok()?)),
    };
    let kind = *Kind::ALL.get(usize::from(*kind))?;
    let tally = BucketCounts::new(TimeBucket::from_bytes(*span)?, kind, client);
    Some((Lane::new(u16::from_be_bytes(*lane)), tally))
}

/// The moment that a key of `forget`, `epoch_ends`, `answers` or `counts` begins with.
pub(crate) fn moment_at(key: &[u8]) -> Option<Timestamp> {
    key.first_chunk().map(|millis| Timestamp::from_millis(u64::from_be_bytes(*millis)))
}
