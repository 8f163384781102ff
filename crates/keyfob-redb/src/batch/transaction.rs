//! The open tables of one write transaction, and what every command needs: the saved answers and the
//! records.

use keyfob_store::*;
use redb::{ReadableTable, WriteTransaction};

use super::count_table::Counts;
use crate::error::TxError;
use crate::event_log::EventLog;
use crate::format;
use crate::pending_keys::PendingKeys;
use crate::reader::Reader;
use crate::row::{Record, Savable, SavedAnswer};
use crate::tables::{self, ByteTableMut, KeyTableMut};

/// One write transaction with its open tables.
pub(crate) struct Batch<'txn> {
    pub(super) meta: ByteTableMut<'txn>,
    pub(super) records: ByteTableMut<'txn>,
    pub(super) last_used: ByteTableMut<'txn>,
    pub(super) index: KeyTableMut<'txn, { tables::INDEX_BYTES }>,
    pub(super) forget: KeyTableMut<'txn, { tables::FORGET_BYTES }>,
    pub(super) lanes: ByteTableMut<'txn>,
    pub(super) epoch_ends: ByteTableMut<'txn>,
    pub(super) events: EventLog<'txn>,
    pub(super) observations: EventLog<'txn>,
    pub(super) trimmed: ByteTableMut<'txn>,
    pub(super) answers: ByteTableMut<'txn>,
    pub(super) counts: Counts<'txn>,
    /// For tables that few commands use.
    pub(super) transaction: &'txn WriteTransaction,
    pub(super) index_rows: PendingKeys<{ tables::INDEX_BYTES }>,
    pub(super) forget_rows: PendingKeys<{ tables::FORGET_BYTES }>,
    pub(super) lane_count: LaneCount,
    /// No row expires before this time.
    pub(super) next_expiry: Timestamp,
    /// Writes under a lower key version are refused.
    pub(super) min_key_version: KeyVersion,
    /// The key of an answer that this transaction saves.
    pub(crate) saved_answer: Option<Vec<u8>>,
    /// The current time, set before each command.
    pub(crate) now: Timestamp,
}

impl<'txn> Batch<'txn> {
    pub(crate) fn open(
        transaction: &'txn WriteTransaction,
        lane_count: LaneCount,
        now: Timestamp,
    ) -> Result<Self, TxError> {
        let table = |definition| transaction.open_table(definition);
        let meta = table(tables::META)?;
        Ok(Self {
            records: table(tables::RECORDS)?,
            last_used: table(tables::LAST_USED)?,
            index: transaction.open_table(tables::INDEX)?,
            forget: transaction.open_table(tables::FORGET)?,
            lanes: table(tables::LANES)?,
            epoch_ends: table(tables::EPOCH_ENDS)?,
            events: EventLog::open(transaction, Feed::Events)?,
            observations: EventLog::open(transaction, Feed::Observations)?,
            trimmed: table(tables::TRIMMED)?,
            answers: table(tables::ANSWERS)?,
            counts: Counts::of(table(tables::COUNTS)?),
            transaction,
            index_rows: PendingKeys::default(),
            forget_rows: PendingKeys::default(),
            lane_count,
            next_expiry: Timestamp::default(),
            min_key_version: format::min_key_version(&meta)?,
            meta,
            saved_answer: None,
            now,
        })
    }

    /// Writes the pending rows. After that the transaction can be committed.
    pub(crate) fn finish(mut self) -> Result<(), TxError> {
        self.index_rows.write(&mut self.index)?;
        self.forget_rows.write(&mut self.forget)?;
        self.counts.write(self.now)
    }

    pub(super) fn reader(&self) -> Reader<'_, ByteTableMut<'txn>> {
        Reader {
            records: &self.records,
            last_used: &self.last_used,
            lanes: &self.lanes,
            lane_count: self.lane_count,
        }
    }

    /// Starts a write command. Returns the saved answer if the operation was executed before.
    pub(super) fn begin<T: Savable>(
        &mut self,
        operation: &Operation,
    ) -> Result<Option<T>, TxError> {
        self.drop_expired()?;
        // Saved answers are dropped at the deadline, so an operation is refused after it.
        if self.now > operation.deadline {
            return Err(StoreError::DeadlinePassed { operation: operation.id }.into());
        }
        let Some(row) = self.answers.get(tables::answer_key(operation).as_slice())? else {
            return Ok(None);
        };
        let answer = SavedAnswer::read(row.value()).map_err(|damaged| damaged.of(operation.id))?;
        Ok(T::from_saved(answer))
    }

    pub(super) fn answer<T: Savable>(
        &mut self,
        operation: &Operation,
        answer: T,
    ) -> Result<T, TxError> {
        if let Some(kept) = answer.to_saved() {
            let key = tables::answer_key(operation);
            self.answers.insert(key.as_slice(), kept.write().as_slice())?;
            self.saved_answer = Some(key.to_vec());
        }
        Ok(answer)
    }

    /// Returns the record of a token and its verdict, if the record is kept now.
    pub(super) fn record(
        &self,
        id: TokenId,
    ) -> Result<Option<(Record<'static>, Verdict)>, TxError> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(None);
        };
        let record = Record::read(row.value()).map_err(|damaged| damaged.of(id))?;
        if record.id != id || record.keep_until <= self.now {
            return Ok(None);
        }
        let verdict = self.reader().verdict_on(&record)?;
        Ok(Some((record.into_owned(), verdict)))
    }
}
