//! Revocation (RFC 7009).
//!
//! A client revokes its own tokens; a caller with the scope `keyfob:revoke` revokes any. What is
//! unknown, ended or revoked already is answered with 200, as the standard says. To revoke a refresh
//! token ends its family, access tokens included (section 2.1).

use axum::body::Body;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};
use keyfob::{Error, Kind, Presentation, RevokeRequest, Token, ValidationChain};

use super::forms::TOKEN;
use crate::access::scope::ManagementScope;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

/// Answers a revocation.
pub(crate) async fn handle(call: Call) -> Answer {
    let bearer = call.shared.bearer(call.required(&TOKEN)?);
    let presented = Presentation::new(&bearer);
    let caller = call.caller()?;
    // Explaining finds the token in whatever state, and counts no use.
    let token = match call.manager().explain(presented, &ValidationChain::new()).await {
        Ok(explanation) => explanation.token,
        // An unknown token is revoked as far as anybody can tell.
        Err(Error::Refused(_)) => return Ok(done()),
        Err(error) => return Err(error.into()),
    };
    if !caller.has(ManagementScope::Revoke) && !caller.is_client_of(&token) {
        let detail = "the token was not issued to this client";
        return Err(Failure::oauth("unauthorized_client", detail));
    }
    revoke(&call, &token).await?;
    Ok(done())
}

async fn revoke(call: &Call, token: &Token) -> Result<(), Failure> {
    let actor = call.caller()?.actor()?;
    let request = RevokeRequest::reason("revoked at the revocation endpoint").by(actor);
    let revoked = match (token.kind, token.family) {
        (Kind::Refresh, Some(family)) => {
            call.manager().revoke_family(family, request).await.map(drop)
        }
        _ => call.manager().revoke(token.id, request).await.map(drop),
    };
    match revoked {
        // The record was forgotten in the meantime.
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn done() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
