//! Keeps a listener on each primary while the process has invalidation listeners.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::assignments::Assignments;
use super::context::FeedContext;
use super::primary_listener::{Followed, PrimaryListener};
use super::route_interval;
use crate::config::Address;

/// How often to look for invalidation listeners, besides being notified of them.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);

/// The listeners of primaries. They end when this is dropped.
#[derive(Default)]
struct PrimaryListeners {
    tasks: JoinSet<()>,
    by_address: HashMap<Address, (watch::Sender<Followed>, AbortHandle)>,
}

/// Follows the primaries until it is dropped.
pub(crate) async fn follow_primaries(context: FeedContext) {
    let mut listeners = PrimaryListeners::default();
    let mut assignments = Assignments::default();
    loop {
        let Some(max_staleness) = context.feed.max_staleness() else {
            listeners = PrimaryListeners::default();
            context.connections.limit_route_age(None);
            let _added_or_not =
                timeout(IDLE_INTERVAL, context.feed.listener_added.notified()).await;
            continue;
        };
        let due = Instant::now() + route_interval(max_staleness);
        context.connections.limit_route_age(Some(max_staleness));
        if context.connections.needs_confirmation() {
            context.connections.confirm_route().await;
        }
        let lanes: Vec<_> = context.lane_count.lanes().collect();
        let slots = lanes.iter().map(|lane| context.keys.slot(*lane));
        let slots: Vec<_> = slots.chain([context.meta_slot]).collect();
        // Without a route the listeners stay. What they hear is true, and trust needs their heartbeats.
        if let Ok(primaries) = context.connections.primaries_of(&slots).await {
            let mut by_address: BTreeMap<_, (Address, Followed)> = BTreeMap::new();
            let lanes = lanes.into_iter().map(Some).chain([None]);
            for (lane, primary) in lanes.zip(primaries) {
                let assigned = lane.map(|lane| assignments.assign(lane, &primary));
                let entry = by_address.entry(primary.to_string());
                let (_, followed) = entry.or_insert((primary, Followed::default()));
                match assigned {
                    Some(lane) => followed.lanes.push(lane),
                    None => followed.has_meta = true,
                }
            }
            listeners.update(&context, by_address.into_values().collect());
        }
        sleep_until(due).await;
    }
}

impl PrimaryListeners {
    /// Ends the listeners of servers that are no longer primaries, and starts those that are missing.
    fn update(&mut self, context: &FeedContext, primaries: Vec<(Address, Followed)>) {
        self.by_address.retain(|address, (_, listener)| {
            let stays = primaries.iter().any(|(primary, _)| primary == address);
            if !stays {
                listener.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for (address, followed) in primaries {
            match self.by_address.get(&address) {
                Some((known, listener)) if !listener.is_finished() => {
                    known.send_if_modified(|known| {
                        let differs = *known != followed;
                        *known = followed;
                        differs
                    });
                }
                _ => {
                    let (sender, followed) = watch::channel(followed);
                    let context = context.clone();
                    let listener = PrimaryListener { address: address.clone(), context, followed };
                    let task = self.tasks.spawn(listener.run());
                    self.by_address.insert(address, (sender, task));
                }
            }
        }
    }
}
