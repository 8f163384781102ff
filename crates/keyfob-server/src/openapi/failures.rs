//! How routes fail: which statuses, with which content and headers.

use std::collections::BTreeSet;

use http::StatusCode;
use keyfob_api::Problem;
use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::access::demand::Demand;
use crate::parameter::schema_of;
use crate::respond::codes;
use crate::respond::render::{ErrorForm, OAuthBody};
use crate::routes::route::{Route, Takes};

/// A way in which a request fails.
struct FailureKind {
    status: u16,
    /// The name of the response.
    name: &'static str,
    about: &'static str,
    /// The stable code of the example, and what is wrong.
    problem: (&'static str, &'static str),
    /// The code of OAuth of the example, and what is wrong.
    oauth: (&'static str, &'static str),
    /// The headers that say what to do next.
    headers: &'static [(&'static str, &'static str, bool)],
}

const CHALLENGE: (&str, &str, bool) =
    ("WWW-Authenticate", "How to authenticate (RFC 9110 section 11.6.1).", true);
const RETRY_AFTER: (&str, &str, bool) =
    ("Retry-After", "After how many seconds to try again.", true);

const RATE_LIMIT: (&str, &str, bool) =
    ("RateLimit", "The status of the limits (draft-ietf-httpapi-ratelimit-headers).", false);
const RATE_LIMIT_POLICY: (&str, &str, bool) =
    ("RateLimit-Policy", "The limits (draft-ietf-httpapi-ratelimit-headers).", false);

const KINDS: &[FailureKind] = &[
    FailureKind {
        status: 400,
        name: "BadRequest",
        about: "The request is not valid.",
        problem: ("invalid_value", "subject is empty"),
        oauth: ("invalid_request", "a parameter is missing"),
        headers: &[],
    },
    FailureKind {
        status: 401,
        name: "Unauthenticated",
        about: "There are no credentials, or they are not accepted.",
        problem: ("unauthenticated", "this needs the credentials of a client"),
        oauth: ("invalid_client", "the credentials of the client are not accepted"),
        headers: &[CHALLENGE],
    },
    FailureKind {
        status: 403,
        name: "Forbidden",
        about: "The caller may not do this.",
        problem: ("insufficient_scope", "this needs the scope keyfob:issue"),
        oauth: ("unauthorized_client", "the client lacks a scope"),
        headers: &[("WWW-Authenticate", "The scope that is missing (RFC 6750 section 3).", false)],
    },
    FailureKind {
        status: 404,
        name: "NotFound",
        about: "It does not exist, or the caller may not see it.",
        problem: (
            "token_not_found",
            "token tok_00d1h88n000000000000000001 not found: it never existed, or its record is no \
             longer kept",
        ),
        oauth: ("invalid_request", "it does not exist"),
        headers: &[],
    },
    FailureKind {
        status: 408,
        name: "TimedOut",
        about: "The request took too long.",
        problem: ("timed_out", "the request took too long: send it faster, or try again"),
        oauth: ("invalid_request", "the request took too long"),
        headers: &[],
    },
    FailureKind {
        status: 409,
        name: "Conflict",
        about: "The state of the token, or another change of it, does not allow this.",
        problem: ("token_ended", "the token has ended"),
        oauth: ("invalid_request", "the request conflicts with another"),
        headers: &[],
    },
    FailureKind {
        status: 413,
        name: "TooLarge",
        about: "The body is too long.",
        problem: ("too_large", "the body is longer than 65536 bytes"),
        oauth: ("invalid_request", "the body is too long"),
        headers: &[],
    },
    FailureKind {
        status: 415,
        name: "UnsupportedMediaType",
        about: "The body has the wrong content type.",
        problem: ("unsupported_media_type", "send the body as application/json"),
        oauth: ("invalid_request", "the body has the wrong content type"),
        headers: &[],
    },
    FailureKind {
        status: 429,
        name: "TooManyRequests",
        about: "A limit, or too many failed attempts of the address.",
        problem: ("throttled", "too many failed attempts: try again later"),
        oauth: ("temporarily_unavailable", "too many requests: try again later"),
        headers: &[RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY],
    },
    FailureKind {
        status: 500,
        name: "ServiceFailed",
        about: "The service has failed. Its log has the reason, under the id of the request.",
        problem: ("store_misconfigured", "the store is not set up for this"),
        oauth: ("server_error", "the service has failed"),
        headers: &[],
    },
    FailureKind {
        status: 503,
        name: "Unavailable",
        about: "The store cannot be reached. Nothing is known about the outcome of a change.",
        problem: ("store_unavailable", "the store cannot be reached"),
        oauth: ("temporarily_unavailable", "try again later"),
        headers: &[RETRY_AFTER],
    },
];

/// Returns the failures of a route: its statuses, each with a reference to the response.
pub(super) fn of(route: &Route) -> Map<String, Value> {
    let statuses = statuses(route);
    let kinds = KINDS.iter().filter(|kind| statuses.contains(&kind.status));
    let form = route.errors;
    kinds
        .map(|kind| {
            let name = response_name(kind, form);
            (kind.status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }))
        })
        .collect()
}

/// Returns the statuses with which a request can fail, as they follow from the row of its route.
fn statuses(route: &Route) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([408, 500]);
    statuses.extend(route.failures);
    if route.demand.asks_for_credentials() {
        statuses.extend([400, 401, 429, 503]);
    }
    if matches!(route.demand, Demand::Scope(_) | Demand::TokenEndpoint) {
        statuses.insert(403);
    }
    if route.is_query_checked {
        statuses.insert(400);
    }
    if route.path.contains('{') {
        statuses.extend([400, 404]);
    }
    if route.takes != Takes::Nothing {
        statuses.extend([400, 413, 415]);
    }
    if matches!(route.takes, Takes::Json { .. }) {
        statuses.insert(409);
    }
    statuses
}

fn response_name(kind: &FailureKind, form: ErrorForm) -> String {
    match form {
        ErrorForm::Problem => kind.name.to_owned(),
        ErrorForm::OAuth => format!("OAuth{}", kind.name),
    }
}

/// Returns the responses of these routes by name.
pub(super) fn components(routes: &[Route], schemas: &mut Schemas) -> Map<String, Value> {
    let mut components = Map::new();
    for route in routes {
        let statuses = statuses(route);
        for kind in KINDS.iter().filter(|kind| statuses.contains(&kind.status)) {
            let name = response_name(kind, route.errors);
            components.entry(name).or_insert_with(|| response(kind, route.errors, schemas));
        }
    }
    components
}

fn response(kind: &FailureKind, form: ErrorForm, schemas: &mut Schemas) -> Value {
    let content = match form {
        ErrorForm::Problem => {
            let status = StatusCode::from_u16(kind.status).ok();
            let title = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
            let example = Problem::new(kind.status, title, kind.problem.0)
                .detail(kind.problem.1)
                .request_id("4d1f0c7be2a95f80b3c6d9e8a1f27360");
            let schema = schemas.answer(schema_of::<Problem>);
            // The codes that this status can have.
            let codes =
                json!({ "properties": { "code": { "enum": codes::of_status(kind.status) } } });
            let schema = json!({ "allOf": [schema, codes] });
            json!({ "application/problem+json": { "schema": schema, "example": example } })
        }
        ErrorForm::OAuth => {
            let example = json!({ "error": kind.oauth.0, "error_description": kind.oauth.1 });
            let schema = schemas.answer(schema_of::<OAuthBody<'_>>);
            json!({ "application/json": { "schema": schema, "example": example } })
        }
    };
    let mut response = json!({ "description": kind.about, "content": content });
    let headers: Map<_, _> = kind
        .headers
        .iter()
        .map(|(name, about, is_required)| {
            let schema = match *name {
                "Retry-After" => json!({ "type": "integer", "minimum": 0 }),
                _ => json!({ "type": "string" }),
            };
            let header = json!({ "description": about, "schema": schema, "required": is_required });
            ((*name).to_owned(), header)
        })
        .collect();
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    response
}
