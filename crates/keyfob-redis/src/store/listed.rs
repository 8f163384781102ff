//! Pages of records in two steps: the ids of the page, merged from many lanes, then its records.
//!
//! A page over many lanes has few records of each. If each lane returned its share of records, most
//! of them would not be on the page. The second step loads only those that are.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures_util::future::join_all;
use keyfob_store::{
    Lane, Listed, Loaded, Order, Position, Query, RecordPage, StoreError, Term, TokenId,
};

use super::missing_lanes::MissingLanes;
use super::query::{LaneQuery, LocalId, ReadLane, local_id, records};
use super::shared::Shared;
use crate::connections::{Call, next};
use crate::protocol::signatures::{load_listed, newest_ids};

/// The maximum number of records that one call loads.
const MAX_LOADED: usize = 500;

/// An id as an index lists it, with its lane.
pub(super) struct ListedId {
    lane: Lane,
    local: LocalId,
}

impl Listed for ListedId {
    /// A position among those of whole ids: no other id of the lane has the same first bytes.
    fn position(&self) -> Position {
        let mut id = [0; 16];
        id[..TokenId::LOCAL_BYTES].copy_from_slice(&self.local);
        let lane = u128::from(self.lane.number()) << LANE_SHIFT;
        let id = (u128::from_be_bytes(id) | lane).to_be_bytes();
        Position { keep_until_secs: 0, id: TokenId::from_bytes(id) }
    }
}

/// Where an id has the number of its lane.
const LANE_SHIFT: u32 = 38;

impl ReadLane for ListedId {
    /// One leaf has more ids than most pages.
    const MAX_SHARE: usize = 2_000;

    async fn read_newest(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
        below: Option<LocalId>,
    ) -> Result<Option<LocalId>, StoreError> {
        let (lane, share) = (query.lane, query.share);
        let keys = shared.keys.heads(lane, term);
        let args = newest_ids::Args {
            limit: share.into(),
            leaf_budget: (4 + share / 32).into(),
            below: below.map_or_else(Vec::new, |id| id.to_vec()).into(),
        };
        let call = Call::new(&shared.scripts.newest_ids, keys, args);
        let reply = shared.connections.read(shared.keys.slot(lane), &call).await?;
        let mut parts = reply.array()?.into_iter();
        let unread = next(&mut parts)?.optional()?.map(|id| local_id(&id)).transpose()?;
        let ids = next(&mut parts)?.bytes()?;
        let (ids, []) = ids.as_chunks::<{ TokenId::LOCAL_BYTES }>() else {
            return Err(StoreError::unavailable("an index holds an entry that is not an id"));
        };
        let is_read = |id: &LocalId| {
            below.is_none_or(|below| *id < below) && unread.is_none_or(|unread| *id >= unread)
        };
        let mut ids: Vec<LocalId> = ids.iter().copied().filter(is_read).collect();
        ids.sort_unstable_by_key(|id| Reverse(*id));
        // A term that was added again may list one id under two heads.
        ids.dedup();
        query.ready.extend(ids.into_iter().map(|local| ListedId { lane, local }));
        Ok(unread)
    }
}

impl Shared {
    /// Returns one page of records.
    pub(super) async fn records(&self, query: &Query) -> Result<RecordPage, StoreError> {
        if query.order == Order::NextToExpire || self.lanes(query.lane).len() == 1 {
            return self.query(query).await;
        }
        let (limit, mut query) = (query.limit.max(1), *query);
        let mut page = RecordPage::default();
        loop {
            // One more than asked for shows whether another page follows.
            query.limit = limit + 1 - page.records.len();
            let ids: RecordPage<ListedId> = self.query(&query).await?;
            page.missing.extend(ids.missing);
            let found = self.load_listed(&ids.records, &mut page.missing).await?;
            page.records.extend(found);
            if page.records.len() > limit {
                page.records.truncate(limit);
                page.next = page.records.last().map(Position::of);
                break;
            }
            // Records may have expired that the index still lists.
            match ids.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        page.missing.sort_unstable();
        page.missing.dedup();
        Ok(page)
    }

    /// Loads the records with these ids, as far as they exist, the newest first.
    async fn load_listed(
        &self,
        ids: &[ListedId],
        missing_lanes: &mut Vec<Lane>,
    ) -> Result<Vec<Loaded>, StoreError> {
        let mut by_lane: BTreeMap<Lane, Vec<LocalId>> = BTreeMap::new();
        for ListedId { lane, local } in ids {
            by_lane.entry(*lane).or_default().push(*local);
        }
        let calls = by_lane.iter().flat_map(|(lane, ids)| {
            ids.chunks(MAX_LOADED).map(async |ids| (*lane, self.load_in_lane(*lane, ids).await))
        });
        let (mut found, mut missing) = (Vec::new(), MissingLanes::default());
        for (lane, outcome) in join_all(calls).await {
            found.extend(missing.or_missing(lane, outcome)?.into_iter().flatten());
        }
        // Other lanes have answered, so this is no error, even if none of these did.
        missing_lanes.extend(missing.unless_all(usize::MAX)?);
        found.sort_unstable_by_key(|loaded: &Loaded| Reverse(loaded.id));
        Ok(found)
    }

    async fn load_in_lane(&self, lane: Lane, ids: &[LocalId]) -> Result<Vec<Loaded>, StoreError> {
        let keys = load_listed::Keys { lane: self.keys.lane(lane) };
        let mut args = Vec::from(load_listed::Args {
            record_prefix: self.keys.prefix('r', lane).into(),
            last_use_prefix: self.keys.prefix('u', lane).into(),
            note_prefix: self.keys.prefix('n', lane).into(),
        });
        args.extend(ids.iter().map(|id| id.to_vec().into()));
        let call = Call::new(&self.scripts.load_listed, keys, args);
        records(self.connections.read(self.keys.slot(lane), &call).await?, &self.guard)
    }
}
