//! `promtool check metrics` on what a server answers at `/metrics`.

use anyhow::{Context, Result, ensure};

use super::service::Service;
use crate::prometheus;

/// Checks the metrics of a server that has answered a few requests.
pub(super) fn run() -> Result<()> {
    let promtool = prometheus::promtool()?.context(
        "promtool is not installed. It comes with Prometheus. Put it into PATH, or set KEYFOB_PROMTOOL to it",
    )?;
    let service = Service::start()?;
    for path in ["/v1/stats", "/v1/tokens", "/nowhere"] {
        service.get(path)?;
    }
    let (status, metrics) = service.get("/metrics")?;
    ensure!(status == 200, "/metrics answered {status}");
    ensure!(metrics.contains("keyfob_validations_total{"), "/metrics has no metrics of keyfob");
    prometheus::run(&promtool, &["check", "metrics"], &metrics)
}
