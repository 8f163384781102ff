//! Inserting new records, and how a call describes them.

use std::collections::HashSet;

use keyfob_store::{
    Insert, Inserted, Lane, NewRecord, Operation, Stamp, StampRule, StoreError, TimeBucket, Ttl,
};

use super::outcome::failure;
use super::shared::Shared;
use crate::config::misconfigured;
use crate::connections::Call;
use crate::protocol::arg::Arg;
use crate::protocol::constants::{SCORE_EPOCH_SECS, counts, reply};
use crate::protocol::signatures::{NewRecordArgs, insert};
use crate::record;

impl Shared {
    pub(super) async fn insert(
        &self,
        operation: Operation,
        insert: Insert,
    ) -> Result<Inserted, StoreError> {
        let Some(lane) = insert.records.first().map(|first| first.id.lane()) else {
            return Err(misconfigured(
                "an insert needs at least one record, such as a token's own",
            ));
        };
        self.check_new_records(&insert.records, lane)?;
        if have_duplicate_ids(&insert.records) {
            return Ok(Inserted::IdTaken);
        }
        let outlives = |record: &NewRecord| outlives_retries(record, operation);
        let is_remembered_by_records = insert.records.iter().any(outlives);
        let mut keys = Vec::from(insert::Keys {
            lane: self.keys.lane(lane),
            stream: self.keys.events(lane),
            answer: self.keys.answer(lane, operation.id),
        });
        let mut args = Vec::from(insert::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(operation.deadline),
            remember_answer: Arg::flag(!is_remembered_by_records),
            entry_cap: self.stream_cap().into(),
            stream_expires_at: self.stream_expires_at(),
            entry_count: insert.events.len().into(),
            record_count: insert.records.len().into(),
        });
        self.describe(&insert.records, operation, &mut keys, &mut args);
        args.extend(insert.events.into_iter().map(Arg::from));
        let mut call = Call::new(&self.scripts.insert, keys, args);
        let sent = self.write(lane, &mut call).await;
        let mut outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::STORED => Ok(Inserted::Stored(Stamp::new(outcome.next()?.number()?))),
            reply::ID_TAKEN => Ok(Inserted::IdTaken),
            reply::SUPERSEDED => Ok(Inserted::Superseded),
            _ => Err(failure(outcome, operation, None)),
        }
    }

    /// Adds new records to the keys and the arguments of a call.
    pub(super) fn describe(
        &self,
        records: &[NewRecord],
        operation: Operation,
        keys: &mut Vec<Vec<u8>>,
        args: &mut Vec<Arg>,
    ) {
        let now = self.now();
        for new in records {
            let keep_until = new.keep_until.as_millis();
            let life = keep_until.saturating_sub(now.as_millis());
            let lane = new.id.lane();
            keys.push(self.keys.record(new.id));
            keys.extend(new.terms.iter().map(|term| self.keys.head_for(lane, *term, life / 1000)));
            let bucket = new.counted.map(|counted| counted.place(now));
            let times: Vec<TimeBucket> = bucket.iter().flat_map(|bucket| bucket.spans()).collect();
            keys.extend(times.iter().map(|time| self.keys.count_bucket(lane, *time)));
            let field = |column| {
                let field = bucket.map(|it| record::count_field(column, it.kind, &new.epochs));
                field.unwrap_or_default()
            };
            let is_exhausted = new.uses_left == Some(0);
            let group = NewRecordArgs {
                before_stamp: record::before_stamp(new).into(),
                after_stamp: record::after_stamp(new, operation.id, bucket).into(),
                keep_until: keep_until.into(),
                score: keep_until.div_ceil(1000).saturating_sub(SCORE_EPOCH_SECS).into(),
                index_expires_at: in_coarse_steps(keep_until, life).into(),
                seen_stamp: match new.stamp {
                    StampRule::Present => Arg::none(),
                    StampRule::Seen(stamp) => stamp.value().into(),
                },
                epoch_fields: record::epoch_fields(&new.epochs).into(),
                term_count: new.terms.len().into(),
                bucket_count: times.len().into(),
                stored_field: field(counts::STORED).into(),
                exhausted_field: match is_exhausted {
                    true => field(counts::EXHAUSTED).into(),
                    false => Arg::none(),
                },
            };
            args.extend(Vec::from(group));
        }
    }

    pub(super) fn check_new_records(
        &self,
        records: &[NewRecord],
        lane: Lane,
    ) -> Result<(), StoreError> {
        records.iter().try_for_each(|record| NewRecord::check_body(&record.body))?;
        if records.iter().any(|record| record.id.lane() != lane) {
            return Err(misconfigured(
                "records that are stored in one step must be of one lane, such as a token and what \
                 is minted from it",
            ));
        }
        if !records.is_empty() && lane.number() >= self.namespace.lanes().get() {
            return Err(misconfigured(format!(
                "this namespace has no lane {}: draw the id for a lane of Store::namespace",
                lane.number()
            )));
        }
        Ok(())
    }
}

/// Returns a time not before `keep_until`, in steps of about a sixteenth of the life. So most records find
/// that the keys of their indexes expire late enough, and nothing has to be replicated.
fn in_coarse_steps(keep_until: u64, life: u64) -> u64 {
    let step = 1 << (life / 16).checked_ilog2().unwrap_or(0);
    keep_until.next_multiple_of(step)
}

/// Returns whether a new record outlives the deadline of its operation, and so remembers the operation
/// for as long as it may be sent again.
pub(super) fn outlives_retries(record: &NewRecord, operation: Operation) -> bool {
    record.keep_until > operation.deadline + Ttl::from_secs(60)
}

/// Returns whether two of the records would have one key. A script would find that out only after it has
/// stored one of them.
pub(super) fn have_duplicate_ids(records: &[NewRecord]) -> bool {
    let mut seen = HashSet::new();
    !records.iter().all(|record| seen.insert(record.id.local()))
}

/// Returns the bytes of a broad or narrow mark for each term, as the scripts read them.
pub(super) fn are_broad<'a>(terms: impl Iterator<Item = &'a keyfob_store::Term>) -> Vec<u8> {
    terms.map(|term| if term.field().is_broad() { b'1' } else { b'0' }).collect()
}
