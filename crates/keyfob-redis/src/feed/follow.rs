//! Following the primaries: one listener for each, as long as somebody watches.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{Lane, LaneCount};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::listen::Listener;
use super::{Feed, interval};
use crate::config::Address;
use crate::keys::Keys;
use crate::net::Net;

/// How often it is looked whether anybody watches, besides being told.
const IDLE: Duration = Duration::from_secs(5);

/// What listeners are made with.
#[derive(Clone)]
pub(crate) struct Following {
    pub(crate) feed: Arc<Feed>,
    pub(crate) net: Arc<Net>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) count: LaneCount,
    pub(crate) response_timeout: Duration,
    pub(crate) lanes_move: bool,
}

/// The listeners that there are. They end when this is dropped.
#[derive(Default)]
struct Listeners {
    tasks: JoinSet<()>,
    each: HashMap<Address, (watch::Sender<Vec<Lane>>, AbortHandle)>,
}

/// Follows the primaries until it is dropped.
pub(crate) async fn follow(following: Following) {
    let mut listeners = Listeners::default();
    loop {
        let Some(bound) = following.feed.bound() else {
            listeners = Listeners::default();
            following.net.believe_within(None);
            let _told_or_not = timeout(IDLE, following.feed.first_listener.notified()).await;
            continue;
        };
        let due = Instant::now() + interval(bound);
        following.net.believe_within(Some(bound));
        if following.net.is_watched() {
            following.net.confirm_route().await;
        }
        let lanes: Vec<_> = following.count.lanes().collect();
        let slots: Vec<_> = lanes.iter().map(|lane| following.keys.slot(*lane)).collect();
        // Without a route the listeners stay: what they hear is true, and trust needs their beats.
        if let Ok(owners) = following.net.owners(&slots).await {
            let mut routes: BTreeMap<_, (Address, Vec<Lane>)> = BTreeMap::new();
            for (lane, owner) in lanes.into_iter().zip(owners) {
                let route = routes.entry(owner.to_string()).or_insert((owner, Vec::new()));
                route.1.push(lane);
            }
            listeners.follow(&following, routes.into_values().collect());
        }
        sleep_until(due).await;
    }
}

impl Listeners {
    fn follow(&mut self, following: &Following, routes: Vec<(Address, Vec<Lane>)>) {
        self.each.retain(|address, (_, listener)| {
            let stays = routes.iter().any(|(named, _)| named == address);
            if !stays {
                listener.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for (address, lanes) in routes {
            match self.each.get(&address) {
                Some((known, listener)) if !listener.is_finished() => {
                    known.send_if_modified(|known| {
                        let differs = *known != lanes;
                        *known = lanes;
                        differs
                    });
                }
                _ => {
                    let (sender, receiver) = watch::channel(lanes);
                    let listener = following.listener(address.clone(), receiver);
                    let task = self.tasks.spawn(listener.run());
                    self.each.insert(address, (sender, task));
                }
            }
        }
    }
}

impl Following {
    fn listener(&self, address: Address, lanes: watch::Receiver<Vec<Lane>>) -> Listener {
        Listener {
            address,
            feed: Arc::clone(&self.feed),
            net: Arc::clone(&self.net),
            keys: Arc::clone(&self.keys),
            count: self.count,
            lanes,
            response_timeout: self.response_timeout,
            lanes_move: self.lanes_move,
        }
    }
}
