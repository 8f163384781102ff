//! Taking one of a token's counted uses, and storing when tokens were last used.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use keyfob_store::{
    Consumed, Lane, LastUse, Operation, StoreError, TimeBucket, Timestamp, TokenId,
};

use super::outcome::failure;
use super::shared::Shared;
use crate::connections::Call;
use crate::keys;
use crate::protocol::arg::Arg;
use crate::protocol::constants::reply;
use crate::protocol::signatures::{TouchedArgs, TouchedKeys, consume, touch};

/// The maximum number of last uses in one call.
const MAX_TOUCHED: usize = 500;

impl Shared {
    pub(super) async fn consume(
        &self,
        operation: Operation,
        id: TokenId,
    ) -> Result<Consumed, StoreError> {
        let lane = id.lane();
        let keys = consume::Keys {
            lane: self.keys.lane(lane),
            answer: self.keys.answer(lane, operation.id),
            record: self.keys.record(id),
            count_directory: self.keys.count_directory(lane),
        };
        let args = consume::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(operation.deadline),
            id_suffix: keys::id_suffix(id)[..].into(),
        };
        let mut call = Call::new(&self.scripts.consume, keys, args);
        let sent = self.write(lane, &mut call).await;
        let mut outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::USES_LEFT => Ok(Consumed::Left(outcome.next()?.number()? as u32)),
            reply::EXHAUSTED => Ok(Consumed::Exhausted),
            reply::REFUSED => Ok(Consumed::Refused),
            _ => Err(failure(outcome, operation, Some(id))),
        }
    }

    pub(super) async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        let mut by_lane: BTreeMap<Lane, Vec<&LastUse>> = BTreeMap::new();
        for last_use in uses {
            by_lane.entry(last_use.id.lane()).or_default().push(last_use);
        }
        let batches = by_lane.iter().flat_map(|(lane, uses)| {
            uses.chunks(MAX_TOUCHED).map(|batch| self.touch_batch(*lane, batch))
        });
        try_join_all(batches).await.map(drop)
    }

    async fn touch_batch(&self, lane: Lane, uses: &[&LastUse]) -> Result<(), StoreError> {
        let mut keys = Vec::from(touch::Keys {
            lane: self.keys.lane(lane),
            count_directory: self.keys.count_directory(lane),
        });
        let mut args = Vec::from(touch::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
        });
        for last_use in uses {
            keys.extend(Vec::from(TouchedKeys {
                record: self.keys.record(last_use.id),
                last_use: self.keys.last_use(last_use.id),
            }));
            args.extend(Vec::from(TouchedArgs {
                id_suffix: keys::id_suffix(last_use.id)[..].into(),
                used_at: last_use.at.as_millis().into(),
                moved_end_bucket: self.moved_end_bucket(last_use.ends_at),
            }));
        }
        let mut call = Call::new(&self.scripts.touch, keys, args);
        self.write(lane, &mut call).await.map(drop).map_err(|failed| failed.error)
    }

    /// The time bucket that a token's end has moved to; empty if the end has not moved.
    pub(super) fn moved_end_bucket(&self, ends_at: Option<Timestamp>) -> Arg {
        match ends_at {
            Some(ends_at) => TimeBucket::of_end(ends_at, self.now()).to_bytes()[..].into(),
            None => Arg::none(),
        }
    }
}
