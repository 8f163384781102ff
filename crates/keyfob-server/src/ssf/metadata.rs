//! The configuration of the transmitter (SSF 1.0 section 7).

use http::StatusCode;
use keyfob_api::signals::{POLL, PUSH};
use schemars::JsonSchema;
use serde::Serialize;

use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Where it is found.
pub(crate) const PATH: &str = "/.well-known/ssf-configuration";

/// The members of complex subjects that change what a token is about, so a receiver may not pass over them: everything of
/// a user is more than one session of that user.
const CRITICAL: [&str; 3] = ["session", "application", "tenant"];

/// How receivers authenticate: by tokens of OAuth, from the token endpoint or as an API key.
const SCHEMES: [Scheme; 2] =
    [Scheme { spec_urn: "urn:ietf:rfc:6749" }, Scheme { spec_urn: "urn:ietf:rfc:6750" }];

/// The configuration of the transmitter (SSF 1.0 section 7.1).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TransmitterConfiguration")]
pub(crate) struct Configuration {
    spec_version: &'static str,
    issuer: String,
    jwks_uri: String,
    delivery_methods_supported: [&'static str; 2],
    configuration_endpoint: String,
    status_endpoint: String,
    add_subject_endpoint: String,
    remove_subject_endpoint: String,
    verification_endpoint: String,
    critical_subject_members: [&'static str; CRITICAL.len()],
    authorization_schemes: [Scheme; SCHEMES.len()],
    default_subjects: &'static str,
}

/// A way to authenticate (SSF 1.0 section 7.1.1).
#[derive(Clone, Copy, Serialize, JsonSchema)]
pub(crate) struct Scheme {
    /// The standard that says how.
    spec_urn: &'static str,
}

/// Answers with the configuration.
pub(crate) async fn handle(call: Call) -> Answer {
    let issuer = call.shared.webhooks.issuer().map_err(|why| Failure {
        code: why.code().into(),
        ..Failure::new(StatusCode::NOT_FOUND, "invalid_request", why.to_string())
    })?;
    let base = issuer.trim_end_matches('/');
    json::ok(&Configuration {
        spec_version: "1_0",
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        delivery_methods_supported: [PUSH, POLL],
        configuration_endpoint: format!("{base}/ssf/streams"),
        status_endpoint: format!("{base}/ssf/status"),
        add_subject_endpoint: format!("{base}/ssf/subjects/add"),
        remove_subject_endpoint: format!("{base}/ssf/subjects/remove"),
        verification_endpoint: format!("{base}/ssf/verify"),
        critical_subject_members: CRITICAL,
        authorization_schemes: SCHEMES,
        default_subjects: "ALL",
        issuer,
    })
}
