//! The forms of the OAuth endpoints, and their parameters.

use keyfob_jwt::client_assertion;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::grant_type::GrantType;
use crate::parameter::{Parameter, Value};
use crate::routes::reply::FormBody;

pub(crate) const TOKEN: Parameter =
    Parameter::new("token", Value::Text(filled), "The bearer token.").required();

const TOKEN_TYPE_HINT: Parameter = Parameter::new(
    "token_type_hint",
    Value::Text(text),
    "The kind of the token. It makes no difference (RFC 7662 section 2.1).",
);

pub(crate) const GRANT_TYPE: Parameter =
    Parameter::new("grant_type", Value::Text(text), "The grant.").required();

pub(crate) const REFRESH_TOKEN: Parameter =
    Parameter::new("refresh_token", Value::Text(filled), "The refresh token.").required();

pub(crate) const SCOPE: Parameter = Parameter::new(
    "scope",
    Value::Text(scopes),
    "Scopes, separated by spaces. They may be narrower than what the grant allows, and never wider.",
);

pub(crate) const AUDIENCE: Parameter =
    Parameter::new("audience", Value::Texts(audience), "A service that the token is meant for.");

pub(crate) const RESOURCE: Parameter = Parameter::new(
    "resource",
    Value::Texts(audience),
    "A service that the token is meant for, as an absolute URI (RFC 8707).",
);

pub(crate) const SUBJECT_TOKEN: Parameter = Parameter::new(
    "subject_token",
    Value::Text(filled),
    "The bearer token to derive a narrower one from.",
)
.required();

pub(crate) const SUBJECT_TOKEN_TYPE: Parameter = Parameter::new(
    "subject_token_type",
    Value::Text(access_token_type),
    "The type of the subject token.",
)
.required();

pub(crate) const ACTOR_TOKEN: Parameter = Parameter::new(
    "actor_token",
    Value::Text(filled),
    "The bearer token of the party that acts. Without it, the client acts.",
);

pub(crate) const ACTOR_TOKEN_TYPE: Parameter = Parameter::new(
    "actor_token_type",
    Value::Text(access_token_type),
    "The type of the actor token. It is there if `actor_token` is.",
);

pub(crate) const REQUESTED_TOKEN_TYPE: Parameter = Parameter::new(
    "requested_token_type",
    Value::Text(access_token_type),
    "The type of the token to issue.",
);

const CLIENT_ID: Parameter = Parameter::new(
    "client_id",
    Value::Text(text),
    "The client, if it does not authenticate by a header (RFC 6749 section 2.3.1).",
);

const CLIENT_SECRET: Parameter =
    Parameter::new("client_secret", Value::Text(secret), "The API key of the client.");

const ASSERTION_TYPE: Parameter = Parameter::new(
    "client_assertion_type",
    Value::Text(assertion_type),
    "The type of `client_assertion`. It is there if that is.",
);

const ASSERTION: Parameter = Parameter::new(
    "client_assertion",
    Value::Text(secret),
    "A JWT by which the client authenticates, instead of a secret (RFC 7523 section 2.2).",
);

pub(crate) const DPOP: Parameter = Parameter::text::<String>(
    "DPoP",
    "A proof of the key that the tokens are to be bound to (RFC 9449 section 5).",
);

pub(crate) const DPOP_NONCE: Parameter = Parameter::text::<String>(
    "DPoP-Nonce",
    "The nonce for the next proof, if proofs need one (RFC 9449 section 8.2).",
);

/// The type of access tokens (RFC 8693 section 3).
pub(crate) const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The type of JWTs (RFC 8693 section 3). An access token may be one.
pub(crate) const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

pub(crate) const INTROSPECTION: &[FormBody] = &[FormBody {
    name: "IntrospectionForm",
    about: "A token to introspect (RFC 7662 section 2.1).",
    parameters: &[TOKEN, TOKEN_TYPE_HINT, CLIENT_ID, CLIENT_SECRET, ASSERTION_TYPE, ASSERTION],
}];

pub(crate) const REVOCATION: &[FormBody] = &[FormBody {
    name: "RevocationForm",
    about: "A token to revoke (RFC 7009 section 2.1).",
    parameters: &[TOKEN, TOKEN_TYPE_HINT, CLIENT_ID, CLIENT_SECRET, ASSERTION_TYPE, ASSERTION],
}];

pub(crate) const TOKEN_REQUESTS: &[FormBody] = &[
    FormBody {
        name: "RefreshForm",
        about: "The exchange of a refresh token for the next pair (RFC 6749 section 6).",
        parameters: &[
            granting(|_| one_word(GrantType::RefreshToken.as_str())),
            REFRESH_TOKEN,
            SCOPE,
            AUDIENCE,
            RESOURCE,
            CLIENT_ID,
            CLIENT_SECRET,
            ASSERTION_TYPE,
            ASSERTION,
        ],
    },
    FormBody {
        name: "ClientCredentialsForm",
        about: "An access token for the client itself (RFC 6749 section 4.4).",
        parameters: &[
            granting(|_| one_word(GrantType::ClientCredentials.as_str())),
            SCOPE,
            AUDIENCE,
            RESOURCE,
            CLIENT_ID,
            CLIENT_SECRET,
            ASSERTION_TYPE,
            ASSERTION,
        ],
    },
    FormBody {
        name: "TokenExchangeForm",
        about: "A narrower token for a party that acts for a subject (RFC 8693 section 2.1).",
        parameters: &[
            granting(|_| one_word(GrantType::TokenExchange.as_str())),
            SUBJECT_TOKEN,
            SUBJECT_TOKEN_TYPE,
            ACTOR_TOKEN,
            ACTOR_TOKEN_TYPE,
            REQUESTED_TOKEN_TYPE,
            SCOPE,
            AUDIENCE,
            RESOURCE,
            CLIENT_ID,
            CLIENT_SECRET,
            ASSERTION_TYPE,
            ASSERTION,
        ],
    },
];

const fn granting(schema: fn(&mut SchemaGenerator) -> Schema) -> Parameter {
    Parameter { value: Value::Text(schema), ..GRANT_TYPE }
}

fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}

fn filled(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1 })
}

fn assertion_type(_: &mut SchemaGenerator) -> Schema {
    one_word(client_assertion::ASSERTION_TYPE)
}

fn secret(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "password" })
}

fn audience(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 256 })
}

fn scopes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^[\x20\x21\x23-\x5b\x5d-\x7e]*$" })
}

fn access_token_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": [ACCESS_TOKEN_TYPE, JWT_TYPE] })
}

fn one_word(word: &str) -> Schema {
    json_schema!({ "type": "string", "const": word })
}
