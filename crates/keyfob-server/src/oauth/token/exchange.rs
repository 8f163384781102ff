//! Token exchange (RFC 8693): a service that was called with a token gets a narrower one, to call
//! another service for the same subject.
//!
//! The new token is derived: no wider, no longer, revoked with the token that was presented. It names
//! the actor: the subject of the actor token, or else the client. A client may exchange its own
//! tokens and those that are meant for it; one with the scope `keyfob:issue` may exchange every token
//! that it may look at.

use keyfob::token::Confirmation;
use keyfob::{Error, Grant, Kind, Presentation, Scope, Subject, Token, ValidationChain};

use super::answer::scopes;
use super::form::{Form, audiences};
use super::proof::{Proven, proven_key};
use crate::access::bounds;
use crate::access::caller::Caller;
use crate::access::scope::ManagementScope;
use crate::call::Call;
use crate::oauth::forms::{
    ACCESS_TOKEN_TYPE, ACTOR_TOKEN, ACTOR_TOKEN_TYPE, JWT_TYPE, REQUESTED_TOKEN_TYPE, SCOPE,
    SUBJECT_TOKEN, SUBJECT_TOKEN_TYPE,
};
use crate::parameter::Parameter;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

pub(super) async fn handle(call: &Call) -> Answer {
    let caller = call.caller()?;
    let presented = call.shared.bearer(call.required(&SUBJECT_TOKEN)?);
    check_type(call, &SUBJECT_TOKEN_TYPE)?;
    check_type(call, &REQUESTED_TOKEN_TYPE)?;
    let proven = proven_key(call).await?;
    let key = proven.as_ref().map(|proven| proven.key.clone());
    let presented = presentation(&presented, key.as_ref());
    let subject = inspect(call, presented).await?;
    if !may_exchange(caller, &subject) {
        let detail = "the subject token is not meant for this client";
        return Err(Failure::oauth("unauthorized_client", detail));
    }
    let mut grant =
        Grant::new(Kind::Access).acting(actor(call, key.as_ref()).await?).by(caller.actor()?);
    let may_pass_on = |scope: &Scope| bounds::may_pass_on(caller.token(), scope);
    let asked = scopes(call)?;
    if !asked.iter().all(may_pass_on) {
        return Err(Failure::oauth("invalid_scope", "the client may not hand out a scope"));
    }
    grant = asked.into_iter().fold(grant, Grant::scope);
    if call.optional(&SCOPE).is_none() {
        // Without the parameter: the scopes of the subject token (RFC 8693 section 2.1).
        let passed_on = subject.scopes.iter().filter(|scope| may_pass_on(scope));
        grant = passed_on.cloned().fold(grant, Grant::scope);
    }
    let asked = audiences(call)?;
    let form = Form::of(call, &asked, (&subject.audiences, subject.client.as_ref()))?;
    grant = form.say(asked.into_iter().fold(grant, Grant::audience))?;
    grant = proven.and_then(Proven::binding).into_iter().fold(grant, Grant::confirmation);
    let issued = call.manager().derive(presented, grant).await.map_err(invalid_token)?;
    let requested = call.optional(&REQUESTED_TOKEN_TYPE);
    let is_jwt = requested == Some(JWT_TYPE);
    form.answer(call, &issued, Some(if is_jwt { JWT_TYPE } else { ACCESS_TOKEN_TYPE }))
}

/// Returns a bearer token as the client presents it, with the key that it has proved.
fn presentation<'a>(bearer: &'a str, key: Option<&'a Confirmation>) -> Presentation<'a> {
    key.into_iter().fold(Presentation::new(bearer), Presentation::confirmation)
}

/// Returns the token of a bearer token that is active.
async fn inspect(call: &Call, presented: Presentation<'_>) -> Result<Token, Failure> {
    let chain = ValidationChain::new().allow_kind(Kind::Access).allow_kind(Kind::Session);
    let explained = call.manager().explain(presented, &chain).await;
    let explained = explained.map_err(invalid_token)?;
    match explained.refusals.into_iter().next() {
        Some(refusal) => Err(invalid_token(refusal.into())),
        None => Ok(explained.token),
    }
}

/// A token in the request that is not valid is `invalid_request` (RFC 8693 section 2.2.2).
fn invalid_token(error: Error) -> Failure {
    let failure = Failure::from(error);
    match failure.oauth {
        "invalid_token" | "invalid_grant" => {
            Failure::invalid_request("a token in the request is not valid")
        }
        _ => failure,
    }
}

fn may_exchange(caller: &Caller, subject: &Token) -> bool {
    caller.is_meant_by(subject)
        || caller.is_client_of(subject)
        || (caller.has(ManagementScope::Issue) && caller.may_see(subject))
}

/// Returns who acts: the subject of the actor token, or else the client.
async fn actor(call: &Call, key: Option<&Confirmation>) -> Result<Subject, Failure> {
    let caller = call.caller()?;
    let Some(presented) = call.optional(&ACTOR_TOKEN) else {
        if call.optional(&ACTOR_TOKEN_TYPE).is_some() {
            return Err(Failure::invalid_request("actor_token_type needs actor_token"));
        }
        return Ok(Subject::new(caller.actor()?.as_str())?);
    };
    if call.optional(&ACTOR_TOKEN_TYPE).is_none() {
        return Err(Failure::invalid_request("actor_token needs actor_token_type"));
    }
    check_type(call, &ACTOR_TOKEN_TYPE)?;
    let presented = call.shared.bearer(presented);
    let token = inspect(call, presentation(&presented, key)).await?;
    if !caller.is_client_of(&token) {
        let detail = "the actor token was not issued to this client";
        return Err(Failure::oauth("unauthorized_client", detail));
    }
    let client = token.client.as_ref().map(|client| client.as_str());
    let named = token.subject.as_ref().map(|subject| subject.as_str()).or(client);
    Ok(Subject::new(named.unwrap_or_default())?)
}

/// Checks a parameter that names a type of token: an access token, which may be a JWT.
fn check_type(call: &Call, parameter: &Parameter) -> Result<(), Failure> {
    let given = match parameter.is_required {
        true => Some(call.required(parameter)?),
        false => call.optional(parameter),
    };
    match given {
        None | Some(ACCESS_TOKEN_TYPE | JWT_TYPE) => Ok(()),
        Some(_) => Err(Failure::invalid_request("only access tokens can be exchanged")),
    }
}
