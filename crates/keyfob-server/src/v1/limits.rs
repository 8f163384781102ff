//! Rate limits: those of the server, and one that a request names by its rate.

use std::net::IpAddr;
use std::sync::Arc;

use keyfob::limit::Limiter;
use keyfob::{ClientId, LimitRequest, Subject, TokenId};
use keyfob_api::{LimitPolicyBody, LimitVerdictsBody, LimitsBody, NamedLimit, TestLimitBody};

use super::input::body;
use super::parameters::{LIMITED_CLIENT, LIMITED_IP, LIMITED_SUBJECT, LIMITED_TOKEN};
use crate::bodies;
use crate::call::Call;
use crate::limit_trial::LimitTrial;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// The maximum number of calls of one test.
const MAX_CALLS: u32 = 1_000;

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
    json::ok(&LimitsBody { policies, status: status.iter().map(bodies::limit_status).collect() })
}

/// Answers `POST /v1/limits/test`: charges a limit.
pub(crate) async fn test(call: Call) -> Answer {
    let wanted: TestLimitBody = body(&call)?;
    if wanted.times > MAX_CALLS {
        let detail = format!("times has to be at most {MAX_CALLS}");
        return Err(Failure::bad("invalid_value", detail));
    }
    json::ok(&LimitVerdictsBody { verdicts: trial(&call)?.charge(&wanted).await? })
}

/// Answers `POST /v1/limits/status`.
pub(crate) async fn status(call: Call) -> Answer {
    let limit: NamedLimit = body(&call)?;
    let status = trial(&call)?.status(&limit).await?;
    json::ok(&LimitsBody { policies: Vec::new(), status })
}

/// Returns the limits of the server.
pub(super) fn limiter(call: &Call) -> Result<&Limiter, Failure> {
    let missing = || Failure::missing("no_limits", "this server was built without limits");
    call.manager().limiter().ok_or_else(missing)
}

fn trial(call: &Call) -> Result<LimitTrial, Failure> {
    let limiter = limiter(call)?;
    Ok(LimitTrial::new(Arc::clone(limiter.store()), limiter.namespace().clone()))
}
