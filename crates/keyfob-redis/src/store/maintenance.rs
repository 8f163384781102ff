//! The store's own task. It finishes the advances that other nodes left unfinished, keeps measuring the
//! servers' clocks, keeps asking the sentinels which server is the primary, sends recent revocations again
//! after a failover, and runs the invalidation feed. It holds the store only while it works, and ends with
//! the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyfob_store::{Lane, MonotonicInstant, StoreError};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::epoch_advance::EpochAdvance;
use super::shared::Shared;
use crate::config::Topology;
use crate::connections::{Connections, in_background};
use crate::feed::{FeedContext, follow_appends, follow_primaries};
use crate::namespace_guard::NamespaceGuard;
use crate::slot::slot_of;

const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(3);

/// Short enough that one or two slow sentinels do not make the route expire.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(1);

/// How many lanes of each server are asked for unfinished advances in a round. Every node asks, and an
/// advance was mostly interrupted in many lanes.
const LANES_PER_ROUND: usize = 4;

/// Says that the task has ended when it is dropped, also with its runtime.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Starts the task.
pub(super) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    let [maintained, confirmed, resent, guarded] = [(); 4].map(|()| Arc::downgrade(shared));
    let connections = Arc::clone(&shared.connections);
    let context = FeedContext {
        feed: Arc::clone(&shared.feed),
        connections: Arc::clone(&shared.connections),
        keys: Arc::clone(&shared.keys),
        guard: Arc::clone(&shared.guard),
        meta_slot: slot_of(shared.guard.meta_key()),
        lane_count: shared.namespace.lanes(),
        response_timeout: shared.config.response_timeout,
        lanes_move: matches!(shared.config.topology, Topology::Cluster(_)),
    };
    shared.is_maintained.store(true, Ordering::Relaxed);
    let running = Running(Arc::clone(&shared.is_maintained));
    tokio::spawn(in_background(async move {
        let _running = running;
        tokio::join!(
            maintain(maintained),
            confirm_primary(confirmed),
            resend_after_failover(resent, connections),
            find_namespace(guarded, Arc::clone(&context.guard)),
            follow_appends(context.clone()),
            follow_primaries(context)
        );
    }))
}

/// Runs beside the rest of the work, which waits for servers that may not answer.
async fn confirm_primary(shared: Weak<Shared>) {
    loop {
        sleep(CONFIRM_INTERVAL).await;
        let Some(store) = shared.upgrade().filter(|store| store.connections.uses_sentinels())
        else {
            return;
        };
        store.connections.confirm_route().await;
    }
}

/// Runs immediately after a new connection too, because that may lead to another primary than before.
async fn resend_after_failover(shared: Weak<Shared>, connections: Arc<Connections>) {
    loop {
        let _connected_or_not = timeout(CONFIRM_INTERVAL, connections.connected()).await;
        let Some(store) = shared.upgrade() else { return };
        store.resend_where_lost().await;
        store.renew_pulses_if_due().await;
    }
}

/// Looks for the namespace regularly, and immediately after it was found to be gone: the settings
/// may allow to create it again. While the feed sees it, nothing has to be done.
async fn find_namespace(shared: Weak<Shared>, guard: Arc<NamespaceGuard>) {
    loop {
        let _lost_or_not = timeout(CONFIRM_INTERVAL, guard.lost()).await;
        let Some(store) = shared.upgrade() else { return };
        let lacks_copies = guard.take_copies_request();
        let is_recent = MonotonicInstant::now() < guard.meta_seen().after(CONFIRM_INTERVAL);
        if guard.check().is_ok() && is_recent && !lacks_copies {
            continue;
        }
        match store.find_namespace().await {
            Ok(()) if lacks_copies => store.write_copies().await,
            // The guard has logged it.
            Ok(()) | Err(StoreError::NamespaceLost { .. }) => {}
            Err(error) => tracing::debug!(%error, "the namespace cannot be looked for"),
        }
    }
}

async fn maintain(shared: Weak<Shared>) {
    let mut unfinished = Vec::new();
    for round in 0.. {
        let Some(store) = shared.upgrade() else { return };
        unfinished = finish_advances(&store, unfinished, round).await;
        if round > 0 {
            store.connections.measure_clocks().await;
        }
        drop(store);
        sleep(MAINTENANCE_INTERVAL).await;
    }
}

/// Finishes the advances that were found in the last round, because the node that began one needs some
/// time. A store that was just opened finishes all: the node that began them may have stopped. Returns
/// those to finish in the next round.
async fn finish_advances(
    store: &Shared,
    mut to_finish: Vec<EpochAdvance>,
    round: usize,
) -> Vec<EpochAdvance> {
    let mut next = store.unfinished_advances(&lanes_to_read(store, round).await).await;
    if round == 0 {
        to_finish = std::mem::take(&mut next);
    }
    next.retain(|found| !to_finish.contains(found));
    for advance in to_finish {
        match store.finish_advance(&advance).await {
            Ok(()) => tracing::info!("finished an advance over all lanes that another node began"),
            Err(error) => {
                tracing::debug!(%error, "an advance over all lanes is still unfinished");
                next.push(advance);
            }
        }
    }
    next
}

/// Returns the lanes whose tables are read in a round: all in the first, then some on each server in turn.
/// An advance that was applied wherever possible is in every lane that was reached.
async fn lanes_to_read(store: &Shared, round: usize) -> Vec<Lane> {
    let lanes: Vec<_> = store.namespace.lanes().lanes().collect();
    if round == 0 {
        return lanes;
    }
    let slots: Vec<_> = lanes.iter().map(|lane| store.keys.slot(*lane)).collect();
    let Ok(primaries) = store.connections.primaries_of(&slots).await else { return Vec::new() };
    let mut by_primary: HashMap<_, Vec<Lane>> = HashMap::new();
    for (lane, primary) in lanes.into_iter().zip(primaries) {
        by_primary.entry(primary).or_default().push(lane);
    }
    let chosen = by_primary.into_values().flat_map(|lanes| {
        let count = lanes.len().min(LANES_PER_ROUND);
        let first = round.wrapping_mul(LANES_PER_ROUND) % lanes.len();
        lanes.into_iter().cycle().skip(first).take(count).collect::<Vec<_>>()
    });
    chosen.collect()
}
