//! Pages of the heads of records.

use std::cmp::Reverse;

use keyfob_store::{Order, Query, RecordHead, RecordPage, StoreError, Term};

use super::query::{LaneQuery, LocalId, ReadLane, local_id};
use super::shared::Shared;
use crate::connections::{Call, next};
use crate::protocol::signatures::heads_newest;
use crate::record::{self, StoredRecord};

impl Shared {
    /// Returns one page of heads. In order of expiry, the records are read: nobody asks for many of these.
    pub(super) async fn heads(&self, query: &Query) -> Result<RecordPage<RecordHead>, StoreError> {
        match query.order {
            Order::NewestFirst => self.query(query).await,
            Order::NextToExpire => {
                let page: RecordPage = self.query(query).await?;
                Ok(page.heads())
            }
        }
    }
}

impl ReadLane for RecordHead {
    /// A head costs the server a fifth of a record.
    const MAX_SHARE: usize = 2_000;

    async fn read_newest(
        shared: &Shared,
        term: Term,
        query: &mut LaneQuery<Self>,
        below: Option<LocalId>,
    ) -> Result<Option<LocalId>, StoreError> {
        let (lane, share) = (query.lane, query.share);
        let mut keys = Vec::from(heads_newest::Keys { lane: shared.keys.lane(lane) });
        keys.extend(shared.keys.heads(lane, term));
        let args = heads_newest::Args {
            namespace: shared.lane_tag(),
            limit: share.into(),
            leaf_budget: (4 + share / 32).into(),
            below: below.map_or_else(Vec::new, |id| id.to_vec()).into(),
            record_prefix: shared.keys.prefix('r', lane).into(),
        };
        let call = Call::new(&shared.scripts.heads_newest, keys, args);
        let reply = shared.connections.read(shared.keys.slot(lane), &call).await?;
        let mut parts = reply.array()?.into_iter();
        let resume_below = next(&mut parts)?.optional()?;
        let mut heads = record::heads(&next(&mut parts)?.bytes()?)?;
        heads.sort_unstable_by_key(|head| Reverse(head.id));
        query.ready.extend(heads);
        let unreadable = next(&mut parts)?;
        if !unreadable.is_nil() {
            let mut parts = unreadable.array()?.into_iter();
            let local = local_id(&next(&mut parts)?.bytes()?)?;
            let record = next(&mut parts)?.bytes()?;
            StoredRecord { record, ..StoredRecord::default() }.into_loaded(local)?;
        }
        resume_below.map(|id| local_id(&id)).transpose()
    }
}
