//! Replacing a record, together with what is minted from it.

use keyfob_store::{
    Invalidation, NewRecord, Operation, RecordVersion, Replace, Replaced, StoreError,
};

use super::insert::{are_broad, have_duplicate_ids, outlives_retries};
use super::outcome::failure;
use super::shared::Shared;
use crate::connections::Call;
use crate::feed::signal;
use crate::keys;
use crate::protocol::arg::Arg;
use crate::protocol::constants::reply;
use crate::protocol::signatures::replace;

impl Shared {
    pub(super) async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let (id, lane) = (replace.id, replace.id.lane());
        NewRecord::check_body(&replace.body)?;
        self.check_new_records(&replace.minted, lane)?;
        if have_duplicate_ids(&replace.minted) {
            return Ok(Replaced::IdTaken);
        }
        let is_remembered_by_minted =
            replace.minted.first().is_some_and(|first| outlives_retries(first, operation));
        let mut keys = Vec::from(replace::Keys {
            lane: self.keys.lane(lane),
            stream: self.keys.events(lane),
            answer: self.keys.answer(lane, operation.id),
            record: self.keys.record(id),
            signal: self.keys.signal(lane, &signal::write([Invalidation::of(id)])),
            count_directory: self.keys.count_directory(lane),
        });
        keys.extend(replace.added_terms.iter().map(|term| self.keys.head(lane, *term)));
        let mut args = Vec::from(replace::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(operation.deadline),
            id_suffix: keys::id_suffix(id)[..].into(),
            entry_cap: self.stream_cap().into(),
            stream_expires_at: self.stream_expires_at(),
            entry_count: replace.events.len().into(),
            version: u64::from(replace.read.0).into(),
            body: replace.body.into(),
            key_version: u64::from(replace.key.value()).into(),
            moved_end_bucket: self.moved_end_bucket(replace.ends_at),
            added_count: replace.added_terms.len().into(),
            are_broad: are_broad(replace.added_terms.iter()).into(),
            minted_count: replace.minted.len().into(),
            remember_answer: Arg::flag(!is_remembered_by_minted),
        });
        self.describe(&replace.minted, operation, &mut keys, &mut args);
        args.extend(replace.events.into_iter().map(Arg::from));
        let mut call = Call::new(&self.scripts.replace, keys, args);
        let sent = self.write(lane, &mut call).await;
        let mut outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::STORED => Ok(Replaced::Stored(RecordVersion(outcome.next()?.number()? as u32))),
            reply::STALE => Ok(Replaced::Stale),
            reply::ENDED => Ok(Replaced::Ended),
            reply::MISSING => Ok(Replaced::Missing),
            reply::ID_TAKEN => Ok(Replaced::IdTaken),
            _ => Err(failure(outcome, operation, Some(id))),
        }
    }
}
