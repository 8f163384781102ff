//! Pages of the records under a term, merged from its lanes.
//!
//! Each lane is asked for a share of the page, all at the same time. The records of the lanes
//! are merged in order. If all records of a lane are used up and the lane may have more, it is
//! asked again, for more, before the page continues. So a page is exact, and no lane is read much further than its
//! share. The page names the lanes that cannot be reached. Records of many lanes are read in two steps; see `listed`.

use std::cmp::Ordering;
use std::collections::VecDeque;

use futures_util::future::join_all;
use keyfob_store::{
    Lane, Listed, Loaded, Order, Position, Query, RecordPage, StoreError, Term, TokenId,
};

use super::load::stored_record;
use super::missing_lanes::MissingLanes;
use super::shared::Shared;
use crate::connections::{Call, Reply, next};
use crate::namespace_guard::NamespaceGuard;
use crate::protocol::constants::SCORE_EPOCH_SECS;
use crate::protocol::signatures::{query_expiring, query_newest};

/// The part of an id that an index holds.
pub(super) type LocalId = [u8; TokenId::LOCAL_BYTES];

/// The number of index leaves that one call in order of expiry reads.
const EXPIRING_LEAF_BUDGET: u64 = 512;

/// How far the query has read one lane.
pub(super) struct LaneQuery<R> {
    pub(super) lane: Lane,
    pub(super) resume: ResumeAt,
    /// Records that were read and are not yet on a page.
    pub(super) ready: VecDeque<R>,
    pub(super) is_finished: bool,
    /// The number of records that it is asked for next.
    pub(super) share: usize,
}

/// Where to resume reading a lane.
#[derive(Clone, Debug)]
pub(super) enum ResumeAt {
    /// Below this id, or at the newest id.
    Below(Option<LocalId>),
    /// After this score and, at the same score, after this id, or at the beginning.
    After(Option<(u64, LocalId)>),
}

/// What a page lists: records, their heads, or their ids.
pub(super) trait ReadLane: Listed + Send + Sized {
    /// The maximum number that one call returns.
    const MAX_SHARE: usize;

    /// Reads about as many as the share of a lane, below an id or from the newest on. Returns the id to resume below;
    /// `None`: the lane has no more.
    fn read_newest(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
        below: Option<LocalId>,
    ) -> impl Future<Output = Result<Option<LocalId>, StoreError>> + Send;

    /// Reads in order of expiry, after a position. Only records are read in this order.
    fn read_expiring(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
        after: Option<(u64, LocalId)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ignored = (shared, term, after);
        query.is_finished = true;
        std::future::ready(Ok(()))
    }

    /// Reads until there is one, or the lane has no more.
    fn read_more(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move {
            while query.ready.is_empty() && !query.is_finished {
                match query.resume.clone() {
                    ResumeAt::Below(id) => {
                        match Self::read_newest(shared, term, query, id).await? {
                            Some(id) => query.resume = ResumeAt::Below(Some(id)),
                            None => query.is_finished = true,
                        }
                    }
                    ResumeAt::After(after) => {
                        Self::read_expiring(shared, term, query, after).await?;
                    }
                }
            }
            Ok(())
        }
    }
}

impl ReadLane for Loaded {
    const MAX_SHARE: usize = 500;

    async fn read_newest(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
        below: Option<LocalId>,
    ) -> Result<Option<LocalId>, StoreError> {
        shared.read_newest(term, query, below).await
    }

    async fn read_expiring(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
        after: Option<(u64, LocalId)>,
    ) -> Result<(), StoreError> {
        shared.read_expiring(term, query, after).await
    }
}

impl Shared {
    /// Returns one page, of records, of their heads or of their ids.
    pub(super) async fn query<R: ReadLane>(
        &self,
        query: &Query,
    ) -> Result<RecordPage<R>, StoreError> {
        let limit = query.limit.max(1);
        let lanes = self.lanes(query.lane);
        // One more than asked for shows whether another page follows.
        let share = share_of(limit + 1, lanes.len());
        let begin = |lane| LaneQuery {
            lane,
            resume: first_position(lane, query.order, query.after),
            ready: VecDeque::new(),
            is_finished: false,
            share: share.min(R::MAX_SHARE),
        };
        let mut queries: Vec<LaneQuery<R>> = lanes.into_iter().map(begin).collect();
        let (mut records, mut missing) = (Vec::new(), MissingLanes::default());
        loop {
            let wanted = limit + 1 - records.len();
            let used_up =
                queries.iter_mut().filter(|lane| lane.ready.is_empty() && !lane.is_finished);
            let more = used_up.map(async |lane| {
                lane.share = lane.share.min(wanted);
                let outcome = R::read_more(self, query.term, lane).await;
                // A term may be in few lanes only. So a lane that gave all that it was asked for is asked for more.
                lane.share = (4 * lane.share).min(limit + 1).min(R::MAX_SHARE);
                // A lane that cannot be reached has nothing more for this page.
                lane.is_finished |= outcome.is_err();
                (lane.lane, outcome)
            });
            for (lane, outcome) in join_all(more).await {
                missing.or_missing(lane, outcome)?;
            }
            while queries.iter().all(|lane| lane.is_finished || !lane.ready.is_empty()) {
                let Some(record) = take_first(&mut queries, query.order) else {
                    let missing = missing.unless_all(queries.len())?;
                    return Ok(RecordPage { records, next: None, missing });
                };
                if records.len() == limit {
                    let next = records.last().map(Position::of);
                    let missing = missing.unless_all(queries.len())?;
                    return Ok(RecordPage { records, next, missing });
                }
                records.push(record);
            }
        }
    }

    async fn read_newest(
        &self,
        term: Term,
        query: &mut LaneQuery<Loaded>,
        below: Option<LocalId>,
    ) -> Result<Option<LocalId>, StoreError> {
        let (lane, share) = (query.lane, query.share);
        let mut keys = Vec::from(query_newest::Keys { lane: self.keys.lane(lane) });
        keys.extend(self.keys.heads(lane, term));
        let args = query_newest::Args {
            limit: share.into(),
            leaf_budget: (4 + share / 32).into(),
            below: below.map_or_else(Vec::new, |id| id.to_vec()).into(),
            record_prefix: self.keys.prefix('r', lane).into(),
            last_use_prefix: self.keys.prefix('u', lane).into(),
            note_prefix: self.keys.prefix('n', lane).into(),
        };
        let call = Call::new(&self.scripts.query_newest, keys, args);
        let mut parts =
            self.connections.read(self.keys.slot(lane), &call).await?.array()?.into_iter();
        let resume_below = next(&mut parts)?.optional()?;
        query.ready.extend(records(next(&mut parts)?, &self.guard)?);
        resume_below.map(|id| local_id(&id)).transpose()
    }

    async fn read_expiring(
        &self,
        term: Term,
        query: &mut LaneQuery<Loaded>,
        after: Option<(u64, LocalId)>,
    ) -> Result<(), StoreError> {
        let (lane, share) = (query.lane, query.share);
        let (mut resume_at, mut found, mut end) = (Vec::new(), Vec::new(), None);
        loop {
            let (score, id) = match after {
                Some((score, id)) => (score.to_string().into_bytes(), id.to_vec()),
                None => (Vec::new(), Vec::new()),
            };
            let mut keys = Vec::from(query_expiring::Keys { lane: self.keys.lane(lane) });
            keys.extend(self.keys.heads(lane, term));
            let args = query_expiring::Args {
                limit: share.into(),
                leaf_budget: EXPIRING_LEAF_BUDGET.into(),
                resume_at: resume_at.into(),
                after_score: score.into(),
                after_id: id.into(),
                record_prefix: self.keys.prefix('r', lane).into(),
                last_use_prefix: self.keys.prefix('u', lane).into(),
                note_prefix: self.keys.prefix('n', lane).into(),
            };
            let call = Call::new(&self.scripts.query_expiring, keys, args);
            let reply = self.connections.read(self.keys.slot(lane), &call).await?;
            let mut parts = reply.array()?.into_iter();
            let more = next(&mut parts)?.optional()?;
            let cut = next(&mut parts)?;
            if !cut.is_nil() {
                let mut cut = cut.array()?.into_iter();
                let cut = (next(&mut cut)?.number()?, local_id(&next(&mut cut)?.bytes()?)?);
                end = Some(end.map_or(cut, |end: (u64, LocalId)| end.min(cut)));
            }
            found.extend(records(next(&mut parts)?, &self.guard)?);
            match more {
                Some(more) => resume_at = more,
                None => break,
            }
        }
        // After the first position at which an answer was cut, other leaves may have more.
        let position = |loaded: &Loaded| {
            let secs = Position::of(loaded).keep_until_secs;
            (secs.saturating_sub(SCORE_EPOCH_SECS), loaded.id.local())
        };
        found.retain(|loaded| end.is_none_or(|end| position(loaded) <= end));
        found.sort_by_key(position);
        found.dedup_by_key(|loaded| loaded.id);
        query.ready.extend(found);
        match end {
            Some(end) => query.resume = ResumeAt::After(Some(end)),
            None => query.is_finished = true,
        }
        Ok(())
    }
}

/// Returns how many records to ask each lane for. The records of a page are spread over the lanes at random, so the
/// numbers of a lane vary around the mean as in a Poisson distribution. Three standard deviations and two more are
/// enough for nearly all lanes. Each record more costs the server of each lane as much as a load.
fn share_of(records: usize, lanes: usize) -> usize {
    if lanes <= 1 {
        return records;
    }
    let mean = records.div_ceil(lanes);
    let deviation = (9 * records).div_ceil(lanes).isqrt();
    (mean + deviation + 2).min(records)
}

/// Returns where a lane begins for a page that follows `after`. A page compares whole ids. An index has
/// only their first ten bytes, and the lane is in the bytes that follow.
fn first_position(lane: Lane, order: Order, after: Option<Position>) -> ResumeAt {
    let Some(after) = after else {
        return match order {
            Order::NewestFirst => ResumeAt::Below(None),
            Order::NextToExpire => ResumeAt::After(None),
        };
    };
    let id = after.id.local();
    match order {
        Order::NewestFirst if lane < after.id.lane() => ResumeAt::Below(successor(id)),
        Order::NewestFirst => ResumeAt::Below(Some(id)),
        Order::NextToExpire => {
            let score = after.keep_until_secs.saturating_sub(SCORE_EPOCH_SECS);
            let id = if lane > after.id.lane() { predecessor(id) } else { Some(id) };
            ResumeAt::After(match id {
                Some(id) => Some((score, id)),
                None => score.checked_sub(1).map(|score| (score, [0xff; 10])),
            })
        }
    }
}

/// Returns the id after this one, or `None` after the last.
fn successor(mut id: LocalId) -> Option<LocalId> {
    for byte in id.iter_mut().rev() {
        let (next, over) = byte.overflowing_add(1);
        *byte = next;
        if !over {
            return Some(id);
        }
    }
    None
}

/// Returns the id before this one, or `None` before the first.
fn predecessor(mut id: LocalId) -> Option<LocalId> {
    for byte in id.iter_mut().rev() {
        let (next, under) = byte.overflowing_sub(1);
        *byte = next;
        if !under {
            return Some(id);
        }
    }
    None
}

/// Removes and returns the record that comes first in all lanes.
fn take_first<R: Listed>(queries: &mut [LaneQuery<R>], order: Order) -> Option<R> {
    let front = |query: &LaneQuery<R>| query.ready.front().map(Position::of);
    let first = queries.iter_mut().filter(|query| !query.ready.is_empty()).min_by(|a, b| {
        front(a).zip(front(b)).map_or(Ordering::Equal, |(a, b)| a.compare(&b, order))
    });
    first?.ready.pop_front()
}

/// Reads records as `load_records.lua` answers them.
pub(super) fn records(reply: Reply, guard: &NamespaceGuard) -> Result<Vec<Loaded>, StoreError> {
    let mut records = Vec::new();
    for entry in reply.array()? {
        let mut parts = entry.array()?.into_iter();
        let local = local_id(&next(&mut parts)?.bytes()?)?;
        let mut stored = stored_record(next(&mut parts)?)?;
        if guard.is_foreign(stored.lane_tag()) {
            stored = stored.without_lane();
        }
        match stored.into_loaded(local) {
            Ok(loaded) => records.push(loaded),
            // One record that cannot be read must not hide all others. Loading it by its id fails.
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::warn!(%error, "a list leaves out a record that cannot be read");
            }
            // The same goes for a record of a newer keyfob. The error names the record.
            Err(error @ StoreError::NewerFormat { .. }) => {
                tracing::error!(%error, "a list leaves out a record of a newer format");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

pub(super) fn local_id(bytes: &[u8]) -> Result<LocalId, StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::unavailable("an index holds an entry that is not an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_asked_for_little_more_than_its_share_of_a_page() {
        let shares = [(1, 64), (11, 64), (51, 64), (501, 64), (11, 1), (501, 4)];
        let shares = shares.map(|(records, lanes)| share_of(records, lanes));
        assert_eq!(shares, [1, 4, 5, 18, 11, 161]);
    }

    #[test]
    fn neighbours_of_ids_carry() {
        let mut id = [0; 10];
        assert_eq!(predecessor(id), None);
        id[8] = 1;
        let before = predecessor(id).unwrap();
        assert_eq!((before[8], before[9]), (0, 0xff));
        assert_eq!(successor(before), Some(id));
        assert_eq!(successor([0xff; 10]), None);
    }
}
