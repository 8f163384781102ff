//! The demands of a gateway as parameters of the query of `/authz`. Envoy gives the same names as context
//! extensions.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::parameter::{Parameter, Value};

/// All demands.
pub(crate) const DEMANDS: &[Parameter] = &[
    list("any_scope", "Scopes of which the token must have one, separated by spaces."),
    list("audience", "Audiences of which the token must have one, separated by spaces."),
    list("chain", "The name of a chain in the server's settings."),
    list("claim", "Claims that the token must have, separated by spaces."),
    list("device", "The device that presents the token. Excludes `device_header`."),
    list("device_header", "The header of the client's request that names the device."),
    list("issuer", "The issuers that are accepted, separated by spaces."),
    list(
        "kind",
        "The kinds that are accepted, separated by spaces: `access`, `api-key`, `session`.",
    ),
    list("limit", "The limits to charge, separated by spaces, each with its cost: `calls:1`."),
    list("max_age", "The token must have been issued within this time, such as `15m`."),
    list("scope", "The scopes that the token must have, separated by spaces."),
    Parameter::new("strong", Value::Flag, "Asks the store instead of the cache."),
];

/// The headers by which a gateway describes the client's request, for a proof of possession.
pub(crate) const DESCRIPTION: &[Parameter] = &[
    text("DPoP", "The proof of the key that the token is bound to (RFC 9449 section 7)."),
    text(
        "X-Original-Method",
        "The method of the client's request. `X-Forwarded-Method` is read too.",
    ),
    text(
        "X-Original-URL",
        "The URL of the client's request. `X-Forwarded-Proto`, `-Host` and `-Uri` are read too.",
    ),
];

/// The headers that say whose the request is.
pub(crate) const IDENTITY: &[Parameter] = &[
    text("X-Token-Subject", "The subject, percent-encoded."),
    text("X-Token-Client", "The client, percent-encoded."),
    text("X-Token-Scope", "The scopes, separated by spaces, each percent-encoded."),
    text("X-Token-Id", "The id of the token."),
    text("X-Token-Kind", "The kind of the token."),
    text("X-Token-Expires", "When the token expires, in seconds since 1970."),
    text("RateLimit", "The status of the limits that were charged."),
    text("RateLimit-Policy", "The limits that were charged."),
];

const fn list(name: &'static str, about: &'static str) -> Parameter {
    Parameter::new(name, Value::Text(filled), about)
}

const fn text(name: &'static str, about: &'static str) -> Parameter {
    Parameter::text::<String>(name, about)
}

fn filled(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1 })
}
