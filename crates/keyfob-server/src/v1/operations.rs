//! What operators ask: statistics, and the report of `doctor`.

use super::view::check_unconfined;
use crate::bodies;
use crate::call::Call;
use crate::respond::json::{self, Answer};

/// Answers `GET /v1/stats`, from the counts that the store keeps.
pub(crate) async fn stats(call: Call) -> Answer {
    check_unconfined(call.caller()?)?;
    json::ok(&bodies::stats(&call.manager().stats().await?))
}

/// Answers `GET /v1/doctor`.
pub(crate) async fn doctor(call: Call) -> Answer {
    let (report, node_time) = bodies::report(call.manager()).await?;
    json::ok(&bodies::doctor(report, node_time, Some(call.manager().max_staleness())))
}
