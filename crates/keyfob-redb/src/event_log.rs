//! The logs of events and of observations. Each is one log for all lanes, in order of position. A full
//! log drops its oldest entries. The last dropped position is stored for each lane, so that a reader
//! learns that it missed entries.

use std::ops::Bound;

use keyfob_store::{
    Cursor, Entry, EntryPage, Feed, Lane, LaneCount, LanePosition, StoreError, Timestamp,
};
use redb::{ReadableTableMetadata, WriteTransaction};

use crate::error::TxError;
use crate::row::{Damaged, Fields};
use crate::tables::{self, ByteTableMut, ReadByteTable};

/// The maximum number of entries in a log.
pub(crate) const MAX_ENTRIES: u64 = 65_536;

/// A log that is open for writing.
pub(crate) struct EventLog<'txn> {
    feed: Feed,
    rows: ByteTableMut<'txn>,
    /// The position of the newest entry; `None` until it is read.
    last: Option<LanePosition>,
}

impl<'txn> EventLog<'txn> {
    pub(crate) fn open(transaction: &'txn WriteTransaction, feed: Feed) -> Result<Self, TxError> {
        let rows = transaction.open_table(tables::feed_table(feed))?;
        Ok(Self { feed, rows, last: None })
    }

    /// Appends entries. Each gets a position above all existing ones: after the clock was set back, a
    /// new entry must not come before an entry that was already read.
    pub(crate) fn append(
        &mut self,
        trimmed: &mut ByteTableMut<'_>,
        lane: Lane,
        bodies: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), TxError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let mut last = match self.last {
            Some(last) => last,
            None => last_position(&self.rows)?,
        };
        for body in bodies {
            let millis = now.as_millis();
            last = if millis > last.millis {
                LanePosition { millis, number: 0 }
            } else {
                LanePosition { number: last.number + 1, ..last }
            };
            let mut row = tables::lane_key(lane).to_vec();
            row.extend_from_slice(&body);
            self.rows.insert(tables::position_key(last).as_slice(), row.as_slice())?;
            if self.rows.len()? > MAX_ENTRIES
                && let Some((key, row)) = self.rows.pop_first()?
            {
                let lane = lane_of(row.value()).unwrap_or(lane);
                trimmed.insert(tables::trimmed_key(self.feed, lane).as_slice(), key.value())?;
            }
        }
        self.last = Some(last);
        Ok(())
    }
}

/// Returns at most `limit` entries after a cursor.
pub(crate) fn page(
    log: &impl ReadByteTable,
    trimmed: &impl ReadByteTable,
    feed: Feed,
    after: &Cursor,
    limit: usize,
    lanes: LaneCount,
) -> Result<EntryPage, TxError> {
    let already_read = |lane| after.position(lane).unwrap_or_default();
    let earliest = tables::position_key(lanes.lanes().map(already_read).min().unwrap_or_default());
    let mut page = EntryPage { cursor: after.clone(), ..EntryPage::default() };
    let start = (Bound::Excluded(&earliest[..]), Bound::Unbounded);
    for row in log.range::<&[u8]>(start)? {
        let (key, row) = row?;
        let entry = entry(key.value(), row.value()).map_err(|damaged| damaged.of("an entry"))?;
        if entry.position <= already_read(entry.lane) {
            continue;
        }
        if page.entries.len() == limit {
            page.more = true;
            break;
        }
        page.cursor.advance(entry.lane, entry.position);
        page.entries.push(entry);
    }
    if !page.more {
        // All lanes share the log, so the next entry of every lane comes after its last position.
        let last = last_position(log)?;
        lanes.lanes().for_each(|lane| page.cursor.advance(lane, last));
    }
    let [start, end] = [Lane::new(0), Lane::new(u16::MAX)].map(|l| tables::trimmed_key(feed, l));
    for row in trimmed.range::<&[u8]>(&start[..]..=&end[..])? {
        let (key, dropped) = row?;
        let (Some(lane), Some(dropped)) =
            (trailing_lane(key.value()), tables::parse_position(dropped.value()))
        else {
            continue;
        };
        page.trimmed |= after.position(lane).is_some_and(|position| position < dropped);
    }
    Ok(page)
}

/// Returns the cursor after the newest entry.
pub(crate) fn latest(log: &impl ReadByteTable, lanes: LaneCount) -> Result<Cursor, TxError> {
    let mut cursor = Cursor::start();
    let last = last_position(log)?;
    if last != LanePosition::default() {
        lanes.lanes().for_each(|lane| cursor.advance(lane, last));
    }
    Ok(cursor)
}

fn last_position(log: &impl ReadByteTable) -> Result<LanePosition, TxError> {
    let Some((key, _)) = log.last()? else { return Ok(LanePosition::default()) };
    let damaged = || Damaged("its last position has the wrong length").of("a log");
    Ok(tables::parse_position(key.value()).ok_or_else::<StoreError, _>(damaged)?)
}

/// Parses the entry in a row.
pub(crate) fn entry(key: &[u8], row: &[u8]) -> Result<Entry, Damaged> {
    let position =
        tables::parse_position(key).ok_or(Damaged("its position has the wrong length"))?;
    let mut fields = Fields::of(row);
    let lane = Lane::new(fields.u16()?);
    Ok(Entry { lane, position, body: fields.rest().to_vec() })
}

fn lane_of(row: &[u8]) -> Option<Lane> {
    Fields::of(row).u16().ok().map(Lane::new)
}

fn trailing_lane(key: &[u8]) -> Option<Lane> {
    key.last_chunk().copied().map(u16::from_be_bytes).map(Lane::new)
}
