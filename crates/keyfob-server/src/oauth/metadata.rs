//! The metadata of the authorization server (RFC 8414).

use http::header::HOST;
use schemars::JsonSchema;
use serde::Serialize;

use super::grant_type::GrantType;
use crate::access::scope::ManagementScope;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// The ways in which a client may authenticate (RFC 8414 section 2).
const AUTH_METHODS: &[&str] = &["client_secret_basic", "client_secret_post"];

/// The metadata (RFC 8414 section 2).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerMetadata")]
pub(crate) struct Metadata {
    issuer: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    grant_types_supported: Vec<&'static str>,
    /// There is no authorization endpoint, so there is no response type.
    #[schemars(with = "Vec<String>")]
    response_types_supported: [&'static str; 0],
    scopes_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
}

/// Answers with the metadata.
pub(crate) async fn handle(call: Call) -> Answer {
    let issuer = match &call.shared.settings.issuer {
        Some(issuer) => issuer.to_string(),
        None => of_host(&call)?,
    };
    let base = issuer.trim_end_matches('/');
    let has_public_clients = !call.shared.settings.public_clients.is_empty();
    let none = has_public_clients.then_some("none");
    json::ok(&Metadata {
        token_endpoint: format!("{base}/oauth2/token"),
        introspection_endpoint: format!("{base}/oauth2/introspect"),
        revocation_endpoint: format!("{base}/oauth2/revoke"),
        grant_types_supported: GrantType::ALL.map(GrantType::as_str).to_vec(),
        response_types_supported: [],
        scopes_supported: ManagementScope::ALL.map(ManagementScope::as_str).to_vec(),
        token_endpoint_auth_methods_supported: AUTH_METHODS.iter().copied().chain(none).collect(),
        introspection_endpoint_auth_methods_supported: AUTH_METHODS,
        revocation_endpoint_auth_methods_supported: AUTH_METHODS,
        issuer,
    })
}

/// Without a configured issuer the server takes the host of the request. That is for development:
/// `keyfob serve` demands an issuer where the address is not the loopback.
fn of_host(call: &Call) -> Result<String, Failure> {
    let authority = call.parts.uri.authority().map(|authority| authority.as_str());
    let host = call.parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = authority.or(host).ok_or(Failure::invalid_request("the request names no host"))?;
    Ok(format!("http://{host}"))
}
