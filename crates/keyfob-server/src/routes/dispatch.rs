//! From a request to the handler of its route: body, credentials, demand, answer.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::routing::{MethodFilter, any};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use keyfob::metrics::HttpRoute;
use keyfob::token::Confirmation;
use keyfob_tower::ClientCertificate;
use tower_service::Service as _;
use tracing::Span;

use super::arrival::{Arrived, Asked};
use super::context::RequestContext;
use super::forwarding::{self, Forwardable, is_answered_here, is_not_at_edge};
use super::observe::Observed;
use super::request_id::{self, REQUEST_ID};
use super::route::Route;
use super::table::routes;
use super::trace;
use crate::call::Call;
use crate::deadline::within;
use crate::gateway::ext_authz::{self, Method};
use crate::listen::Face;
use crate::query::Query;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;
use crate::respond::render::ErrorForm;
use crate::shared::Shared;

/// Returns a router with the routes of a side, and the gRPC services beside them.
pub(crate) fn router(shared: &Arc<Shared>, face: Face) -> Router {
    let mut by_path = HashMap::<_, axum::routing::MethodRouter>::new();
    for route in routes().into_iter().filter(|route| face.has(route.path)) {
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else { continue };
        let (path, route, shared) = (route.path, Arc::new(route), Arc::clone(shared));
        let label = HttpRoute::of_operation(route.operation).unwrap_or(HttpRoute::Unrouted);
        let methods = by_path.remove(path).unwrap_or_default();
        let without = Arc::clone(&shared);
        let methods = methods.on(filter, move |request: Request| {
            let (shared, route) = (Arc::clone(&shared), Arc::clone(&route));
            async move { observed(shared, &route, label, request).await }
        });
        let wrong_method = move |request: Request| async move { wrong_method(&without, &request) };
        by_path.insert(path, methods.fallback(wrong_method));
    }
    let router = by_path
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    let router = match face {
        Face::All | Face::Public => add_grpc(router, shared),
        Face::Management => router,
    };
    let shared = Arc::clone(shared);
    router.fallback(move |request: Request| {
        let shared = Arc::clone(&shared);
        async move {
            match shared.pages.at(request.uri().path(), face) {
                Some(pages) => observed_page(&shared, pages, request).await,
                None => no_route(&shared, &request),
            }
        }
    })
}

/// Shows a page, and counts the request. The page gets the id of the request, and the address of the client.
async fn observed_page(shared: &Shared, mut pages: Router, request: Request) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let id = request_id::of(&parts.headers);
    let context = RequestContext::new("console", Arc::clone(&id), &parts.headers);
    if let Some(address) = client_address(shared, &parts) {
        parts.extensions.insert::<IpAddr>(address);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        parts.headers.insert(REQUEST_ID, id);
    }
    let request = Request::from_parts(parts, body);
    let answering = async {
        let observed = Observed::begin(&shared.metrics, HttpRoute::Console, Span::none());
        let response = match pages.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        observed.end(response.status(), shared.settings.log_requests);
        response
    };
    context.scope(answering).await
}

fn add_grpc(router: Router, shared: &Arc<Shared>) -> Router {
    ext_authz::METHODS.iter().fold(router, |router, method| {
        let shared = Arc::clone(shared);
        let answer = move |request: Request| observed_grpc(Arc::clone(&shared), method, request);
        router.route(method.path, any(answer))
    })
}

fn no_route(shared: &Shared, request: &Request) -> Response<Body> {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if content_type.is_some_and(|text| text.starts_with(b"application/grpc")) {
        observe_unrouted(shared, StatusCode::NOT_FOUND);
        return tonic::Status::unimplemented("there is no service of this name").into_http();
    }
    let status = StatusCode::NOT_FOUND;
    unrouted(shared, request, status, "not_found", "there is nothing at this path")
}

fn wrong_method(shared: &Shared, request: &Request) -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    unrouted(shared, request, status, "method_not_allowed", "this path does not take the method")
}

fn unrouted(
    shared: &Shared,
    request: &Request,
    status: StatusCode,
    code: &'static str,
    detail: &'static str,
) -> Response<Body> {
    observe_unrouted(shared, status);
    let failure = Failure { code: code.into(), ..Failure::new(status, "invalid_request", detail) };
    failure.render(ErrorForm::Problem, &request_id::of(request.headers()))
}

fn observe_unrouted(shared: &Shared, status: StatusCode) {
    let observed = Observed::begin(&shared.metrics, HttpRoute::Unrouted, Span::none());
    observed.end(status, shared.settings.log_requests);
}

/// Answers a request of gRPC, and counts it. The method gives its id to what is logged meanwhile.
async fn observed_grpc(
    shared: Arc<Shared>,
    method: &'static Method,
    request: Request,
) -> Response<tonic::body::Body> {
    let continue_trace = shared.continue_trace.get();
    let traced = trace::of_call(method.path, request.headers(), continue_trace);
    let answering = async {
        let route = HttpRoute::of_operation(method.operation).unwrap_or(HttpRoute::Unrouted);
        let observed = Observed::begin(&shared.metrics, route, traced);
        let (status, response) = (method.answer)(Arc::clone(&shared), request).await;
        observed.end(status, shared.settings.log_requests);
        response
    };
    RequestContext::of_call(method.operation).scope(answering).await
}

/// Answers a request, counts it, traces it, and gives what is logged meanwhile its id.
async fn observed(
    shared: Arc<Shared>,
    route: &Route,
    label: HttpRoute,
    request: Request,
) -> Response<Body> {
    let id = request_id::of(request.headers());
    let context = RequestContext::new(route.operation, Arc::clone(&id), request.headers());
    let (headers, continue_trace) = (request.headers(), shared.continue_trace.get());
    let traced = trace::of_request(&route.method, route.path, &id, headers, continue_trace);
    let answering = async {
        let observed = Observed::begin(&shared.metrics, label, traced);
        let response = answer(Arc::clone(&shared), route, request, id).await;
        observed.end(response.status(), shared.settings.log_requests);
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            shared.readiness.doubt();
        }
        response
    };
    context.scope(answering).await
}

async fn answer(
    shared: Arc<Shared>,
    route: &Route,
    request: Request,
    id: Arc<str>,
) -> Response<Body> {
    let limit = shared.settings.request_timeout;
    let mut fields = HeaderMap::new();
    let outcome = within(limit, pin!(handle(shared, route, request, &id, &mut fields))).await;
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => Err(Failure {
            code: "timed_out".into(),
            ..Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                "the request took too long: send it faster, or try again",
            )
        }),
    };
    let mut response = outcome.unwrap_or_else(|failure| failure.render(route.errors, &id));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    for (name, value) in &fields {
        response.headers_mut().append(name, value.clone());
    }
    response
}

/// Handles a request. What is rare is in boxes: the future of each request is as large as its largest part, and is
/// moved and freed as a whole. `fields` takes what the answer says about limits, whatever it is.
async fn handle(
    shared: Arc<Shared>,
    route: &Route,
    request: Request,
    id: &Arc<str>,
    fields: &mut HeaderMap,
) -> Answer {
    let (mut parts, body) = request.into_parts();
    let address = client_address(&shared, &parts);
    let certificate = client_certificate(&shared, &parts);
    let central = shared.settings.forward.clone();
    if let Some(central) = central.as_ref().filter(|_| !is_answered_here(route)) {
        let request = (parts, body);
        let passing = forwarding::pass_on(&shared, central, route, request, address, fields);
        return Box::pin(passing).await;
    }
    let asked =
        Asked { shared: &shared, route, parts: &parts, address, certificate: certificate.as_ref() };
    let Arrived { identity, body, form, is_for_central } = asked.arrive(body, fields).await?;
    let forwardable =
        central.map(|central| Forwardable::new(&central, route, &parts, body.clone(), address));
    let forwardable = match forwardable {
        Some(forwardable) if is_for_central => {
            return Box::pin(forwardable.send(&shared)).await;
        }
        forwardable => forwardable,
    };
    let query = query_of(route, &parts)?;
    let body = if form.is_some() { Bytes::new() } else { body };
    let path = path_parameters(&mut parts).await;
    let (form, request_id) = (form.unwrap_or_default(), Arc::clone(id));
    let sharing = Arc::clone(&shared);
    let answering = (route.handler)(Call {
        shared,
        parts,
        path,
        query,
        identity,
        body,
        form,
        address,
        certificate,
        request_id,
    });
    match (answering.await, forwardable) {
        (Err(failure), Some(forwardable)) if is_not_at_edge(&failure) => {
            // The central server charges it too, and its answer says so.
            fields.clear();
            Box::pin(forwardable.send(&sharing)).await
        }
        (answer, _) => answer,
    }
}

/// Reads the query, if its route leaves it to the dispatcher.
fn query_of(route: &Route, parts: &Parts) -> Result<Query, Failure> {
    match route.is_query_checked {
        true => Query::parse(parts.uri.query().unwrap_or_default(), route.query),
        false => Ok(Query::default()),
    }
}

/// Returns the key that the client proves by its certificate.
fn client_certificate(shared: &Shared, parts: &Parts) -> Option<Confirmation> {
    let settings = &shared.settings;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let of_connection = parts.extensions.get::<ClientCertificate>();
    let (proxies, header) = (&settings.trusted_proxies, settings.certificates.header);
    proxies.client_certificate(peer, of_connection, header, &parts.headers)
}

fn client_address(shared: &Shared, parts: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(shared.settings.trusted_proxies.client_address(peer.ip(), &parts.headers))
}

async fn path_parameters(parts: &mut Parts) -> BTreeMap<String, String> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => params.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        // The path is not UTF-8 after decoding: then no parameter is there, and none is valid.
        Err(_) => BTreeMap::new(),
    }
}
