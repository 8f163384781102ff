//! Keeps a listener on each primary while the process has invalidation listeners.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{Lane, LaneCount};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::primary_listener::PrimaryListener;
use super::{Feed, heartbeat_interval};
use crate::config::Address;
use crate::connections::Connections;
use crate::keys::Keys;

/// How often to look for invalidation listeners, besides being notified of them.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);

/// What the listeners of primaries are created with.
#[derive(Clone)]
pub(crate) struct FeedContext {
    pub(crate) feed: Arc<Feed>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) lane_count: LaneCount,
    pub(crate) response_timeout: Duration,
    /// Whether lanes may move from one primary to another.
    pub(crate) lanes_move: bool,
}

/// The listeners of primaries. They end when this is dropped.
#[derive(Default)]
struct PrimaryListeners {
    tasks: JoinSet<()>,
    by_address: HashMap<Address, (watch::Sender<Vec<Lane>>, AbortHandle)>,
}

/// Follows the primaries until it is dropped.
pub(crate) async fn follow_primaries(context: FeedContext) {
    let mut listeners = PrimaryListeners::default();
    loop {
        let Some(max_staleness) = context.feed.max_staleness() else {
            listeners = PrimaryListeners::default();
            context.connections.limit_route_age(None);
            let _added_or_not =
                timeout(IDLE_INTERVAL, context.feed.listener_added.notified()).await;
            continue;
        };
        let due = Instant::now() + heartbeat_interval(max_staleness);
        context.connections.limit_route_age(Some(max_staleness));
        if context.connections.uses_sentinels() {
            context.connections.confirm_route().await;
        }
        let lanes: Vec<_> = context.lane_count.lanes().collect();
        let slots: Vec<_> = lanes.iter().map(|lane| context.keys.slot(*lane)).collect();
        // Without a route the listeners stay. What they hear is true, and trust needs their heartbeats.
        if let Ok(primaries) = context.connections.primaries_of(&slots).await {
            let mut by_address: BTreeMap<_, (Address, Vec<Lane>)> = BTreeMap::new();
            for (lane, primary) in lanes.into_iter().zip(primaries) {
                let entry = by_address.entry(primary.to_string()).or_insert((primary, Vec::new()));
                entry.1.push(lane);
            }
            listeners.update(&context, by_address.into_values().collect());
        }
        sleep_until(due).await;
    }
}

impl PrimaryListeners {
    /// Ends the listeners of servers that are no longer primaries, and starts those that are missing.
    fn update(&mut self, context: &FeedContext, primaries: Vec<(Address, Vec<Lane>)>) {
        self.by_address.retain(|address, (_, listener)| {
            let stays = primaries.iter().any(|(primary, _)| primary == address);
            if !stays {
                listener.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for (address, lanes) in primaries {
            match self.by_address.get(&address) {
                Some((known, listener)) if !listener.is_finished() => {
                    known.send_if_modified(|known| {
                        let differs = *known != lanes;
                        *known = lanes;
                        differs
                    });
                }
                _ => {
                    let (sender, lanes) = watch::channel(lanes);
                    let context = context.clone();
                    let listener = PrimaryListener { address: address.clone(), context, lanes };
                    let task = self.tasks.spawn(listener.run());
                    self.by_address.insert(address, (sender, task));
                }
            }
        }
    }
}
