//! What a transaction sees of the records: loading, verdicts, pages. The same code reads for
//! callers, from a snapshot, and for a write, from the transaction that it is about to change.

use std::ops::Bound;

use keyfob_store::{
    BucketCounts, CountTotals, Epoch, EpochField, Epochs, Lane, LaneCount, Loaded,
    MonotonicInstant, Order, Query, RecordPage, RevocationMark, Stamp, StoreError, Term, Timestamp,
    TokenId, Verdict,
};
use redb::{ReadTransaction, ReadableTable, TableError};

use crate::fault::Fault;
use crate::row::{self, Damaged, EpochRow, LaneRow, Record};
use crate::tables::{self, INDEX_BYTES, IndexKey, Readable, ReadableKeys};

/// The tables that loading a record needs.
pub(crate) struct View<'t, T> {
    pub(crate) records: &'t T,
    pub(crate) last_used: &'t T,
    pub(crate) lanes: &'t T,
    pub(crate) lane_count: LaneCount,
}

/// The same tables of a snapshot.
pub(crate) struct Snapshot {
    records: SnapshotTable,
    last_used: SnapshotTable,
    lanes: SnapshotTable,
    lane_count: LaneCount,
}

type SnapshotTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Snapshot {
    pub(crate) fn of(transaction: &ReadTransaction, lane_count: LaneCount) -> Result<Self, Fault> {
        Ok(Self {
            records: transaction.open_table(tables::RECORDS)?,
            last_used: transaction.open_table(tables::LAST_USED)?,
            lanes: transaction.open_table(tables::LANES)?,
            lane_count,
        })
    }

    pub(crate) fn view(&self) -> View<'_, SnapshotTable> {
        View {
            records: &self.records,
            last_used: &self.last_used,
            lanes: &self.lanes,
            lane_count: self.lane_count,
        }
    }
}

impl<T: Readable> View<'_, T> {
    /// The record of a token, if it is kept at `now`.
    pub(crate) fn load(&self, id: TokenId, now: Timestamp) -> Result<Option<Loaded>, Fault> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(None);
        };
        let record = Record::read(row.value()).map_err(|damaged| damaged.of(id))?;
        if record.id != id || record.keep_until <= now {
            return Ok(None);
        }
        self.loaded(record).map(Some)
    }

    pub(crate) fn loaded(&self, record: Record<'_>) -> Result<Loaded, Fault> {
        let id = record.id;
        let verdict = self.verdict_on(&record)?;
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
        })
    }

    pub(crate) fn verdict_on(&self, record: &Record<'_>) -> Result<Verdict, Fault> {
        let lane = record.id.lane();
        let tombstone = record.tombstone.clone();
        self.verdict(lane, self.lane(lane)?, record.stamp, tombstone, &record.epochs)
    }

    /// The verdict on what is stamped so and answers to these epochs in `lane`, whose state is
    /// `row`.
    pub(crate) fn verdict(
        &self,
        lane: Lane,
        row: Option<LaneRow>,
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
    ) -> Result<Verdict, Fault> {
        let sequence = row.map(|row| (row.birth, row.sequence));
        let mut fault = None;
        let verdict = Verdict::of(stamp, tombstone, epochs, sequence, |field| {
            self.epoch(lane, field).unwrap_or_else(|failed| {
                fault = Some(failed);
                None
            })
        });
        match fault {
            Some(fault) => Err(fault),
            None => Ok(verdict),
        }
    }

    /// The state of a lane; `None` if it was lost.
    pub(crate) fn lane(&self, lane: Lane) -> Result<Option<LaneRow>, Fault> {
        let lane = self.own(lane);
        let Some(row) = self.lanes.get(tables::lane_key(lane).as_slice())? else {
            return Ok(None);
        };
        let row = LaneRow::read(row.value()).map_err(|damaged| damaged.of(lane_name(lane)))?;
        Ok(Some(row))
    }

    /// The state of a lane that is to be written.
    pub(crate) fn lane_to_write(&self, lane: Lane) -> Result<LaneRow, Fault> {
        let lost = || {
            let detail = "its sequence is gone: restore the file from a backup".to_owned();
            StoreError::Corrupt { what: lane_name(lane), detail }
        };
        self.lane(lane)?.ok_or_else(|| lost().into())
    }

    fn epoch(&self, lane: Lane, field: Option<EpochField>) -> Result<Option<Epoch>, Fault> {
        let lane = self.own(lane);
        let Some(row) = self.lanes.get(tables::epoch_key(lane, field).as_slice())? else {
            return Ok(None);
        };
        let row = EpochRow::read(row.value()).map_err(|damaged| damaged.of(lane_name(lane)))?;
        Ok(Some(row.epoch))
    }

    /// When a token was last touched.
    pub(crate) fn last_used(&self, id: TokenId) -> Result<Option<Timestamp>, Fault> {
        let row = self.last_used.get(tables::record_key(id).as_slice())?;
        Ok(row.and_then(|row| tables::moment_at(row.value())))
    }

    /// The lane whose sequence an id of `lane` answers to: an id from elsewhere may name a lane
    /// that this store does not have.
    pub(crate) fn own(&self, lane: Lane) -> Lane {
        Lane::new(lane.number() % self.lane_count.get())
    }

    /// One page of the records under a term. A record that cannot be read is passed over, for one
    /// of them must not hide the others; loading it says what is wrong, and a check finds it.
    pub(crate) fn page(
        &self,
        index: &impl ReadableKeys<INDEX_BYTES>,
        query: &Query,
        now: Timestamp,
    ) -> Result<RecordPage, Fault> {
        let mut records: Vec<Loaded> = Vec::new();
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
            let Some(row) = row else { return Ok(RecordPage { records, next: None }) };
            let (key, _) = row?;
            if after.as_ref() == Some(key.value()) {
                continue;
            }
            let Some(id) = tables::id_of(key.value()) else { continue };
            if query.lane.is_some_and(|lane| lane != id.lane()) {
                continue;
            }
            let loaded = match self.load(id, now) {
                Ok(Some(loaded)) => loaded,
                Ok(None) => continue,
                Err(Fault::Refused(error)) => {
                    tracing::warn!(%error, "a record is left out of a page");
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if records.len() == query.limit {
                let next = records.last().map(keyfob_store::Position::of);
                return Ok(RecordPage { records, next });
            }
            records.push(loaded);
        }
    }
}

/// How many rows a term has.
pub(crate) fn count(
    index: &impl ReadableKeys<INDEX_BYTES>,
    term: Term,
    lane: Option<Lane>,
) -> Result<u64, Fault> {
    let [start, end] = tables::index_bounds(&tables::term_key(term), Order::NewestFirst);
    let mut count = 0;
    for row in index.range::<&IndexKey>(&start..&end)? {
        let (key, _) = row?;
        let is_in = |lane| tables::id_of(key.value()).is_some_and(|id| id.lane() == lane);
        if lane.is_none_or(is_in) {
            count += 1;
        }
    }
    Ok(count)
}

pub(crate) fn lane_name(lane: Lane) -> String {
    format!("lane {}", lane.number())
}

/// What is counted, over all lanes.
pub(crate) fn tallies(transaction: &ReadTransaction) -> Result<Vec<BucketCounts>, Fault> {
    let table = match transaction.open_table(tables::COUNTS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut tallies = CountTotals::default();
    for row in table.iter()? {
        let (key, row) = row?;
        let damaged = || Damaged("its key is unknown").of("a count");
        let (_, mut tally) = tables::counted_at(key.value()).ok_or_else(damaged)?;
        row::read_tally(row.value(), &mut tally).map_err(|damaged| damaged.of("a count"))?;
        tallies.add(tally);
    }
    Ok(tallies.into_all())
}
