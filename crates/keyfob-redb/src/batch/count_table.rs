//! The table of counts. A batch changes the same few rows many times, so they are written once, at its
//! end.

use std::collections::BTreeMap;

use keyfob_store::{BucketCounts, CountBucket, CountColumn, TimeBucket};
use keyfob_store::{EpochField, Lane, Timestamp, TokenId};
use redb::ReadableTable;

use crate::error::TxError;
use crate::row;
use crate::tables::{self, ByteTableMut};

/// The maximum number of expired rows that a batch drops, in addition to the number that it wrote.
const MAX_DROPPED_PER_BATCH: usize = 16;

/// The table of counts, with the rows that wait to be written.
pub(super) struct Counts<'txn> {
    table: ByteTableMut<'txn>,
    changed: BTreeMap<Vec<u8>, BucketCounts>,
}

/// The properties of a record that say where it is counted.
pub(super) struct CountedRecord {
    pub(super) id: TokenId,
    pub(super) lane: Lane,
    pub(super) counted_in: CountBucket,
    pub(super) client: Option<EpochField>,
}

impl<'txn> Counts<'txn> {
    pub(super) fn of(table: ByteTableMut<'txn>) -> Self {
        Self { table, changed: BTreeMap::new() }
    }

    /// Writes the changed rows and drops rows of buckets that have ended.
    pub(super) fn write(mut self, now: Timestamp) -> Result<(), TxError> {
        let max_dropped = MAX_DROPPED_PER_BATCH + self.changed.len();
        for (key, counts) in &self.changed {
            self.table.insert(key.as_slice(), row::write_counts(counts).as_slice())?;
        }
        for _ in 0..max_dropped {
            let first = self.table.first()?.map(|(key, _)| key.value().to_vec());
            let is_over = |key: &Vec<u8>| tables::leading_time(key).is_none_or(|to| to <= now);
            let Some(key) = first.filter(is_over) else { break };
            self.table.remove(key.as_slice())?;
        }
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        counted: &CountedRecord,
        bucket: TimeBucket,
        column: CountColumn,
        count: i64,
    ) -> Result<(), TxError> {
        let CountedRecord { id, lane, counted_in: CountBucket { kind, .. }, client } = *counted;
        let key = tables::count_key(lane, bucket, kind, client);
        let counts = match self.changed.get_mut(&key) {
            Some(counts) => counts,
            None => {
                let mut counts = BucketCounts::new(bucket, kind, client);
                if let Some(row) = self.table.get(key.as_slice())? {
                    // A damaged count starts again from zero. No command fails because of it.
                    let _damaged = row::read_counts(row.value(), &mut counts);
                }
                self.changed.entry(key).or_insert(counts)
            }
        };
        counts.add(column, count);
        if column == CountColumn::Stored && count > 0 {
            counts.sample = counts.sample.or(Some(id));
        }
        Ok(())
    }

    /// Counts all records of a client in a lane as revoked, or with `None` all records of the lane.
    pub(super) fn count_all_revoked(
        &mut self,
        lane: Lane,
        client: Option<EpochField>,
    ) -> Result<(), TxError> {
        for row in self.table.iter()? {
            let (key, row) = row?;
            let Some((row_lane, mut counts)) = tables::parse_count_key(key.value()) else {
                continue;
            };
            if row_lane == lane && !self.changed.contains_key(key.value()) {
                let _damaged = row::read_counts(row.value(), &mut counts);
                self.changed.insert(key.value().to_vec(), counts);
            }
        }
        for (key, counts) in &mut self.changed {
            let is_of_lane =
                tables::parse_count_key(key).is_some_and(|(row_lane, _)| row_lane == lane);
            if is_of_lane && (client.is_none() || counts.client == client) {
                counts.end();
            }
        }
        Ok(())
    }
}
