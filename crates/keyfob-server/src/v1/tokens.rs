//! One token: read it, its history, change its metadata, give it a new secret, revoke it.

use keyfob::rotation::SecretOverlap;
use keyfob::values::Reason;
use keyfob::{RevokeRequest, RotateRequest, Token, UpdateRequest};
use keyfob_api::{HistoryBody, RotateBody, UpdateBody};

use super::input::{body, not_found, token_id};
use super::parameters::REASON;
use super::revoke::one_token;
use super::view::{issued_body, readable};
use crate::access::bounds::{self, HandedOut};
use crate::access::caller::Caller;
use crate::access::scope::ManagementScope;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `GET /v1/tokens/{id}`.
pub(crate) async fn get(call: Call) -> Answer {
    let token = readable(&call, token_id(&call)?).await?;
    json::ok(&token.view(call.manager().now()))
}

/// Answers `GET /v1/tokens/{id}/history`.
pub(crate) async fn history(call: Call) -> Answer {
    let id = token_id(&call)?;
    readable(&call, id).await?;
    json::ok(&HistoryBody { changes: call.manager().history(id).await? })
}

/// Answers `PATCH /v1/tokens/{id}`.
pub(crate) async fn update(call: Call) -> Answer {
    let id = token_id(&call)?;
    let changes: UpdateBody = body(&call)?;
    if changes.is_empty() {
        return Err(Failure::bad("nothing_to_change", "the body names no change"));
    }
    readable(&call, id).await?;
    let request = UpdateRequest::new().by(call.caller()?.actor()?);
    let token = call.manager().update(id, request, |metadata| changes.apply(metadata)).await?;
    json::ok(&token.view(call.manager().now()))
}

/// Answers `POST /v1/tokens/{id}/rotate`.
///
/// The new secret speaks with all scopes of the key. So a caller rotates its own key, or one that it
/// could hand out.
pub(crate) async fn rotate(call: Call) -> Answer {
    let id = token_id(&call)?;
    let RotateBody { overlap } = body(&call)?;
    let caller = call.caller()?;
    let token = call.manager().get(id).await?;
    if token.id != caller.token().id {
        if !caller.has(ManagementScope::Issue) || !caller.may_see(&token) {
            return Err(not_found(id));
        }
        bounds::check(
            caller.token(),
            HandedOut {
                scopes: &token.scopes,
                audiences: &token.audiences,
                may_issue: token.claims.registered.may_issue.as_ref(),
            },
        )?;
    }
    let mut request = RotateRequest::new().by(caller.actor()?);
    match overlap.as_deref() {
        None => {}
        Some("0") => request = request.overlap(SecretOverlap::NONE),
        Some(length) => request = request.overlap(SecretOverlap::new(length.parse()?)),
    }
    let issued = call.manager().rotate(id, request).await?;
    json::ok(&issued_body(&issued, call.manager().now()))
}

/// Answers `DELETE /v1/tokens/{id}`: revokes the token, and all that was minted from it. A client
/// revokes its own tokens; with the scope, all.
pub(crate) async fn revoke(call: Call) -> Answer {
    let id = token_id(&call)?;
    let reason = call.query.value::<Reason>(&REASON)?;
    let caller = call.caller()?;
    let token = call.manager().get(id).await?;
    if !may_revoke(caller, &token) {
        return Err(not_found(id));
    }
    let request = reason.map_or_else(RevokeRequest::default, RevokeRequest::from);
    json::ok(&one_token(&call, id, request.by(caller.actor()?)).await?)
}

fn may_revoke(caller: &Caller, token: &Token) -> bool {
    caller.has(ManagementScope::Revoke)
        || caller.is_client_of(token)
        || token.id == caller.token().id
}
