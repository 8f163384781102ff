//! All routes. This table is the one place that says what each demands of its caller.

use http::Method;

use super::route::{Route, Takes};
use crate::access::demand::Demand;
use crate::access::scope::ManagementScope;
use crate::respond::render::ErrorForm;
use crate::{oauth, operations};

/// Returns all routes.
pub fn routes() -> Vec<Route> {
    let mut routes = oauth_routes();
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
