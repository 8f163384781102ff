//! Reads of one record or one lane.

use futures_util::future::try_join_all;
use keyfob_store::{
    Invalidation, Lane, Loaded, MonotonicInstant, Stamp, StoreError, Term, TokenId,
};

use super::Shared;
use crate::net::{Call, Reply, next};
use crate::record::Read;

/// How many leaves one call counts at most.
const LEAVES: u64 = 2_000;

impl Shared {
    pub(super) async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        let keys = &self.keys;
        let names = vec![keys.lane(id.lane()), keys.record(id), keys.last_use(id), keys.note(id)];
        let call = Call::new(&self.scripts.load, names, Vec::new());
        let (reply, server) = self.net.read_somewhere(keys.slot(id.lane()), &call).await?;
        self.feed.loaded_from(id.lane(), Invalidation::of(id), &server);
        if reply.is_nil() {
            return Ok(None);
        }
        // Under Sentinel it proves nothing about later than when its server was last named.
        let vouched = self.net.vouched(&server).unwrap_or(MonotonicInstant::from_nanos(0));
        let sent = call.sent().min(vouched);
        let loaded = Loaded { sent, ..read(reply)?.loaded(id.local())? };
        // Another id may begin with the same ten bytes.
        Ok(Some(loaded).filter(|loaded| loaded.id == id))
    }

    pub(super) async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        let call = Call::new(&self.scripts.stamp, vec![self.keys.lane(lane)], Vec::new());
        let stamp = self.net.read(self.keys.slot(lane), &call).await?;
        Ok(Stamp::new(stamp.number()?))
    }

    pub(super) async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        let counts = self.lanes(lane).into_iter().map(|lane| self.count_in(term, lane));
        Ok(try_join_all(counts).await?.into_iter().sum())
    }

    async fn count_in(&self, term: Term, lane: Lane) -> Result<u64, StoreError> {
        let (mut total, mut from) = (0, Vec::new());
        loop {
            let args = vec![LEAVES.into(), from.into()];
            let call = Call::new(&self.scripts.count, self.lane_and_heads(lane, term), args);
            let mut parts = self.net.read(self.keys.slot(lane), &call).await?.array()?.into_iter();
            let more = next(&mut parts)?.optional()?;
            total += next(&mut parts)?.number()?;
            match more {
                Some(more) => from = more,
                None => return Ok(total),
            }
        }
    }

    /// The lane that is named, if there is one like that; all where none is.
    pub(super) fn lanes(&self, named: Option<Lane>) -> Vec<Lane> {
        let lanes = self.namespace.lanes().lanes();
        lanes.filter(|lane| named.is_none_or(|named| named == *lane)).collect()
    }

    pub(super) fn lane_and_heads(&self, lane: Lane, term: Term) -> Vec<Vec<u8>> {
        let mut names = vec![self.keys.lane(lane)];
        names.extend(self.keys.heads(lane, term));
        names
    }
}

/// What the load script and the page scripts say of a record.
pub(super) fn read(reply: Reply) -> Result<Read, StoreError> {
    let mut parts = reply.array()?.into_iter();
    let record = next(&mut parts)?.bytes()?;
    let mut optional = || parts.next().map_or(Ok(None), Reply::optional);
    let (last_used, note) = (optional()?, optional()?);
    let lane = match parts.next() {
        Some(lane) => lane.array()?.into_iter().map(Reply::optional).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Read { record, last_used, note, lane })
}
