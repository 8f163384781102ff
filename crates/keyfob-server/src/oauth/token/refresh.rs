//! The grant `refresh_token` (RFC 6749 section 6).
//!
//! With a proof of possession, the access token is bound to the key; for a public client the refresh token too (RFC 9449
//! section 5).

use keyfob::{Presentation, RefreshRequest};

use super::answer::{TokenAnswer, scopes};
use super::proof::{Proven, proven_key};
use crate::access::caller::Identity;
use crate::call::Call;
use crate::oauth::forms::REFRESH_TOKEN;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

pub(super) async fn handle(call: &Call) -> Answer {
    let bearer = call.required(&REFRESH_TOKEN)?;
    let proven = proven_key(call).await?;
    let mut request = RefreshRequest::new();
    if let Some(proven) = &proven {
        request = request.confirmation(proven.key.clone());
    }
    let key = proven.and_then(Proven::binding);
    match &call.identity {
        Some(Identity::Public(client)) => {
            request = key.into_iter().fold(request, RefreshRequest::bind_pair);
            request = request.client(client.clone());
        }
        Some(Identity::Proven(caller)) => {
            let Some(client) = &caller.token().client else {
                let detail = "the key of this client names no client: refresh tokens belong to one";
                return Err(Failure::oauth("unauthorized_client", detail));
            };
            request = key.into_iter().fold(request, RefreshRequest::bind_access);
            request = request.client(client.clone()).by(caller.actor()?);
        }
        None => return Err(Failure::internal("route_without_demand")),
    }
    for scope in scopes(call)? {
        request = request.scope(scope);
    }
    let mut presentation = Presentation::new(bearer);
    if let Some(address) = call.address {
        presentation = presentation.ip(address);
    }
    let refreshed = call.manager().refresh(presentation, request).await;
    let pair = refreshed.map_err(|error| Failure::from(error).into_invalid_grant())?;
    let now = call.manager().now();
    json::ok(&TokenAnswer {
        refresh_token: Some(pair.refresh.bearer.expose()),
        ..TokenAnswer::of(&pair.access, now)
    })
}
