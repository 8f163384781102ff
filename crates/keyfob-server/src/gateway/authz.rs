//! `GET /authz`: the verdict for nginx, Traefik, Caddy, HAProxy, and every other gateway that asks over
//! HTTP before it forwards a request.
//!
//! The gateway passes on the headers of the client. The query has the demands.
//!
//! | answer | when |
//! |---|---|
//! | 200, with the identity in headers | the request may pass |
//! | 400 | the credentials are malformed or ambiguous, or a demand is not valid |
//! | 401, with a challenge (RFC 6750 section 3) | there is no token, or it is not accepted |
//! | 403, with the scope that is needed | the token lacks a scope |
//! | 429, with `Retry-After` | a limit refuses |
//! | 503, with `Retry-After` | the store cannot tell |

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Response};
use keyfob_tower::write_rate_limit;
use std::net::SocketAddr;

use super::decide::decide;
use super::demands::Demands;
use super::identity;
use super::request::ClientRequest;
use super::verdict::{Allowed, Verdict};
use crate::call::Call;
use crate::respond::json::Answer;

/// Answers `GET /authz`.
pub(crate) async fn handle(call: Call) -> Answer {
    let settings = &call.shared.settings;
    let query = call.parts.uri.query().unwrap_or_default();
    let demands = Demands::of_query(query, &settings.chains);
    let peer = call.parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let (headers, proxies) = (&call.parts.headers, &settings.trusted_proxies);
    let request = ClientRequest::of_headers(headers, peer, call.certificate.as_ref(), proxies);
    let verdict = decide(&call.shared, &request, &demands, identity::headers).await;
    Ok(render(verdict))
}

fn render(verdict: Verdict<HeaderMap>) -> Response<Body> {
    let Allowed { identity: mut headers, limits } = match verdict {
        Verdict::Allowed(allowed) => allowed,
        Verdict::Denied(denial) => return denial.response().map(Body::from),
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(limits) = &limits {
        write_rate_limit(limits, &mut headers);
    }
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = headers;
    response
}
