//! The caller itself, and sessions for people: a short-lived token instead of the key.

use http::StatusCode;
use keyfob::{Grant, Kind, Scope, Ttl};
use keyfob_api::OpenSessionBody;

use super::input::body;
use super::view::issued_body;
use crate::access::scope::is_reserved;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// After how long without a use a session expires, unless the request says otherwise.
const IDLE: Ttl = Ttl::from_mins(15);

/// How long a session lasts at most.
const ABSOLUTE: Ttl = Ttl::from_hours(12);

/// The tag of these sessions.
const TAG: &str = "keyfob-console";

/// Answers `GET /v1/caller`.
pub(crate) async fn caller(call: Call) -> Answer {
    let id = call.caller()?.token().id;
    json::ok(&call.manager().get(id).await?.view(call.manager().now()))
}

/// Answers `POST /v1/sessions`.
///
/// A session is no key: it cannot open another one, so it ends when it says.
pub(crate) async fn open(call: Call) -> Answer {
    let OpenSessionBody { user_agent, idle } = body(&call)?;
    let caller = call.caller()?;
    let key = caller.token();
    if key.kind != Kind::ApiKey {
        return Err(denied("a session is opened with an API key, and with nothing else"));
    }
    let reserved = |scope: &&Scope| is_reserved(scope.as_str());
    let scopes: Vec<Scope> = key.scopes.iter().filter(reserved).cloned().collect();
    if scopes.is_empty() {
        return Err(denied("the key has no keyfob: scope, so a session of it may do nothing"));
    }
    let mut grant = Grant::new(Kind::Session)
        .idle_timeout(idle.unwrap_or(IDLE).min(ABSOLUTE))
        .absolute_lifetime(ABSOLUTE)
        .tag(TAG)
        .by(caller.actor()?);
    grant = scopes.into_iter().fold(grant, Grant::scope);
    if let Some(user_agent) = user_agent {
        grant = grant.user_agent(user_agent);
    }
    let mut presented = call.presentation_of(caller);
    if let Some(address) = call.address {
        grant = grant.ip(address);
        presented = presented.ip(address);
    }
    let issued = call.manager().derive(presented, grant).await?;
    json::with_status(StatusCode::CREATED, &issued_body(&issued, call.manager().now()))
}

fn denied(detail: &'static str) -> Failure {
    Failure {
        code: "access_denied".into(),
        ..Failure::new(StatusCode::FORBIDDEN, "unauthorized_client", detail)
    }
}
