//! Listens to one primary: connects, has signals pushed, takes over the lanes, and sends heartbeats.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::StoreError;
use redis::{Cmd, PushInfo};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::assignments::AssignedLane;
use super::context::FeedContext;
use super::heartbeat::{Heartbeat, send_heartbeat, set_marks};
use super::sources::Sources;
use super::{heartbeat_interval, signal};
use crate::config::Address;
use crate::connections::{CallError, Connection};

/// The pause before the first new connection. Each further pause is twice as long.
const FIRST_RECONNECT_PAUSE: Duration = Duration::from_millis(5);
const MAX_RECONNECT_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct PrimaryListener {
    pub(super) address: Address,
    pub(super) context: FeedContext,
    pub(super) followed: watch::Receiver<Followed>,
}

/// What a server is the primary of, as far as is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Followed {
    pub(super) lanes: Vec<AssignedLane>,
    /// Whether it has the namespace's meta key.
    pub(super) has_meta: bool,
}

impl PrimaryListener {
    /// Listens until it is dropped.
    pub(super) async fn run(self) {
        let (mut pause, mut was_logged) = (FIRST_RECONNECT_PAUSE, false);
        loop {
            let begun = Instant::now();
            let ended = self.listen().await;
            if ended.is_err() {
                self.context.connections.metrics().feed_interrupted();
            }
            match ended {
                // This error does not pass by itself, so it is logged once.
                Err(error @ StoreError::Misconfigured(_)) if !was_logged => {
                    let address = &self.address;
                    tracing::warn!(
                        %address,
                        %error,
                        "no invalidation feed: no token is cached, each is loaded from the store"
                    );
                    was_logged = true;
                }
                Err(error) => {
                    tracing::debug!(
                        address = %self.address, %error, "the invalidation feed is interrupted"
                    );
                }
                Ok(()) => {}
            }
            if begun.elapsed() > MAX_RECONNECT_PAUSE {
                pause = FIRST_RECONNECT_PAUSE;
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_RECONNECT_PAUSE);
        }
    }

    /// Listens on one connection until it fails.
    async fn listen(&self) -> Result<(), StoreError> {
        let FeedContext { feed, connections, keys, guard, lanes_move, response_timeout, .. } =
            &self.context;
        // If no call uses these lanes, nothing else has the route read again.
        let connection = self.connect().await.inspect_err(|_| connections.reroute(None))?;
        // From here on the server pushes every change, so from here on silence has a meaning.
        let mut sources = Sources::default();
        let mut before: Option<Heartbeat> = None;
        let mut marked = Vec::new();
        while let Some(max_staleness) = feed.max_staleness() {
            let due = Instant::now() + heartbeat_interval(max_staleness);
            let Followed { lanes: assigned, has_meta } = self.followed.borrow().clone();
            let lanes: Vec<_> = assigned.iter().map(|assigned| assigned.lane).collect();
            // The order matters. What is loaded from another server from now on is invalidated. What was
            // loaded before is no longer current.
            feed.set_server(&lanes, &self.address);
            let trusted = if guard.check().is_ok() { &assigned[..] } else { &[] };
            sources.set_lanes(&feed.listeners.listening(), trusted);
            // If the server only pauses, waiting for it is cheaper than emptying the cache.
            let limit = (*response_timeout).max(max_staleness * 4);
            if *lanes_move && marked != lanes {
                // A heartbeat that finds no mark sets it too, but only the one after that counts.
                set_marks(&connection, keys, &lanes, limit).await.map_err(CallError::into_error)?;
                marked.clone_from(&lanes);
            }
            // A server without the meta key has the copies of its lanes.
            let copy = lanes.first().filter(|_| *lanes_move).map(|lane| keys.meta_copy(*lane));
            let meta_key = if has_meta { Some(guard.meta_key()) } else { copy.as_deref() };
            let sent =
                send_heartbeat(&connection, keys, &lanes, *lanes_move, meta_key, limit).await;
            let now = sent.map_err(|error| {
                connections.reroute(None);
                error.into_error()
            })?;
            match now.meta.as_ref().map(Option::as_deref) {
                // The copies may still be there. Until that is known, nothing is confirmed by this answer.
                Some(None) if *lanes_move => guard.request_copies(),
                Some(found) if has_meta => drop(guard.note(found, now.sent)),
                Some(found) => drop(guard.note_copy(&lanes, found, now.sent)),
                None => {}
            }
            let confirmed = connections.last_confirmed(&self.address, &connection);
            if connections.leads_elsewhere(&connection) {
                return Err(StoreError::unavailable("the address leads to another server now"));
            }
            if let (Some(before), Some(confirmed)) = (&before, confirmed) {
                let both: Vec<_> =
                    before.lanes.iter().filter(|lane| now.lanes.contains(lane)).copied().collect();
                let seen = both.iter().map(|lane| guard.last_seen(*lane)).min();
                if let (Ok(()), Some(seen)) = (guard.check(), seen) {
                    sources.confirm(before.sent.min(confirmed).min(seen), &both);
                }
            }
            self.reroute_if_refused(now.refused.as_ref());
            // The second heartbeat follows without delay, so that the first is confirmed.
            if before.is_some() {
                sleep_until(due).await;
            }
            before = Some(now);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let FeedContext { feed, keys, lane_count, .. } = &self.context;
        let (feed, keys, lane_count) = (Arc::clone(feed), Arc::clone(keys), *lane_count);
        // The changes are applied where they are read, so there is no channel that could overflow.
        let pushed = move |push: PushInfo| {
            feed.hear(signal::read_push(&push, &keys, lane_count));
            Ok::<_, ()>(())
        };
        let connection = self.context.connections.listen(&self.address, pushed).await?;
        let tracked = connection.send(&self.tracking(), self.context.response_timeout).await;
        tracked.map_err(CallError::into_error)?;
        Ok(connection)
    }

    fn tracking(&self) -> Cmd {
        let mut tracking = redis::cmd("CLIENT");
        let prefix = self.context.keys.signals();
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(prefix);
        tracking
    }

    /// Has the route read again if the server refused a heartbeat.
    fn reroute_if_refused(&self, refused: Option<&CallError>) {
        match refused {
            Some(CallError::Moved(redirect)) => {
                self.context.connections.reroute(redirect.to.clone());
            }
            // A lane that is being moved is still here for all other calls.
            None | Some(CallError::Ask(_)) => {}
            Some(_) => self.context.connections.reroute(None),
        }
    }
}
