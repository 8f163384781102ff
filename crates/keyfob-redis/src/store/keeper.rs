//! The store's own task: it finishes the walks that others left unfinished, keeps measuring the
//! servers' clocks, and keeps asking the sentinels which server is the primary. It holds the store
//! only while it works, and ends with it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Shared;
use super::walk::Walk;
use crate::config::Topology;
use crate::feed::{Following, follow};
use crate::net::Net;

const PAUSE: Duration = Duration::from_secs(3);

/// Often enough that a sentinel or two may be slow before they are believed no longer.
const CONFIRM: Duration = Duration::from_secs(1);

/// Starts it.
pub(super) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    let [work, watch, again] = [(); 3].map(|()| Arc::downgrade(shared));
    let net = Arc::clone(&shared.net);
    let following = Following {
        feed: Arc::clone(&shared.feed),
        net: Arc::clone(&shared.net),
        keys: Arc::clone(&shared.keys),
        count: shared.namespace.lanes(),
        response_timeout: shared.config.response_timeout,
        lanes_move: matches!(shared.config.topology, Topology::Cluster(_)),
    };
    tokio::spawn(async {
        tokio::join!(keep(work), watch_primary(watch), do_again(again, net), follow(following));
    })
}

/// Beside the rest of the work, which waits for servers that may be silent.
async fn watch_primary(shared: Weak<Shared>) {
    loop {
        sleep(CONFIRM).await;
        let Some(store) = shared.upgrade().filter(|store| store.net.is_watched()) else { return };
        store.net.confirm_route().await;
    }
}

/// At once when a connection was made, for it may lead to another primary than the last.
async fn do_again(shared: Weak<Shared>, net: Arc<Net>) {
    loop {
        let _made_or_not = timeout(CONFIRM, net.connected()).await;
        let Some(store) = shared.upgrade() else { return };
        store.do_again_where_lost().await;
    }
}

async fn keep(shared: Weak<Shared>) {
    let mut seen = Vec::new();
    let mut first = true;
    loop {
        let Some(store) = shared.upgrade() else { return };
        seen = finish_walks(&store, &seen, first).await;
        if !first {
            store.net.measure_clocks().await;
        }
        first = false;
        drop(store);
        sleep(PAUSE).await;
    }
}

/// Finishes the walks that were unfinished the last time too: whoever began one needs a moment.
/// A store that has just been opened may be what a dead one's walks are waiting for.
async fn finish_walks(store: &Shared, seen: &[Walk], at_once: bool) -> Vec<Walk> {
    let found = match store.unfinished_walks().await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, "unfinished walks cannot be looked for");
            return Vec::new();
        }
    };
    for walk in found.iter().filter(|walk| at_once || seen.contains(walk)) {
        match store.finish_walk(walk).await {
            Ok(()) => tracing::info!("finished the walk over the lanes that another node began"),
            Err(error) => tracing::warn!(%error, "a walk over the lanes is still unfinished"),
        }
    }
    found
}
