//! The grant `refresh_token` (RFC 6749 section 6).
//!
//! With a proof of possession, the access token is bound to the key; for a public client the refresh token too (RFC 9449
//! section 5). The audiences of the access token decide its form, as for the other grants; `resource` and `audience`
//! narrow them (RFC 8707 section 2.2).

use keyfob::{Presentation, RefreshRequest};

use super::answer::{TokenAnswer, scopes};
use super::form::audiences;
use super::proof::{Proven, proven_key};
use crate::access::caller::Identity;
use crate::call::Call;
use crate::jwt::mint::Minter;
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
    request = audiences(call)?.into_iter().fold(request, RefreshRequest::audience);
    let minter = Minter::if_any(call)?;
    let mut asked = None;
    if let Some(minter) = &minter {
        let (with_form, form) = minter.ask(request)?;
        (request, asked) = (with_form, Some((minter, form)));
    }
    let mut presentation = Presentation::new(bearer);
    if let Some(address) = call.address {
        presentation = presentation.ip(address);
    }
    let refreshed = call.manager().refresh(presentation, request).await;
    let pair = refreshed.map_err(|error| Failure::from(error).into_invalid_grant())?;
    let mint = |(minter, form): (&Minter<'_>, _)| minter.mint_asked(&pair.access.token, form);
    let jwt = asked.map(mint).transpose()?.flatten();
    let answer = TokenAnswer::of(&pair.access, call.manager().now());
    json::ok(&TokenAnswer {
        access_token: jwt.as_deref().unwrap_or(answer.access_token),
        refresh_token: Some(pair.refresh.bearer.expose()),
        ..answer
    })
}
