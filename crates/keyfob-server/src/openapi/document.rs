//! The whole document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use super::{failures, operation};
use crate::access::scope::ManagementScope;
use crate::routes::route::{Route, Tag};

const ABOUT: &str = "\
keyfob issues, validates, refreshes and revokes tokens.

A client is the holder of an API key. It authenticates with the key as a bearer token, or by HTTP Basic \
with its client id as the name and the key as the password. What a key may do is given by its scopes: \
each operation names the one that it demands. The scope `keyfob:admin` contains all others.

Errors of `/v1` are problem documents (RFC 9457): `code` is stable, the texts are not. The endpoints of \
OAuth answer with the errors of RFC 6749.";

/// Returns the document of these routes.
pub(crate) fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        path[method] = operation::operation(route, &mut schemas);
    }
    let tags = Tag::ALL.map(|tag| json!({ "name": tag.as_str(), "description": tag.about() }));
    let failures = failures::components(routes, &mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "keyfob",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "contact": { "name": "keyfob", "url": env!("CARGO_PKG_REPOSITORY") },
        },
        "servers": [{ "url": "/", "description": "This server." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.into_components(),
            "responses": failures,
            "securitySchemes": security_schemes(),
        },
    })
}

fn security_schemes() -> Value {
    let scopes = ManagementScope::ALL.map(|scope| (scope.as_str(), scope.about()));
    let scopes: BTreeMap<_, _> = scopes.into_iter().collect();
    json!({
        "accessToken": {
            "type": "oauth2",
            "description": "An access token of an API key. It has the scopes that were asked for.",
            "flows": { "clientCredentials": { "tokenUrl": "/oauth2/token", "scopes": scopes } },
        },
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key with the scope that the operation demands (RFC 6750 section 2.1).",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "The client id and its API key, each encoded as in a form (RFC 6749 section \
                            2.3.1).",
        },
    })
}
