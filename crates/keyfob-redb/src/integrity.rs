//! Whether the tables agree: every record has its rows, every row has its record, and all of them
//! can be read.

use std::fmt::Display;

use keyfob_store::{Feed, LaneCount, Order, TokenId};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use crate::fault::Fault;
use crate::row::{Answer, EpochRow, LaneRow, Record};
use crate::tables::{self, Definition, FORGET_BYTES, IndexKey, ReadableKeys};
use crate::{feed, view};

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Integrity {
    /// How many records there are.
    pub records: u64,
    /// How many index rows.
    pub index_rows: u64,
    /// What is wrong, in words; at most [`Integrity::MOST_PROBLEMS`].
    pub problems: Vec<String>,
}

impl Integrity {
    /// The most problems that are told.
    pub const MOST_PROBLEMS: usize = 100;

    /// Whether nothing is wrong.
    pub fn check_config(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, problem: impl Display) {
        if self.problems.len() < Self::MOST_PROBLEMS {
            self.problems.push(problem.to_string());
        }
    }
}

type Bytes = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// One table after the other, each row held against what it must agree with.
pub(crate) fn check(transaction: &ReadTransaction, lanes: LaneCount) -> Result<Integrity, Fault> {
    let mut found = Integrity::default();
    let table = |definition: Definition| transaction.open_table(definition);
    let records = table(tables::RECORDS)?;
    let index = transaction.open_table(tables::INDEX)?;
    let forget = transaction.open_table(tables::FORGET)?;
    let lane_rows = table(tables::LANES)?;
    let epoch_ends = table(tables::EPOCH_ENDS)?;
    check_records(&records, &index, &forget, &mut found)?;
    check_index(&records, &index, &mut found)?;
    for row in forget.iter()? {
        let (key, _) = row?;
        let id = tables::id_at_end(key.value());
        let end = tables::moment_at(key.value());
        if !record_where(&records, id, |record| Some(record.keep_until) == end)? {
            found.problem(format_args!("{} is to be forgotten and is not there", name(id)));
        }
    }
    for row in table(tables::LAST_USED)?.iter()? {
        let (key, at) = row?;
        if records.get(key.value())?.is_none() || at.value().len() != 8 {
            found.problem("a last use belongs to no record");
        }
    }
    check_lanes(&lane_rows, &epoch_ends, lanes, &mut found)?;
    for feed in [Feed::Events, Feed::Observations] {
        for row in table(tables::feed_table(feed))?.iter()? {
            let (key, row) = row?;
            if let Err(damaged) = feed::entry(key.value(), row.value()) {
                found.problem(damaged.of(format_args!("an entry of {feed:?}")));
            }
        }
    }
    for row in table(tables::ANSWERS)?.iter()? {
        let (_, row) = row?;
        if let Err(damaged) = Answer::read(row.value()) {
            found.problem(damaged.of("an operation"));
        }
    }
    match view::tallies(transaction) {
        Err(Fault::Refused(error)) => found.problem(error),
        read => drop(read?),
    }
    Ok(found)
}

fn check_records(
    records: &Bytes,
    index: &ReadOnlyTable<&'static IndexKey, ()>,
    forget: &impl ReadableKeys<FORGET_BYTES>,
    found: &mut Integrity,
) -> Result<(), Fault> {
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
            found.problem(format_args!("{id} lies under the key of another"));
        }
        if forget.get(&tables::forget_key(record.keep_until, id))?.is_none() {
            found.problem(format_args!("{id} would never be forgotten"));
        }
        let place = tables::place(record.keep_until, id);
        for term in record.terms.iter() {
            for order in [Order::NewestFirst, Order::NextToExpire] {
                if index.get(&tables::index_key(term, order, &place))?.is_none() {
                    found.problem(format_args!("{id} is missing under a term, in {order:?}"));
                }
            }
        }
    }
    Ok(())
}

fn check_index(
    records: &Bytes,
    index: &ReadOnlyTable<&'static IndexKey, ()>,
    found: &mut Integrity,
) -> Result<(), Fault> {
    for row in index.iter()? {
        let (key, _) = row?;
        found.index_rows += 1;
        let id = tables::id_of(key.value());
        let listed = record_where(records, id, |record| {
            let place = tables::place(record.keep_until, record.id);
            let of_record = record.terms.iter().find(|term| *term == tables::term_of(key.value()));
            let is_it = |term, order| tables::index_key(term, order, &place) == *key.value();
            of_record.is_some_and(|term| {
                is_it(term, Order::NewestFirst) || is_it(term, Order::NextToExpire)
            })
        })?;
        if !listed {
            found.problem(format_args!("{} is listed under a term that it lacks", name(id)));
        }
    }
    Ok(())
}

fn check_lanes(
    rows: &Bytes,
    epoch_ends: &Bytes,
    lanes: LaneCount,
    found: &mut Integrity,
) -> Result<(), Fault> {
    for lane in lanes.lanes() {
        let row = rows.get(tables::lane_key(lane).as_slice())?;
        let row = row.map(|row| LaneRow::read(row.value()));
        if !row.is_some_and(|row| row.is_ok_and(|row| row.birth <= row.sequence)) {
            found.problem(format_args!("the sequence of {} is lost", view::lane_name(lane)));
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
            found.problem("an epoch would never be forgotten");
        }
    }
    for row in epoch_ends.iter()? {
        let (key, _) = row?;
        let epoch = tables::epoch_at_end(key.value()).unwrap_or_default();
        if rows.get(epoch)?.is_none() {
            found.problem("an epoch is to be forgotten and is not there");
        }
    }
    Ok(())
}

fn record_where(
    records: &Bytes,
    id: Option<TokenId>,
    fits: impl FnOnce(&Record<'_>) -> bool,
) -> Result<bool, Fault> {
    let Some(id) = id else { return Ok(false) };
    let row = records.get(tables::record_key(id).as_slice())?;
    let record = row.as_ref().and_then(|row| Record::read(row.value()).ok());
    Ok(record.is_some_and(|record| record.id == id && fits(&record)))
}

fn name(id: Option<TokenId>) -> String {
    id.map_or_else(|| "an unreadable id".to_owned(), |id| id.to_string())
}
