//! Keeping to the namespace that this node opened: looking for it, writing only to its lanes, and creating
//! it again if the operator allows that.

use futures_util::future::join;
use keyfob_store::{Lane, MonotonicInstant, StoreError};

use super::lookup_failure::LookupFailure;
use super::meta_copies::MetaCopies;
use super::namespace_meta::{self, LaneOwner};
use super::outcome::Outcome;
use super::shared::Shared;
use crate::config::WhenEmptied;
use crate::connections::{Call, CallFailed};
use crate::namespace_guard::{CREATE_LANE_WITHIN, NamespaceState};
use crate::protocol::arg::Arg;
use crate::protocol::constants::reply;

/// What the report says about the namespace.
pub(super) struct Inspection {
    pub(super) state: Result<NamespaceState, StoreError>,
    pub(super) copies: MetaCopies,
    /// Whether there are lanes although the namespace is gone, as far as they can be read.
    pub(super) has_lanes: bool,
}

/// The position of `create_lane_until` in the arguments of each script that writes.
const CREATE_LANE_UNTIL: usize = 1;

impl Shared {
    /// The argument `namespace` of a script that writes.
    pub(super) fn lane_tag(&self) -> Arg {
        self.guard.tag().into()
    }

    /// The argument `create_lane_until` of a script that writes, when it is sent first: a time long
    /// ago. A lane is created rarely, and only after the namespace was looked for.
    pub(super) fn create_lane_until(&self) -> Arg {
        Arg::Number(0)
    }

    /// Sends a call that writes to a lane. If the namespace has no lane there, the call is sent again after
    /// the namespace was seen.
    pub(super) async fn write(
        &self,
        lane: Lane,
        call: &mut Call<'_>,
    ) -> Result<Outcome, CallFailed> {
        let not_done = |error| CallFailed::new(false, error);
        self.guard.check().map_err(not_done)?;
        for _ in 0..2 {
            let answer = self.connections.run(self.keys.slot(lane), call).await?;
            let outcome = Outcome::read(answer).map_err(|error| CallFailed::new(true, error))?;
            if outcome.code() != reply::LANE_MISSING {
                return Ok(outcome);
            }
            let until = Arg::Local(self.now() + CREATE_LANE_WITHIN);
            self.find_namespace_in(lane).await.map_err(not_done)?;
            if let Some(create_lane_until) = call.args.get_mut(CREATE_LANE_UNTIL) {
                *create_lane_until = until;
            }
        }
        Err(not_done(StoreError::unavailable(
            "a lane could not be created in time after the namespace was seen",
        )))
    }

    /// Returns when the servers last certainly held the namespace in a lane, and looks for it if that is long
    /// ago.
    pub(super) async fn namespace_seen(&self, lane: Lane) -> Result<MonotonicInstant, StoreError> {
        let is_recent = || {
            let seen = self.guard.last_seen(lane);
            MonotonicInstant::now() < seen.after(self.connections.max_route_age())
        };
        self.guard.check()?;
        if !is_recent() {
            let arrived = MonotonicInstant::now();
            // A caller for a lane whose shard is away must not hold up the others.
            let of_lane = usize::from(lane.number()) % self.looking.len();
            let mut last_failure = self.looking[of_lane].lock().await;
            // The caller before may have seen it, or failed.
            if !is_recent() {
                if let Some((_, failure)) = last_failure.as_ref().filter(|(at, _)| *at >= arrived) {
                    return Err(failure.to_error());
                }
                let found = self.find_namespace_in(lane).await;
                let failure = found.as_ref().err().and_then(LookupFailure::of);
                *last_failure = failure.map(|failure| (MonotonicInstant::now(), failure));
                found?;
            }
        }
        Ok(self.guard.last_seen(lane))
    }

    /// Reads the meta key. Writes it again if it is gone and its copies have it, or the settings allow
    /// to create it again.
    ///
    /// # Errors
    /// [`StoreError::NamespaceLost`] if the servers do not hold the namespace that this node opened.
    pub(super) async fn find_namespace(&self) -> Result<(), StoreError> {
        let sent = MonotonicInstant::now();
        let mut found = self.read_meta(Vec::new()).await?;
        if found.is_none() && self.has_copies() {
            found = self.restore_meta().await?;
        }
        let state = self.guard.note(found.as_deref(), sent);
        if state == NamespaceState::Missing
            && self.config.create
            && self.config.when_emptied == WhenEmptied::Recreate
            && self.may_recreate().await?
        {
            let sent = MonotonicInstant::now();
            let found = self.read_meta(self.guard.meta().to_vec()).await?;
            if self.guard.note(found.as_deref(), sent) == NamespaceState::Present {
                tracing::warn!(store = %self.config, "created the namespace again, without its tokens");
            }
        }
        self.guard.check()
    }

    /// Writes the meta key again if it is gone and its copies agree on this node's namespace. Returns what
    /// it holds then.
    async fn restore_meta(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let copies = self.meta_copies().await;
        if copies.agreed() != Some(self.guard.meta()) {
            return Ok(None);
        }
        if !self.config.create {
            return Ok(Some(self.guard.meta().to_vec()));
        }
        // If another node has created a namespace meanwhile, that one stays.
        let found = self.read_meta(self.guard.meta().to_vec()).await?;
        tracing::warn!(
            store = %self.config,
            "a shard came back without the key of the namespace: it was written again from its copies"
        );
        Ok(found)
    }

    /// Reads the meta key and its copies, for the report. Changes nothing.
    pub(super) async fn inspect_namespace(&self) -> Inspection {
        let sent = MonotonicInstant::now();
        let (found, copies) = join(self.read_meta(Vec::new()), self.meta_copies()).await;
        let state = match found {
            Ok(None) if copies.agreed() == Some(self.guard.meta()) => Ok(NamespaceState::Present),
            // A node that opened no namespace cannot say that another one took its place.
            Ok(None) if self.guard.state() == NamespaceState::Absent => Ok(NamespaceState::Absent),
            Ok(None) => Ok(NamespaceState::Missing),
            Ok(Some(found)) => Ok(self.guard.note(Some(&found), sent)),
            Err(error) => Err(error),
        };
        let has_lanes = match state {
            Ok(NamespaceState::Absent | NamespaceState::Missing) => self
                .lane_owners()
                .await
                .map(|owners| owners.iter().any(|owner| !matches!(owner, LaneOwner::NoLane))),
            _ => Ok(false),
        };
        Inspection { state, copies, has_lanes: has_lanes.unwrap_or(false) }
    }

    async fn lane_owners(&self) -> Result<Vec<LaneOwner>, StoreError> {
        let lanes = self.namespace.lanes();
        namespace_meta::lane_owners(&self.config, &self.connections, &self.scripts, lanes).await
    }

    async fn read_meta(&self, created: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        namespace_meta::read_value(&self.config, &self.connections, &self.scripts, created).await
    }

    /// Whether no lane belongs to another namespace.
    async fn may_recreate(&self) -> Result<bool, StoreError> {
        let is_foreign = |owner: &LaneOwner| match owner {
            LaneOwner::NoLane | LaneOwner::Unknown => false,
            LaneOwner::Tagged(tag) => self.guard.is_foreign(Some(tag)),
        };
        Ok(!self.lane_owners().await?.iter().any(is_foreign))
    }
}
