//! Reads of one record or one lane.

use std::sync::Arc;

use futures_util::future::{try_join, try_join_all};
use keyfob_store::{
    Invalidation, Lane, Loaded, MonotonicInstant, Stamp, StoreError, Term, TokenId,
};

use redis::Value;

use super::shared::Shared;
use crate::connections::{Answerer, Call, Reply, next};
use crate::protocol::signatures::{count, load, load_existing, read_string, stamp};
use crate::record::StoredRecord;

/// How often a load is repeated because another primary answers each time.
const MAX_NEW_PRIMARIES: usize = 8;

/// The maximum number of index leaves that one call counts.
const LEAF_BUDGET: u64 = 2_000;

/// The answer to one call for a record.
struct Answer {
    loaded: Option<Loaded>,
    /// The primary that answered, if one did.
    primary: Option<Arc<str>>,
    /// When the call was sent.
    sent: MonotonicInstant,
}

impl Shared {
    pub(super) async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        for _ in 0..MAX_NEW_PRIMARIES {
            let Answer { loaded, primary, sent } = self.load_once(id).await?;
            let Some(primary) = primary else { return Ok(loaded) };
            // The background task may have sent the revocations since, but after this call.
            if self.feed.recent.was_settled(id.lane(), &primary, sent) {
                return Ok(loaded);
            }
            // When this primary answered, it may have lacked what this node knows to be revoked.
            self.catch_up_in_time(id.lane(), primary).await?;
        }
        Err(StoreError::unavailable("the primary has changed several times"))
    }

    async fn load_once(&self, id: TokenId) -> Result<Answer, StoreError> {
        let keys = &self.keys;
        let load_keys = load::Keys {
            lane: keys.lane(id.lane()),
            record: keys.record(id),
            last_use: keys.last_use(id),
            note: keys.note(id),
        };
        let mut call = Call::new(&self.scripts.load, load_keys, []);
        call.can_be_split = true;
        let slot = keys.slot(id.lane());
        let answer = async {
            match self.connections.run_with_address(slot, &call).await {
                Err(failed) if failed.is_split => Ok(None),
                answer => answer.map(Some).map_err(|failed| failed.error),
            }
        };
        // The first failure is the answer: the other may wait for long.
        let (answer, seen) = try_join(answer, self.namespace_seen(id.lane())).await?;
        let first_sent = call.sent();
        let (reply, answerer) = match answer {
            None => self.load_from_moving_slot(id).await?,
            Some(answer) => answer,
        };
        self.feed.loaded_from(id.lane(), Invalidation::of(id), &answerer.address);
        if reply.is_nil() {
            return Ok(Answer { loaded: None, primary: answerer.primary, sent: first_sent });
        }
        // An answer proves nothing about the time after its server was last confirmed, nor about the time
        // after the namespace was last seen.
        let sent = first_sent.min(answerer.confirmed).min(seen);
        let mut stored = stored_record(reply)?;
        if self.guard.is_foreign(stored.lane_tag()) {
            self.find_namespace_in(id.lane()).await?;
            stored = stored.without_lane();
        }
        let loaded = Loaded { sent, ..stored.into_loaded(id.local())? };
        // Another id may begin with the same ten bytes.
        let loaded = Some(loaded).filter(|loaded| loaded.id == id);
        Ok(Answer { loaded, primary: answerer.primary, sent: first_sent })
    }

    /// Loads a record from a slot that is being moved. The keys that usually do not exist are read one by
    /// one, because a server that lacks one of several keys refuses the call.
    async fn load_from_moving_slot(&self, id: TokenId) -> Result<(Reply, Answerer), StoreError> {
        let keys = &self.keys;
        let slot = keys.slot(id.lane());
        let existing = load_existing::Keys { lane: keys.lane(id.lane()), record: keys.record(id) };
        let call = Call::new(&self.scripts.load_existing, existing, []);
        let (reply, answerer) = self.connections.read_with_address(slot, &call).await?;
        let Value::Array(mut parts) = reply.0 else { return Ok((reply, answerer)) };
        for (position, key) in [(1, keys.last_use(id)), (2, keys.note(id))] {
            let call = Call::new(&self.scripts.read_string, read_string::Keys { key }, []);
            let value = self.connections.read(slot, &call).await?;
            if let Some(part) = parts.get_mut(position) {
                *part = value.0;
            }
        }
        Ok((Reply(Value::Array(parts)), answerer))
    }

    pub(super) async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        let keys = stamp::Keys { lane: self.keys.lane(lane) };
        let args =
            stamp::Args { namespace: self.lane_tag(), create_lane_until: self.create_lane_until() };
        let mut call = Call::new(&self.scripts.stamp, keys, args);
        let mut outcome = self.write(lane, &mut call).await.map_err(|failed| failed.error)?;
        Ok(Stamp::new(outcome.next()?.number()?))
    }

    pub(super) async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        let counts = self.lanes(lane).into_iter().map(|lane| self.count_in(term, lane));
        Ok(try_join_all(counts).await?.into_iter().sum())
    }

    /// Counts in one lane, which has the same share of every long list.
    pub(super) async fn estimate(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        let lanes = self.lanes(lane);
        let Some(sample) = lanes.first() else { return Ok(0) };
        Ok(self.count_in(term, *sample).await?.saturating_mul(lanes.len() as u64))
    }

    async fn count_in(&self, term: Term, lane: Lane) -> Result<u64, StoreError> {
        let (mut total, mut resume_at) = (0, Vec::new());
        loop {
            let args = count::Args { leaf_budget: LEAF_BUDGET.into(), resume_at: resume_at.into() };
            let call = Call::new(&self.scripts.count, self.keys.heads(lane, term), args);
            let mut parts =
                self.connections.read(self.keys.slot(lane), &call).await?.array()?.into_iter();
            let more = next(&mut parts)?.optional()?;
            total += next(&mut parts)?.number()?;
            match more {
                Some(more) => resume_at = more,
                None => return Ok(total),
            }
        }
    }

    /// Returns one lane, if the namespace has it, or all lanes if `only` is `None`.
    pub(super) fn lanes(&self, only: Option<Lane>) -> Vec<Lane> {
        let lanes = self.namespace.lanes().lanes();
        lanes.filter(|lane| only.is_none_or(|only| only == *lane)).collect()
    }
}

/// Reads a record as `load.lua` and `load_records.lua` answer it.
pub(super) fn stored_record(reply: Reply) -> Result<StoredRecord, StoreError> {
    let mut parts = reply.array()?.into_iter();
    let record = next(&mut parts)?.bytes()?;
    let mut optional = || parts.next().map_or(Ok(None), Reply::optional);
    let (last_used, note) = (optional()?, optional()?);
    let epochs = match parts.next() {
        Some(epochs) => {
            epochs.array()?.into_iter().map(Reply::optional).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    Ok(StoredRecord { record, last_used, note, epochs })
}
