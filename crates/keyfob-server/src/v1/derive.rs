//! Narrower tokens: for a service or an agent that acts for the subject of a token.

use keyfob::ValidationChain;
use keyfob_api::DeriveBody;

use super::idempotency;
use super::input::{body, not_found, token_id};
use super::view::issued_body;
use crate::access::bounds::{self, HandedOut};
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/tokens/{id}/derive`.
pub(crate) async fn handle(call: Call) -> Answer {
    let id = token_id(&call)?;
    let wanted: DeriveBody = body(&call)?;
    let caller = call.caller()?;
    let proven = wanted.cnf.as_ref().map(bodies::confirmation);
    let presented = bodies::presentation(&wanted.token, wanted.device_id.as_ref(), proven.as_ref());
    let parent = call.manager().explain(presented, &ValidationChain::new()).await?.token;
    if parent.id != id || !caller.may_see(&parent) {
        return Err(not_found(id));
    }
    // Without audiences, the derived token has those of its parent.
    let audiences = match wanted.audience.is_empty() {
        true => &parent.audiences,
        false => &wanted.audience,
    };
    let handed_out = HandedOut { scopes: &wanted.scopes, audiences, may_issue: None };
    bounds::check(caller.token(), handed_out).map_err(Failure::from)?;
    let grant = wanted.grant().by(caller.actor()?);
    let issued = match idempotency::key(&call)? {
        Some(key) => call.manager().derive_once(&key, presented, grant).await?,
        None => call.manager().derive(presented, grant).await?,
    };
    json::ok(&issued_body(&issued, call.manager().now()))
}
