//! The integrity check: every record has its index rows, every index row has its record, and all rows
//! can be parsed.

use std::fmt::Display;

use keyfob_store::{Feed, LaneCount, Order, TokenId};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use crate::error::TxError;
use crate::row::{EpochRow, LaneRow, Record, SavedAnswer};
use crate::tables::{self, ByteTable, FORGET_BYTES, IndexKey, ReadKeyTable};
use crate::{documents, event_log, reader};

/// The result of [`RedbStore::check`](crate::RedbStore::check).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct IntegrityReport {
    /// The number of records.
    pub records: u64,
    /// The number of index rows.
    pub index_rows: u64,
    /// Descriptions of the problems, at most [`IntegrityReport::MAX_PROBLEMS`].
    pub problems: Vec<String>,
}

impl IntegrityReport {
    /// The maximum number of problems in a report.
    pub const MAX_PROBLEMS: usize = 100;

    /// Returns whether the check found no problem.
    pub fn is_consistent(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, problem: impl Display) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem.to_string());
        }
    }
}

type Bytes = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Reads all tables and compares each row with the rows that must match it.
pub(crate) fn check(
    transaction: &ReadTransaction,
    lanes: LaneCount,
) -> Result<IntegrityReport, TxError> {
    let mut found = IntegrityReport::default();
    let table = |definition: ByteTable| transaction.open_table(definition);
    let records = table(tables::RECORDS)?;
    let index = transaction.open_table(tables::INDEX)?;
    let forget = transaction.open_table(tables::FORGET)?;
    let lane_rows = table(tables::LANES)?;
    let epoch_ends = table(tables::EPOCH_ENDS)?;
    check_records(&records, &index, &forget, &mut found)?;
    check_index(&records, &index, &mut found)?;
    for row in forget.iter()? {
        let (key, _) = row?;
        let id = tables::trailing_id(key.value());
        let end = tables::leading_time(key.value());
        if !has_record_where(&records, id, |record| Some(record.keep_until) == end)? {
            found.problem(format_args!("{} has an expiry row and no record", name(id)));
        }
    }
    for row in table(tables::LAST_USED)?.iter()? {
        let (key, at) = row?;
        if records.get(key.value())?.is_none() || at.value().len() != 8 {
            found.problem("a last use has no record");
        }
    }
    check_lanes(&lane_rows, &epoch_ends, lanes, &mut found)?;
    for feed in [Feed::Events, Feed::Observations] {
        for row in table(tables::feed_table(feed))?.iter()? {
            let (key, row) = row?;
            if let Err(damaged) = event_log::entry(key.value(), row.value()) {
                found.problem(damaged.of(format_args!("an entry of {feed:?}")));
            }
        }
    }
    for row in table(tables::ANSWERS)?.iter()? {
        let (_, row) = row?;
        if let Err(damaged) = SavedAnswer::read(row.value()) {
            found.problem(damaged.of("an operation"));
        }
    }
    documents::check(transaction, |error| {
        if let TxError::Refused(error) = error {
            found.problem(error);
        }
    })?;
    match reader::tallies(transaction) {
        Err(TxError::Refused(error)) => found.problem(error),
        read => drop(read?),
    }
    Ok(found)
}

fn check_records(
    records: &Bytes,
    index: &ReadOnlyTable<&'static IndexKey, ()>,
    forget: &impl ReadKeyTable<FORGET_BYTES>,
    found: &mut IntegrityReport,
) -> Result<(), TxError> {
    for row in records.iter()? {
        let (key, row) = row?;
        found.records += 1;
        let record = match Record::read(row.value()) {
            Ok(record) => record,
            Err(damaged) => {
                found.problem(damaged.of(format_args!("key {:02x?}", key.value())));
                continue;
            }
        };
        let id = record.id;
        if tables::record_key(id).as_slice() != key.value() {
            found.problem(format_args!("{id} is stored under the key of another record"));
        }
        if forget.get(&tables::forget_key(record.keep_until, id))?.is_none() {
            found.problem(format_args!("{id} has no expiry row and would never be dropped"));
        }
        let position = tables::index_position(record.keep_until, id);
        for term in record.terms.iter() {
            for order in [Order::NewestFirst, Order::NextToExpire] {
                if index.get(&tables::index_key(term, order, &position))?.is_none() {
                    found.problem(format_args!("{id} has no index row for a term in {order:?}"));
                }
            }
        }
    }
    Ok(())
}

fn check_index(
    records: &Bytes,
    index: &ReadOnlyTable<&'static IndexKey, ()>,
    found: &mut IntegrityReport,
) -> Result<(), TxError> {
    for row in index.iter()? {
        let (key, _) = row?;
        found.index_rows += 1;
        let id = tables::id_of(key.value());
        let listed = has_record_where(records, id, |record| {
            let position = tables::index_position(record.keep_until, record.id);
            let own_term = record.terms.iter().find(|term| *term == tables::term_of(key.value()));
            let matches = |term, order| tables::index_key(term, order, &position) == *key.value();
            own_term.is_some_and(|term| {
                matches(term, Order::NewestFirst) || matches(term, Order::NextToExpire)
            })
        })?;
        if !listed {
            found.problem(format_args!("{} has an index row for a term that it lacks", name(id)));
        }
    }
    Ok(())
}

fn check_lanes(
    rows: &Bytes,
    epoch_ends: &Bytes,
    lanes: LaneCount,
    found: &mut IntegrityReport,
) -> Result<(), TxError> {
    for lane in lanes.lanes() {
        let row = rows.get(tables::lane_key(lane).as_slice())?;
        let row = row.map(|row| LaneRow::read(row.value()));
        if !row.is_some_and(|row| row.is_ok_and(|row| row.birth <= row.sequence)) {
            found.problem(format_args!("the sequence of {} is lost", reader::lane_name(lane)));
        }
    }
    for row in rows.iter()? {
        let (key, row) = row?;
        if key.value().len() == 2 {
            continue;
        }
        let epoch = EpochRow::read(row.value());
        let end = epoch.map(|row| tables::epoch_end_key(row.covers_until, key.value()));
        if !end.is_ok_and(|end| matches!(epoch_ends.get(end.as_slice()), Ok(Some(_)))) {
            found.problem("an epoch has no expiry row and would never be dropped");
        }
    }
    for row in epoch_ends.iter()? {
        let (key, _) = row?;
        let epoch = tables::trailing_epoch(key.value()).unwrap_or_default();
        if rows.get(epoch)?.is_none() {
            found.problem("an expiry row has no epoch");
        }
    }
    Ok(())
}

/// Returns whether the record of `id` can be read and meets `condition`.
fn has_record_where(
    records: &Bytes,
    id: Option<TokenId>,
    condition: impl FnOnce(&Record<'_>) -> bool,
) -> Result<bool, TxError> {
    let Some(id) = id else { return Ok(false) };
    let row = records.get(tables::record_key(id).as_slice())?;
    let record = row.as_ref().and_then(|row| Record::read(row.value()).ok());
    Ok(record.is_some_and(|record| record.id == id && condition(&record)))
}

fn name(id: Option<TokenId>) -> String {
    id.map_or_else(|| "an unreadable id".to_owned(), |id| id.to_string())
}
