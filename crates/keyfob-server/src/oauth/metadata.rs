//! The metadata of the authorization server (RFC 8414).

use keyfob_jwt::key::Algorithm;
use keyfob_tower::dpop::Dpop;
use schemars::JsonSchema;
use serde::Serialize;

use super::grant_type::GrantType;
use crate::access::scope::ManagementScope;
use crate::call::Call;
use crate::respond::json::{self, Answer};

/// The ways in which a client may authenticate (RFC 8414 section 2).
const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

type AssertionAlgorithms = [&'static str; Algorithm::NAMES.len()];

/// The metadata (RFC 8414 section 2).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerMetadata")]
pub(crate) struct Metadata {
    issuer: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    /// Where the keys are that sign access tokens, if some are JWTs.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    grant_types_supported: Vec<&'static str>,
    /// There is no authorization endpoint, so there is no response type.
    #[schemars(with = "Vec<String>")]
    response_types_supported: [&'static str; 0],
    scopes_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// The algorithms of client assertions (`private_key_jwt`).
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint_auth_signing_alg_values_supported: Option<AssertionAlgorithms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    introspection_endpoint_auth_signing_alg_values_supported: Option<AssertionAlgorithms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint_auth_signing_alg_values_supported: Option<AssertionAlgorithms>,
    /// The algorithm of signed answers of introspection (RFC 9701 section 7).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    introspection_signing_alg_values_supported: Option<[&'static str; 1]>,
    /// Whether access tokens are bound to the certificate of their client (RFC 8705 section 3.3).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
    /// The algorithms of proofs of possession (RFC 9449 section 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_signing_alg_values_supported: Option<[&'static str; Dpop::ALGORITHMS.len()]>,
}

/// Answers with the metadata.
pub(crate) async fn handle(call: Call) -> Answer {
    let issuer = call.issuer()?;
    let base = issuer.trim_end_matches('/');
    let has_public_clients = !call.shared.settings.public_clients.is_empty();
    let jwt = &call.shared.settings.jwt;
    let none = has_public_clients.then_some("none");
    let takes_assertions = call.shared.authenticator.takes_assertions();
    let by_assertion = takes_assertions.then_some("private_key_jwt");
    let methods: Vec<_> = AUTH_METHODS.into_iter().chain(by_assertion).collect();
    let algorithms = takes_assertions.then_some(Algorithm::NAMES);
    json::ok(&Metadata {
        token_endpoint: format!("{base}/oauth2/token"),
        introspection_endpoint: format!("{base}/oauth2/introspect"),
        revocation_endpoint: format!("{base}/oauth2/revoke"),
        jwks_uri: jwt.keys.as_ref().map(|_| format!("{base}/.well-known/jwks.json")),
        introspection_signing_alg_values_supported: jwt
            .keys
            .as_ref()
            .map(|_| [jwt.algorithm.as_str()]),
        grant_types_supported: GrantType::ALL.map(GrantType::as_str).to_vec(),
        response_types_supported: [],
        scopes_supported: ManagementScope::ALL.map(ManagementScope::as_str).to_vec(),
        token_endpoint_auth_methods_supported: methods.iter().copied().chain(none).collect(),
        introspection_endpoint_auth_methods_supported: methods.clone(),
        revocation_endpoint_auth_methods_supported: methods,
        token_endpoint_auth_signing_alg_values_supported: algorithms,
        introspection_endpoint_auth_signing_alg_values_supported: algorithms,
        revocation_endpoint_auth_signing_alg_values_supported: algorithms,
        tls_client_certificate_bound_access_tokens: call
            .shared
            .settings
            .certificates
            .bound_access_tokens,
        dpop_signing_alg_values_supported: call.shared.dpop.as_ref().map(|_| Dpop::ALGORITHMS),
        issuer,
    })
}
