//! A refresh token is exchanged for an access token and the next refresh token.
//!
//! Who may issue a token may have it refreshed, so the same bounds hold: a caller gets nothing here that
//! it could not have issued.

use keyfob::{BearerToken, Error, ErrorClass, Token};
use keyfob_api::{RefreshBody, RefreshedBody};

use super::input::{body, not_found};
use super::view::issued_body;
use crate::access::bounds::{self, HandedOut};
use crate::access::caller::Caller;
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::{Challenge, Failure};
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/refresh`.
pub(crate) async fn handle(call: Call) -> Answer {
    let wanted: RefreshBody = body(&call)?;
    let (manager, caller) = (call.manager(), call.caller()?);
    // What is malformed or unknown is refused by the exchange, which counts it.
    if let Ok(bearer) = BearerToken::parse(wanted.token.expose(), manager.prefix()) {
        match manager.get(bearer.id()).await {
            Ok(token) => check(caller, &wanted, &token)?,
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let proven = wanted.cnf.as_ref().map(bodies::confirmation);
    let presented = bodies::presentation(&wanted.token, wanted.device_id.as_ref(), proven.as_ref());
    let request = bodies::refresh_request(&wanted).by(caller.actor()?);
    let pair = manager.refresh(presented, request).await.map_err(refused)?;
    let now = manager.now();
    json::ok(&RefreshedBody {
        case: bodies::refreshed_case(pair.case),
        access: issued_body(&pair.access, now),
        refresh: issued_body(&pair.refresh, now),
    })
}

/// Checks that the caller may hand out what the refresh token gives. The secret is not checked yet, so a
/// refusal says nothing of the token but what the caller has asked for.
fn check(caller: &Caller, wanted: &RefreshBody, token: &Token) -> Result<(), Failure> {
    if !caller.may_see(token) {
        return Err(not_found(token.id));
    }
    let scopes = if wanted.scopes.is_empty() { &token.scopes } else { &wanted.scopes };
    let audiences = if wanted.audience.is_empty() { &token.audiences } else { &wanted.audience };
    bounds::check(caller.token(), HandedOut { scopes, audiences, may_issue: None }).map_err(
        |beyond| Failure {
            detail: "this key may not hand out the scopes and audiences of the access token".into(),
            ..Failure::from(beyond)
        },
    )
}

/// A refresh token that is not exchanged is answered as any other bearer that is refused.
fn refused(error: Error) -> Failure {
    let is_refused = error.class() == ErrorClass::InvalidGrant;
    let failure = Failure::from(error);
    match is_refused {
        true => Failure {
            status: http::StatusCode::UNAUTHORIZED,
            challenge: Some(Challenge::InvalidToken),
            ..failure
        },
        false => failure,
    }
}
