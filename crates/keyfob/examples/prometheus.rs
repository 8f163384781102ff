//! Metrics for Prometheus: a recorder, a manager that counts there, and the text that a server
//! would answer to `GET /metrics` with.
//!
//! `cargo run -p keyfob --example prometheus`

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use keyfob::{Grant, Kind, MemoryStore, Metrics, RevokeRequest, TokenManager, ValidationChain};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &Metrics::SECONDS_BUCKETS)?
        .build_recorder();
    let manager =
        TokenManager::builder(MemoryStore::new()?).metrics(Metrics::on(&recorder)).build();

    let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    let chain = ValidationChain::new();
    for _ in 0..3 {
        manager.validate(&issued.bearer, &chain).await?;
    }
    manager.revoke(issued.token.id, RevokeRequest::reason("user logout")).await?;
    let refused = manager.validate(&issued.bearer, &chain).await;
    assert!(refused.is_err());

    // Counts of the fastest path are published once a second, and here.
    manager.shutdown().await;
    println!("{}", recorder.handle().render());
    Ok(())
}
