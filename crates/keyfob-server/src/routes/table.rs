//! All routes. This table is the one place that says what each demands of its caller.

use http::Method;

use super::route::{Route, Takes};
use crate::access::demand::Demand;
use crate::access::scope::ManagementScope;
use crate::respond::render::ErrorForm;
use crate::{gateway, oauth, operations, v1};

/// Returns all routes.
pub fn routes() -> Vec<Route> {
    let mut routes = oauth_routes();
    routes.extend(api_routes());
    routes.push(Route {
        demand: Demand::Presented,
        ..get("/authz", "authorizeRequest", |call| Box::pin(gateway::authz::handle(call)))
    });
    routes.extend(operation_routes());
    routes
}

fn oauth_routes() -> Vec<Route> {
    let post = |path, operation, demand, handler| Route {
        method: Method::POST,
        path,
        operation,
        demand,
        errors: ErrorForm::OAuth,
        takes: Takes::Form,
        handler,
    };
    vec![
        post(
            "/oauth2/introspect",
            "introspect",
            Demand::Scope(ManagementScope::Introspect),
            |call| Box::pin(oauth::introspect::handle(call)),
        ),
        post(
            "/oauth2/revoke",
            "revoke",
            Demand::Client { others: ManagementScope::Revoke },
            |call| Box::pin(oauth::revoke::handle(call)),
        ),
        post("/oauth2/token", "token", Demand::TokenEndpoint, |call| {
            Box::pin(oauth::token::handle(call))
        }),
        get("/.well-known/oauth-authorization-server", "metadata", |call| {
            Box::pin(oauth::metadata::handle(call))
        }),
    ]
}

/// The maximum length of a body that names one thing, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The maximum length of a body that may name a thousand things, in bytes.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The routes of `/v1`.
fn api_routes() -> Vec<Route> {
    use ManagementScope::{Admin, Events, Introspect, Issue, Keys, Read, Revoke};

    let route = |method, path, operation, demand, takes, handler| Route {
        method,
        path,
        operation,
        demand,
        errors: ErrorForm::Problem,
        takes,
        handler,
    };
    let get = |path, operation, scope, handler| {
        route(Method::GET, path, operation, Demand::Scope(scope), Takes::Nothing, handler)
    };
    let post = |path, operation, demand, max_bytes, handler| {
        route(Method::POST, path, operation, demand, Takes::Json { max_bytes }, handler)
    };
    let body = Takes::Json { max_bytes: MAX_BODY_BYTES };
    vec![
        post("/v1/tokens", "issueTokens", Demand::Scope(Issue), MAX_BATCH_BYTES, |call| {
            Box::pin(v1::issue::handle(call))
        }),
        get("/v1/tokens", "listTokens", Read, |call| Box::pin(v1::list::list(call))),
        get("/v1/tokens/count", "countTokens", Read, |call| Box::pin(v1::list::count(call))),
        get("/v1/tokens/{id}", "getToken", Read, |call| Box::pin(v1::tokens::get(call))),
        route(
            Method::PATCH,
            "/v1/tokens/{id}",
            "updateToken",
            Demand::Scope(Issue),
            body,
            |call| Box::pin(v1::tokens::update(call)),
        ),
        route(
            Method::DELETE,
            "/v1/tokens/{id}",
            "revokeToken",
            Demand::Client { others: Revoke },
            Takes::Nothing,
            |call| Box::pin(v1::tokens::revoke(call)),
        ),
        get("/v1/tokens/{id}/history", "getTokenHistory", Read, |call| {
            Box::pin(v1::tokens::history(call))
        }),
        post(
            "/v1/tokens/{id}/rotate",
            "rotateToken",
            Demand::Client { others: Issue },
            MAX_BODY_BYTES,
            |call| Box::pin(v1::tokens::rotate(call)),
        ),
        post(
            "/v1/tokens/{id}/derive",
            "deriveToken",
            Demand::Scope(Issue),
            MAX_BODY_BYTES,
            |call| Box::pin(v1::derive::handle(call)),
        ),
        post(
            "/v1/validate",
            "validateTokens",
            Demand::Scope(Introspect),
            MAX_BATCH_BYTES,
            |call| Box::pin(v1::validate::handle(call)),
        ),
        post("/v1/explain", "explainToken", Demand::Scope(Read), MAX_BODY_BYTES, |call| {
            Box::pin(v1::explain::handle(call))
        }),
        post(
            "/v1/introspect",
            "introspectTokens",
            Demand::Scope(Introspect),
            MAX_BATCH_BYTES,
            |call| Box::pin(v1::introspect::handle(call)),
        ),
        post("/v1/revoke", "revokeTokens", Demand::Scope(Revoke), MAX_BODY_BYTES, |call| {
            Box::pin(v1::revoke::handle(call))
        }),
        get("/v1/events", "readEvents", Events, |call| Box::pin(v1::events::handle(call))),
        get("/v1/stats", "getStats", Read, |call| Box::pin(v1::operations::stats(call))),
        get("/v1/limits", "getLimits", Read, |call| Box::pin(v1::operations::limits(call))),
        get("/v1/keys", "getKeys", Keys, |call| Box::pin(v1::operations::keys(call))),
        get("/v1/doctor", "getReport", Admin, |call| Box::pin(v1::operations::doctor(call))),
    ]
}

fn operation_routes() -> Vec<Route> {
    vec![
        get("/healthz", "health", |call| Box::pin(operations::health(call))),
        get("/readyz", "readiness", |call| Box::pin(operations::readiness(call))),
        get("/metrics", "metrics", |call| Box::pin(operations::metrics(call))),
    ]
}

/// Returns a route that everybody may read.
fn get(
    path: &'static str,
    operation: &'static str,
    handler: fn(crate::call::Call) -> super::route::Answering,
) -> Route {
    Route {
        method: Method::GET,
        path,
        operation,
        demand: Demand::Public,
        errors: ErrorForm::Problem,
        takes: Takes::Nothing,
        handler,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_route_and_each_operation_is_there_once() {
        let all = routes();
        let paths: BTreeSet<_> = all.iter().map(|r| (r.method.as_str(), r.path)).collect();
        let operations: BTreeSet<_> = all.iter().map(|r| r.operation).collect();
        assert_eq!((paths.len(), operations.len()), (all.len(), all.len()));
    }

    #[test]
    fn a_route_that_changes_something_demands_a_client() {
        for route in routes() {
            let is_public = matches!(route.demand, Demand::Public);
            assert!(route.method == Method::GET || !is_public, "{route:?}");
        }
    }
}
