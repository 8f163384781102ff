//! What operators ask: statistics, limits, keys, and the report of `doctor`.

use std::net::IpAddr;

use keyfob::limit::LimitStatus;
use keyfob::{ClientId, LimitRequest, Subject, TokenId, Ttl};
use keyfob_api::{LimitPolicyBody, LimitStatusBody, LimitsBody};

use super::parameters::{LIMITED_CLIENT, LIMITED_IP, LIMITED_SUBJECT, LIMITED_TOKEN};
use super::view::check_unconfined;
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `GET /v1/stats`, from the counts that the store keeps.
pub(crate) async fn stats(call: Call) -> Answer {
    check_unconfined(call.caller()?)?;
    json::ok(&bodies::stats(&call.manager().stats().await?))
}

/// Answers `GET /v1/doctor`.
pub(crate) async fn doctor(call: Call) -> Answer {
    let (report, node_time) = bodies::report(call.manager()).await?;
    json::ok(&bodies::doctor(report, node_time))
}

/// Answers `GET /v1/limits`: the policies, and the status of those that count what the query names.
pub(crate) async fn limits(call: Call) -> Answer {
    let query = &call.query;
    let token = query.value::<TokenId>(&LIMITED_TOKEN)?;
    let subject = query.value::<Subject>(&LIMITED_SUBJECT)?;
    let client = query.value::<ClientId>(&LIMITED_CLIENT)?;
    let ip = query.text(&LIMITED_IP).map(str::parse::<IpAddr>).transpose();
    let ip = ip.map_err(|_| Failure::bad("invalid_parameter", "ip has to be an address"))?;
    let mut request = LimitRequest::new();
    if let Some(token) = token {
        request = request.token(token);
    }
    if let Some(subject) = &subject {
        request = request.subject(subject);
    }
    if let Some(client) = &client {
        request = request.client(client);
    }
    if let Some(ip) = ip {
        request = request.ip(ip);
    }
    let status = call.manager().limit_status(&request).await?;
    let policies = call.manager().limit_policies().map(|policy| LimitPolicyBody {
        name: policy.name().to_string(),
        by: policy.by().as_str().to_owned(),
        rate: policy.rate().to_string(),
        burst: policy.meter().burst(),
    });
    let policies = policies.collect();
    json::ok(&LimitsBody { policies, status: status.iter().map(limit_status).collect() })
}

/// Answers `GET /v1/keys`: how many records are sealed under each key. It reads every record.
#[cfg(feature = "seal")]
pub(crate) async fn keys(call: Call) -> Answer {
    use keyfob_api::{KeyCountBody, KeysBody};

    let counts = call.manager().count_by_key().await?;
    let keys =
        counts.into_iter().map(|(key, records)| KeyCountBody { version: key.value(), records });
    json::ok(&KeysBody { keys: keys.collect() })
}

/// Answers `GET /v1/keys`, where the server was built without sealing.
#[cfg(not(feature = "seal"))]
pub(crate) async fn keys(_: Call) -> Answer {
    let detail = "this server was built without sealing";
    let status = http::StatusCode::NOT_FOUND;
    Err(Failure { code: "no_keys".into(), ..Failure::new(status, "invalid_request", detail) })
}

/// Returns the status of a limit. Times are in milliseconds; 0 means no wait.
pub(super) fn limit_status(status: &LimitStatus) -> LimitStatusBody {
    let millis = |time: Option<Ttl>| time.map_or(0, Ttl::as_millis);
    LimitStatusBody {
        policy: status.name().to_string(),
        by: status.policy().by().as_str().to_owned(),
        limit: status.limit,
        remaining: status.remaining,
        reset_after_ms: millis(status.reset_after),
        retry_after_ms: millis(status.retry_after),
    }
}
