//! Pages of the records under a term, merged from its lanes.
//!
//! Each lane is asked once for a share of the page, all at the same time. What the lanes give is
//! merged in order; where a lane has run dry but may have more, nothing is emitted before it has
//! been asked again. So a page is exact, and no lane is read further than its share.

use std::cmp::Ordering;
use std::collections::VecDeque;

use futures_util::future::try_join_all;
use keyfob_store::{Lane, Loaded, Order, Position, Query, RecordPage, StoreError, Term};

use super::Shared;
use super::read::read;
use super::write::SCORE_EPOCH;
use crate::net::{Arg, Call, Reply, next};

/// The most records that one call gives.
const MOST: usize = 500;

/// The fewest that a lane is asked for: what one call costs is mostly the call.
const FEWEST: usize = 8;

/// How many leaves one call in order of expiry looks at.
const LEAVES: u64 = 512;

/// How far the walk through one lane has got.
struct LaneWalk {
    lane: Lane,
    from: From,
    ready: VecDeque<Loaded>,
    done: bool,
}

/// Where a lane is to be read on from.
#[derive(Clone, Debug)]
enum From {
    /// The ids below this one; all where there is none.
    Below(Option<[u8; 10]>),
    /// What comes after this score and, at the same score, this id.
    After(Option<(u64, [u8; 10])>),
}

impl Shared {
    pub(super) async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        let limit = query.limit.max(1);
        let lanes = self.lanes(query.lane);
        // One more than asked for shows whether another page follows.
        let share = match lanes.len() {
            1 => limit + 1,
            count => (2 * (limit + 1)).div_ceil(count.max(1)).clamp(FEWEST, limit.max(FEWEST) + 1),
        };
        let begin = |lane| LaneWalk {
            lane,
            from: begin(lane, query.order, query.after),
            ready: VecDeque::new(),
            done: false,
        };
        let mut walks: Vec<LaneWalk> = lanes.into_iter().map(begin).collect();
        let mut records = Vec::new();
        loop {
            let dry = walks.iter_mut().filter(|walk| walk.ready.is_empty() && !walk.done);
            try_join_all(dry.map(|walk| self.read_on(query.term, walk, share.min(MOST)))).await?;
            while walks.iter().all(|walk| walk.done || !walk.ready.is_empty()) {
                let Some(loaded) = first_of(&mut walks, query.order) else {
                    return Ok(RecordPage { records, next: None });
                };
                if records.len() == limit {
                    let next = records.last().map(Position::of);
                    return Ok(RecordPage { records, next });
                }
                records.push(loaded);
            }
        }
    }

    async fn read_on(
        &self,
        term: Term,
        walk: &mut LaneWalk,
        share: usize,
    ) -> Result<(), StoreError> {
        while walk.ready.is_empty() && !walk.done {
            match walk.from.clone() {
                From::Below(bound) => self.read_newest(term, walk, bound, share).await?,
                From::After(after) => self.read_expiring(term, walk, after, share).await?,
            }
        }
        Ok(())
    }

    async fn read_newest(
        &self,
        term: Term,
        walk: &mut LaneWalk,
        bound: Option<[u8; 10]>,
        share: usize,
    ) -> Result<(), StoreError> {
        let budget = 4 + share as u64 / 32;
        let mut args = vec![
            (share as u64).into(),
            budget.into(),
            bound.map_or_else(Vec::new, |bound| bound.to_vec()).into(),
        ];
        args.extend(self.prefixes(walk.lane));
        let names = self.lane_and_heads(walk.lane, term);
        let call = Call::new(&self.scripts.newest, names, args);
        let mut parts = self.net.read(self.keys.slot(walk.lane), &call).await?.array()?.into_iter();
        let more = next(&mut parts)?.optional()?;
        walk.ready.extend(records(next(&mut parts)?)?);
        match more {
            Some(more) => walk.from = From::Below(Some(ten(&more)?)),
            None => walk.done = true,
        }
        Ok(())
    }

    async fn read_expiring(
        &self,
        term: Term,
        walk: &mut LaneWalk,
        after: Option<(u64, [u8; 10])>,
        share: usize,
    ) -> Result<(), StoreError> {
        let (mut leaf, mut found, mut end) = (Vec::new(), Vec::new(), None);
        loop {
            let (score, id) = match after {
                Some((score, id)) => (score.to_string().into_bytes(), id.to_vec()),
                None => (Vec::new(), Vec::new()),
            };
            let mut args: Vec<Arg> =
                vec![(share as u64).into(), LEAVES.into(), leaf.into(), score.into(), id.into()];
            args.extend(self.prefixes(walk.lane));
            let names = self.lane_and_heads(walk.lane, term);
            let call = Call::new(&self.scripts.expiring, names, args);
            let reply = self.net.read(self.keys.slot(walk.lane), &call).await?;
            let mut parts = reply.array()?.into_iter();
            let more = next(&mut parts)?.optional()?;
            let cut = next(&mut parts)?;
            if !cut.is_nil() {
                let mut cut = cut.array()?.into_iter();
                let cut = (next(&mut cut)?.number()?, ten(&next(&mut cut)?.bytes()?)?);
                end = Some(end.map_or(cut, |end: (u64, [u8; 10])| end.min(cut)));
            }
            found.extend(records(next(&mut parts)?)?);
            match more {
                Some(more) => leaf = more,
                None => break,
            }
        }
        // Beyond the first place at which some leaves were cut short, others may have more.
        let place = |loaded: &Loaded| {
            (Position::of(loaded).keep_until_secs.saturating_sub(SCORE_EPOCH), loaded.id.local())
        };
        found.retain(|loaded| end.is_none_or(|end| place(loaded) <= end));
        found.sort_by_key(place);
        found.dedup_by_key(|loaded| loaded.id);
        walk.ready.extend(found);
        match end {
            Some(end) => walk.from = From::After(Some(end)),
            None => walk.done = true,
        }
        Ok(())
    }

    fn prefixes(&self, lane: Lane) -> [Arg; 3] {
        ['r', 'u', 'n'].map(|class| self.keys.prefix(class, lane).into())
    }
}

/// Where a lane is to be read on from for what comes after `after` in all lanes. Ids are compared
/// whole there, and by their first ten bytes here; the lane itself stands in those that follow.
fn begin(lane: Lane, order: Order, after: Option<Position>) -> From {
    let Some(after) = after else {
        return match order {
            Order::NewestFirst => From::Below(None),
            Order::NextToExpire => From::After(None),
        };
    };
    let id = after.id.local();
    match order {
        Order::NewestFirst if lane < after.id.lane() => From::Below(successor(id)),
        Order::NewestFirst => From::Below(Some(id)),
        Order::NextToExpire => {
            let score = after.keep_until_secs.saturating_sub(SCORE_EPOCH);
            let id = if lane > after.id.lane() { predecessor(id) } else { Some(id) };
            From::After(match id {
                Some(id) => Some((score, id)),
                None => score.checked_sub(1).map(|score| (score, [0xff; 10])),
            })
        }
    }
}

/// The id after this one; nothing after the last.
fn successor(mut id: [u8; 10]) -> Option<[u8; 10]> {
    for byte in id.iter_mut().rev() {
        let (next, over) = byte.overflowing_add(1);
        *byte = next;
        if !over {
            return Some(id);
        }
    }
    None
}

/// The id before this one; nothing before the first.
fn predecessor(mut id: [u8; 10]) -> Option<[u8; 10]> {
    for byte in id.iter_mut().rev() {
        let (next, under) = byte.overflowing_sub(1);
        *byte = next;
        if !under {
            return Some(id);
        }
    }
    None
}

fn first_of(walks: &mut [LaneWalk], order: Order) -> Option<Loaded> {
    let front = |walk: &LaneWalk| walk.ready.front().map(Position::of);
    let first = walks.iter_mut().filter(|walk| !walk.ready.is_empty()).min_by(|a, b| {
        front(a).zip(front(b)).map_or(Ordering::Equal, |(a, b)| a.compare(&b, order))
    });
    first?.ready.pop_front()
}

/// Records as `page_fn.lua` gives them.
fn records(reply: Reply) -> Result<Vec<Loaded>, StoreError> {
    let mut records = Vec::new();
    for entry in reply.array()? {
        let mut parts = entry.array()?.into_iter();
        let local = ten(&next(&mut parts)?.bytes()?)?;
        match read(next(&mut parts)?)?.loaded(local) {
            Ok(loaded) => records.push(loaded),
            // One record that cannot be read must not hide all others; it is refused when loaded.
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::warn!(%error, "a list passes over a record");
            }
            // Nor one that a newer keyfob wrote. Its error names it.
            Err(error @ StoreError::NewerFormat { .. }) => {
                tracing::error!(%error, "a list passes over a record of a newer format");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

fn ten(bytes: &[u8]) -> Result<[u8; 10], StoreError> {
    bytes.try_into().map_err(|_| StoreError::unavailable("an index holds what is no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
