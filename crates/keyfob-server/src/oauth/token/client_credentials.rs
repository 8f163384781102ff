//! The grant `client_credentials` (RFC 6749 section 4.4).
//!
//! The access token is derived from the API key: it has no more scope and no other audience, ends
//! with the key at the latest, and is revoked with it. Without the parameter `scope` it has the
//! scopes of the key that are not reserved: a token that manages this service has to be asked for.

use keyfob::{Grant, Kind, Scope};

use super::answer::scopes;
use super::form::{Form, audiences};
use super::proof::{Proven, proven_key};
use crate::access::scope::is_reserved;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

pub(super) async fn handle(call: &Call) -> Answer {
    let caller = call.caller()?;
    let key = caller.token();
    if key.kind != Kind::ApiKey {
        let detail = "this grant needs an API key, not a token that was derived from one";
        return Err(Failure::oauth("unauthorized_client", detail));
    }
    let asked = scopes(call)?;
    let granted: Vec<Scope> = match asked.is_empty() {
        true => key.scopes.iter().filter(|scope| !is_reserved(scope.as_str())).cloned().collect(),
        false => asked,
    };
    let mut grant = Grant::new(Kind::Access).by(caller.actor()?);
    for scope in granted {
        grant = grant.scope(scope);
    }
    let asked = audiences(call)?;
    let form = Form::of(call, &asked, (&key.audiences, key.client.as_ref()))?;
    grant = form.say(asked.into_iter().fold(grant, Grant::audience))?;
    let proven = proven_key(call).await?;
    grant = proven.and_then(Proven::binding).into_iter().fold(grant, Grant::confirmation);
    let issued = call.manager().derive(call.presentation_of(caller), grant).await?;
    form.answer(call, &issued, None)
}
