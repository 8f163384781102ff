//! The feeds: each one log for all lanes, in order of position, of which the oldest entries give
//! way. What gave way is noted by lane, so that a reader learns what it missed.

use std::ops::Bound;

use keyfob_store::{
    Cursor, Entry, EntryPage, Feed, Lane, LaneCount, LanePosition, StoreError, Timestamp,
};
use redb::{ReadableTableMetadata, WriteTransaction};

use crate::fault::Fault;
use crate::row::{Damaged, Fields};
use crate::tables::{self, Readable, Rows};

/// The most entries that a feed keeps.
pub(crate) const MOST_ENTRIES: u64 = 65_536;

/// A feed that is open for writing.
pub(crate) struct Log<'txn> {
    feed: Feed,
    rows: Rows<'txn>,
    /// The position of the newest entry, once it is known.
    last: Option<LanePosition>,
}

impl<'txn> Log<'txn> {
    pub(crate) fn open(transaction: &'txn WriteTransaction, feed: Feed) -> Result<Self, Fault> {
        let rows = transaction.open_table(tables::feed_table(feed))?;
        Ok(Self { feed, rows, last: None })
    }

    /// Appends entries, each after all that are there: a clock that went backwards must not put an
    /// entry before one that was read.
    pub(crate) fn append(
        &mut self,
        trimmed: &mut Rows<'_>,
        lane: Lane,
        bodies: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), Fault> {
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
            if self.rows.len()? > MOST_ENTRIES
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

/// The entries after a cursor.
pub(crate) fn page(
    log: &impl Readable,
    trimmed: &impl Readable,
    feed: Feed,
    after: &Cursor,
    limit: usize,
    lanes: LaneCount,
) -> Result<EntryPage, Fault> {
    let reached = |lane| after.position(lane).unwrap_or_default();
    let earliest = tables::position_key(lanes.lanes().map(reached).min().unwrap_or_default());
    let mut page = EntryPage { cursor: after.clone(), ..EntryPage::default() };
    let start = (Bound::Excluded(&earliest[..]), Bound::Unbounded);
    for row in log.range::<&[u8]>(start)? {
        let (key, row) = row?;
        let entry = entry(key.value(), row.value()).map_err(|damaged| damaged.of("an entry"))?;
        if entry.position <= reached(entry.lane) {
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
        // One log for all lanes: whatever comes next comes after this in each of them.
        let last = last_position(log)?;
        lanes.lanes().for_each(|lane| page.cursor.advance(lane, last));
    }
    let [start, end] = [Lane::new(0), Lane::new(u16::MAX)].map(|l| tables::trimmed_key(feed, l));
    for row in trimmed.range::<&[u8]>(&start[..]..=&end[..])? {
        let (key, gone) = row?;
        let (Some(lane), Some(gone)) =
            (lane_at_end(key.value()), tables::position_at(gone.value()))
        else {
            continue;
        };
        page.trimmed |= after.position(lane).is_some_and(|position| position < gone);
    }
    Ok(page)
}

/// The cursor after the newest entry.
pub(crate) fn latest(log: &impl Readable, lanes: LaneCount) -> Result<Cursor, Fault> {
    let mut cursor = Cursor::start();
    let last = last_position(log)?;
    if last != LanePosition::default() {
        lanes.lanes().for_each(|lane| cursor.advance(lane, last));
    }
    Ok(cursor)
}

fn last_position(log: &impl Readable) -> Result<LanePosition, Fault> {
    let Some((key, _)) = log.last()? else { return Ok(LanePosition::default()) };
    let damaged = || Damaged("its last position has the wrong length").of("a feed");
    Ok(tables::position_at(key.value()).ok_or_else::<StoreError, _>(damaged)?)
}

/// The entry in a row.
pub(crate) fn entry(key: &[u8], row: &[u8]) -> Result<Entry, Damaged> {
    let position = tables::position_at(key).ok_or(Damaged("its position has the wrong length"))?;
    let mut fields = Fields::of(row);
    let lane = Lane::new(fields.u16()?);
    Ok(Entry { lane, position, body: fields.rest().to_vec() })
}

fn lane_of(row: &[u8]) -> Option<Lane> {
    Fields::of(row).u16().ok().map(Lane::new)
}

fn lane_at_end(key: &[u8]) -> Option<Lane> {
    key.last_chunk().copied().map(u16::from_be_bytes).map(Lane::new)
}
