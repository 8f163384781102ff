//! At an edge: requests that only the central server can answer are sent on to it, with the credentials of their caller.
//! The central server decides about them as about any other.
//!
//! The edge answers checks of tokens, and what is about itself. `for_central` finds the checks that need what only the
//! central server has; they are sent on too. So is one that fails with `not_at_edge` nevertheless.
//!
//! A central server that is slow must not take what the edge needs for its own answers. So a bounded number of requests
//! waits for it, and the others are refused at once.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE,
    IF_NONE_MATCH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::body::read;
use super::charge;
use super::route::{Route, Tag, Takes};
use super::waiting::Place;
use crate::access::caller::Unauthenticated;
use crate::access::credentials::Credentials;
use crate::forward::Forward;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;
use crate::shared::Shared;

/// The code of what cannot be done at an edge.
const NOT_AT_EDGE: &str = "not_at_edge";

/// The headers that are sent on, with those that the route reads. No other one: a central server that trusts the edge as
/// a proxy would believe what a client of the edge says about its address or its certificate.
const HEADERS: [HeaderName; 7] =
    [ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, USER_AGENT, VIA];

/// The same, of traces, and the id of the request.
const NAMED_HEADERS: [&str; 3] = ["traceparent", "tracestate", "x-request-id"];

/// The headers of one connection, which are not those of an answer (RFC 9110 section 7.6.1). There may be others, which
/// `Connection` lists.
const OF_CONNECTION: [HeaderName; 7] =
    [CONNECTION, CONTENT_LENGTH, KEEP_ALIVE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is no check of a token, and nevertheless about the edge.
const OF_EDGE: [&str; 6] =
    ["introspect", "getCaller", "getReport", "getLimits", "getLimitStatus", "testLimit"];

/// Whether an edge answers a route itself.
pub(crate) fn is_answered_here(route: &Route) -> bool {
    matches!(route.tag, Tag::Validation | Tag::Service) || OF_EDGE.contains(&route.operation)
}

/// Sends on a request of a route that only the central server answers. That one charges the limits.
pub(crate) async fn pass_on(
    shared: &Shared,
    central: &Arc<dyn Forward>,
    route: &Route,
    (parts, body): (Parts, Body),
    address: Option<IpAddr>,
    fields: &mut HeaderMap,
) -> Answer {
    if let Err(refused) = look_for_credentials(route, &parts.headers) {
        charge::by_address(shared, route, address, fields).await?;
        return Err(refused.into());
    }
    let place = shared.forwarding.place(&parts.headers, &shared.metrics)?;
    let body = read(shared, route.takes, &parts.headers, body).await?;
    Forwardable::new(central, route, &parts, body, address).send_from(shared, place).await
}

/// Nobody sends a body without credentials, where they are in the header: the central server would refuse it.
fn look_for_credentials(route: &Route, headers: &HeaderMap) -> Result<(), Unauthenticated> {
    if route.takes == Takes::Form || !route.demand.asks_for_credentials() {
        return Ok(());
    }
    match Credentials::read(headers, None) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Unauthenticated::Missing),
        Err(bad) => Err(Unauthenticated::Malformed(bad)),
    }
}

/// Whether a request that seemed to be for the edge has to be sent on nevertheless.
pub(crate) fn is_not_at_edge(failure: &Failure) -> bool {
    failure.code == NOT_AT_EDGE
}

/// A request that may have to be sent on.
#[derive(Debug)]
pub(crate) struct Forwardable {
    to: Arc<dyn Forward>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Forwardable {
    pub(crate) fn new(
        to: &Arc<dyn Forward>,
        route: &Route,
        parts: &Parts,
        body: Bytes,
        address: Option<IpAddr>,
    ) -> Self {
        let named = NAMED_HEADERS.into_iter().chain(route.headers.iter().map(|header| header.name));
        let named = named.filter_map(|name| HeaderName::try_from(name).ok());
        let mut headers = HeaderMap::new();
        for name in HEADERS.into_iter().chain(named) {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let address = address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
        headers.extend(address.map(|address| (FORWARDED_FOR, address)));
        let (method, uri) = (parts.method.clone(), parts.uri.clone());
        Self { to: Arc::clone(to), method, uri, headers, body }
    }

    pub(crate) async fn send(self, shared: &Shared) -> Answer {
        let place = shared.forwarding.place(&self.headers, &shared.metrics)?;
        self.send_from(shared, place).await
    }

    async fn send_from(self, shared: &Shared, _place: Place<'_>) -> Answer {
        let Self { to, method, uri, mut headers, body } = self;
        headers.append(VIA, shared.forwarding.via().clone());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::builder().method(method).uri(path).body(body);
        let mut request = request.map_err(|_| Failure::internal("server_error"))?;
        *request.headers_mut() = headers;
        match to.forward(request).await {
            Ok(mut response) => {
                drop_connection_headers(response.headers_mut());
                Ok(response.map(Body::new))
            }
            Err(error) => {
                tracing::warn!(%error, "a request cannot be sent on");
                Err(Failure::undecided("the central server does not answer: try again"))
            }
        }
    }
}

fn drop_connection_headers(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed.into_iter().chain(OF_CONNECTION) {
        headers.remove(name);
    }
}
