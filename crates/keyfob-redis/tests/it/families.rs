//! Rotation on a real server: many tasks over three connections, in 10,000 rounds.

use std::sync::Arc;

use keyfob::{TokenManager, Ttl};
use keyfob_testkit::families::{Families, refresh_many};
use keyfob_testkit::redis::server;

use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_tasks_on_three_connections_never_log_anybody_out_but_a_thief() {
    let config = config(&server().url(), 8);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(TokenManager::builder(Arc::new(open(&config).await)).build());
    }
    let families = Families { tasks: 50, rounds: 10_000, window: Ttl::from_secs(10) };
    let report = refresh_many(&nodes, families).await;
    assert!(report.rotated >= 8_000 && report.replayed >= 8_000, "{report:?}");
    assert!(report.refused_in_window > 0 && report.ended == 40, "{report:?}");
}
