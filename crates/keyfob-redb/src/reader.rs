//! Reads records: loads, verdicts and pages. The same code serves callers, who read a snapshot, and
//! write commands, which read the transaction that they change.

use std::ops::Bound;

use keyfob_store::{
    BucketCounts, CountTotals, Epoch, EpochField, Epochs, Lane, LaneCount, Listed, Loaded,
    MonotonicInstant, Order, Query, RecordHead, RecordPage, RevocationMark, Stamp, StoreError,
    Term, Timestamp, TokenId, Verdict,
};
use redb::{ReadTransaction, ReadableTable, TableError};

use crate::error::TxError;
use crate::row::{self, Damaged, EpochRow, LaneRow, Record};
use crate::tables::{self, INDEX_BYTES, IndexKey, ReadByteTable, ReadKeyTable};

/// The tables that are needed to load a record.
pub(crate) struct Reader<'t, T> {
    pub(crate) records: &'t T,
    pub(crate) last_used: &'t T,
    pub(crate) lanes: &'t T,
    pub(crate) lane_count: LaneCount,
}

/// The same tables, opened in a read transaction.
pub(crate) struct Snapshot {
    records: SnapshotTable,
    last_used: SnapshotTable,
    lanes: SnapshotTable,
    lane_count: LaneCount,
}

type SnapshotTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Snapshot {
    pub(crate) fn of(
        transaction: &ReadTransaction,
        lane_count: LaneCount,
    ) -> Result<Self, TxError> {
        Ok(Self {
            records: transaction.open_table(tables::RECORDS)?,
            last_used: transaction.open_table(tables::LAST_USED)?,
            lanes: transaction.open_table(tables::LANES)?,
            lane_count,
        })
    }

    pub(crate) fn reader(&self) -> Reader<'_, SnapshotTable> {
        Reader {
            records: &self.records,
            last_used: &self.last_used,
            lanes: &self.lanes,
            lane_count: self.lane_count,
        }
    }
}

impl<T: ReadByteTable> Reader<'_, T> {
    /// Loads the record of a token. Returns `None` if there is none or it is not kept at `now`.
    pub(crate) fn load(&self, id: TokenId, now: Timestamp) -> Result<Option<Loaded>, TxError> {
        self.read(id, now, |record| self.loaded(record))
    }

    fn read<R>(
        &self,
        id: TokenId,
        now: Timestamp,
        read: impl Fn(Record<'_>) -> Result<R, TxError>,
    ) -> Result<Option<R>, TxError> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(None);
        };
        let record = Record::read(row.value()).map_err(|damaged| damaged.of(id))?;
        if record.id != id || record.keep_until <= now {
            return Ok(None);
        }
        read(record).map(Some)
    }

    pub(crate) fn loaded(&self, record: Record<'_>) -> Result<Loaded, TxError> {
        let id = record.id;
        let (verdict, last_advance) = self.verdict_with_advance(
            id.lane(),
            self.lane(id.lane())?,
            record.stamp,
            record.tombstone.clone(),
            &record.epochs,
        )?;
        Ok(Loaded {
            id,
            body: record.body.into_owned(),
            key: record.key,
            version: record.version,
            stamp: record.stamp,
            keep_until: record.keep_until,
            uses_left: record.uses_left,
            last_used: self.last_used(id)?,
            epochs: record.epochs,
            sent: MonotonicInstant::now(),
            verdict,
            last_advance,
        })
    }

    pub(crate) fn verdict_on(&self, record: &Record<'_>) -> Result<Verdict, TxError> {
        let lane = record.id.lane();
        let tombstone = record.tombstone.clone();
        self.verdict(lane, self.lane(lane)?, record.stamp, tombstone, &record.epochs)
    }

    /// Returns the verdict on a record with this stamp, tombstone and these epochs in `lane`. `row` is
    /// the state of the lane.
    pub(crate) fn verdict(
        &self,
        lane: Lane,
        row: Option<LaneRow>,
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
    ) -> Result<Verdict, TxError> {
        Ok(self.verdict_with_advance(lane, row, stamp, tombstone, epochs)?.0)
    }

    fn verdict_with_advance(
        &self,
        lane: Lane,
        row: Option<LaneRow>,
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
    ) -> Result<(Verdict, Option<Timestamp>), TxError> {
        let sequence = row.map(|row| (row.birth, row.sequence));
        let mut error = None;
        let found = Verdict::with_last_advance(stamp, tombstone, epochs, sequence, |field| {
            self.epoch(lane, field).unwrap_or_else(|failed| {
                error = Some(failed);
                None
            })
        });
        match error {
            Some(error) => Err(error),
            None => Ok(found),
        }
    }

    /// Returns the state of a lane; `None` if its row was lost.
    pub(crate) fn lane(&self, lane: Lane) -> Result<Option<LaneRow>, TxError> {
        let lane = self.own(lane);
        let Some(row) = self.lanes.get(tables::lane_key(lane).as_slice())? else {
            return Ok(None);
        };
        let row = LaneRow::read(row.value()).map_err(|damaged| damaged.of(lane_name(lane)))?;
        Ok(Some(row))
    }

    /// Returns the state of a lane, or an error if its row was lost. A lost sequence must not be
    /// written again.
    pub(crate) fn lane_to_write(&self, lane: Lane) -> Result<LaneRow, TxError> {
        let lost = || {
            let detail = "its sequence is gone: restore the file from a backup".to_owned();
            StoreError::Corrupt { what: lane_name(lane), detail }
        };
        self.lane(lane)?.ok_or_else(|| lost().into())
    }

    fn epoch(&self, lane: Lane, field: Option<EpochField>) -> Result<Option<Epoch>, TxError> {
        let lane = self.own(lane);
        let Some(row) = self.lanes.get(tables::epoch_key(lane, field).as_slice())? else {
            return Ok(None);
        };
        let row = EpochRow::read(row.value()).map_err(|damaged| damaged.of(lane_name(lane)))?;
        Ok(Some(row.epoch))
    }

    /// Returns the time at which a token was last touched.
    pub(crate) fn last_used(&self, id: TokenId) -> Result<Option<Timestamp>, TxError> {
        let row = self.last_used.get(tables::record_key(id).as_slice())?;
        Ok(row.and_then(|row| tables::leading_time(row.value())))
    }

    /// Maps a lane to one that this store has. An id from another store may name a lane that this
    /// store does not have.
    pub(crate) fn own(&self, lane: Lane) -> Lane {
        Lane::new(lane.number() % self.lane_count.get())
    }

    /// Returns one page of the records under a term. A damaged record is skipped, because it must not
    /// hide the others. Loading it returns the error, and the integrity check reports it.
    pub(crate) fn page(
        &self,
        index: &impl ReadKeyTable<INDEX_BYTES>,
        query: &Query,
        now: Timestamp,
    ) -> Result<RecordPage, TxError> {
        self.page_of(index, query, now, |record| self.loaded(record))
    }

    /// Returns one page of the heads of these records.
    pub(crate) fn heads(
        &self,
        index: &impl ReadKeyTable<INDEX_BYTES>,
        query: &Query,
        now: Timestamp,
    ) -> Result<RecordPage<RecordHead>, TxError> {
        self.page_of(index, query, now, |record| self.head(&record))
    }

    fn head(&self, record: &Record<'_>) -> Result<RecordHead, TxError> {
        let head = RecordHead {
            id: record.id,
            version: record.version,
            keep_until: record.keep_until,
            is_refused: !self.verdict_on(record)?.is_clear(),
            uses_left: record.uses_left,
            counted_in: None,
        };
        Ok(head.counted_in(record.counted_in))
    }

    fn page_of<R: Listed>(
        &self,
        index: &impl ReadKeyTable<INDEX_BYTES>,
        query: &Query,
        now: Timestamp,
        read: impl Fn(Record<'_>) -> Result<R, TxError>,
    ) -> Result<RecordPage<R>, TxError> {
        let mut records: Vec<R> = Vec::new();
        let term = tables::term_key(query.term);
        let [start, end] = tables::index_bounds(&term, query.order);
        let after = query.after.map(|after| tables::index_key(&term, query.order, &after));
        let (from, to) = match (query.order, &after) {
            (Order::NewestFirst, Some(after)) => (&start, after),
            (Order::NextToExpire, Some(after)) => (after, &end),
            (_, None) => (&start, &end),
        };
        if from >= to {
            return Ok(RecordPage::default());
        }
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let mut rows = index.range::<&IndexKey>(bounds)?;
        loop {
            let row = match query.order {
                Order::NewestFirst => rows.next_back(),
                Order::NextToExpire => rows.next(),
            };
            let Some(row) = row else { return Ok(RecordPage::new(records, None)) };
            let (key, _) = row?;
            if after.as_ref() == Some(key.value()) {
                continue;
            }
            let Some(id) = tables::id_of(key.value()) else { continue };
            if query.lane.is_some_and(|lane| lane != id.lane()) {
                continue;
            }
            let read = match self.read(id, now, &read) {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(TxError::Refused(error)) => {
                    tracing::warn!(%error, "a damaged record is left out of a page");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if records.len() == query.limit {
                let next = records.last().map(keyfob_store::Position::of);
                return Ok(RecordPage::new(records, next));
            }
            records.push(read);
        }
    }
}

/// Returns the number of index rows under a term, in one lane or in all.
pub(crate) fn count(
    index: &impl ReadKeyTable<INDEX_BYTES>,
    term: Term,
    lane: Option<Lane>,
) -> Result<u64, TxError> {
    let [start, end] = tables::index_bounds(&tables::term_key(term), Order::NewestFirst);
    let mut count = 0;
    for row in index.range::<&IndexKey>(&start..&end)? {
        let (key, _) = row?;
        let is_in_lane = |lane| tables::id_of(key.value()).is_some_and(|id| id.lane() == lane);
        if lane.is_none_or(is_in_lane) {
            count += 1;
        }
    }
    Ok(count)
}

/// Returns about how many index rows are under a term. Of a long list only the newest rows are read; how far back
/// they reach tells how long it is.
pub(crate) fn estimate(index: &impl ReadKeyTable<INDEX_BYTES>, term: Term) -> Result<u64, TxError> {
    let [start, end] = tables::index_bounds(&tables::term_key(term), Order::NewestFirst);
    let mut newest_first = index.range::<&IndexKey>(&start..&end)?.rev();
    // An id begins with its time.
    let place = |key: &IndexKey| {
        tables::id_of(key).map_or(0.0, |id| u128::from_be_bytes(*id.as_bytes()) as f64)
    };
    let (mut count, mut newest, mut reached) = (0, None, 0.0);
    for row in newest_first.by_ref().take(ESTIMATED_FROM) {
        let (key, _) = row?;
        reached = place(key.value());
        newest.get_or_insert(reached);
        count += 1;
    }
    let (Some(oldest), Some(newest)) = (newest_first.next_back(), newest) else { return Ok(count) };
    let (oldest, _) = oldest?;
    let lists = (newest - place(oldest.value())) / (newest - reached).max(1.0);
    Ok((count as f64 * lists) as u64)
}

/// The number of rows that an estimate reads.
const ESTIMATED_FROM: usize = 1_000;

pub(crate) fn lane_name(lane: Lane) -> String {
    format!("lane {}", lane.number())
}

/// Returns the counts of all lanes together.
pub(crate) fn tallies(transaction: &ReadTransaction) -> Result<Vec<BucketCounts>, TxError> {
    let table = match transaction.open_table(tables::COUNTS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut totals = CountTotals::default();
    for row in table.iter()? {
        let (key, row) = row?;
        let damaged = || Damaged("its key is invalid").of("a count");
        let (_, mut counts) = tables::parse_count_key(key.value()).ok_or_else(damaged)?;
        row::read_counts(row.value(), &mut counts).map_err(|damaged| damaged.of("a count"))?;
        totals.add(counts);
    }
    Ok(totals.into_all())
}
