//! The metadata of services that take JWTs (RFC 9728): a client that only knows a service learns from it where to get
//! tokens.
//!
//! A service is an audience of the settings that is a URL. Its gateway may show the document at its own
//! `/.well-known/oauth-protected-resource`; the challenge of `/authz` names the address here.

use form_urlencoded::Serializer;
use keyfob::values::Audience;
use keyfob::{Ttl, ValidationChain};
use keyfob_tower::dpop::Dpop;
use schemars::JsonSchema;
use serde::Serialize;

use super::routes::cacheable;
use crate::call::Call;
use crate::parameter::Parameter;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};
use crate::shared::Shared;

/// The path of the metadata.
pub(crate) const PATH: &str = "/.well-known/oauth-protected-resource";

/// The service.
pub(crate) const RESOURCE: Parameter =
    Parameter::text::<String>("resource", "The service: its URL, which is its audience.")
        .required();

/// For how long others may keep the metadata.
const MAX_AGE: Ttl = Ttl::from_mins(5);

/// The metadata of a service (RFC 9728 section 2).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ResourceMetadata")]
pub(crate) struct ResourceMetadata {
    /// The service.
    resource: String,
    /// Where tokens for it are issued.
    authorization_servers: [String; 1],
    /// How a token is presented.
    #[schemars(with = "Vec<String>")]
    bearer_methods_supported: [&'static str; 1],
    /// Whether access tokens are bound to the certificate of their client (RFC 8705).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
    /// The algorithms of proofs of possession (RFC 9449).
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_signing_alg_values_supported: Option<[&'static str; Dpop::ALGORITHMS.len()]>,
}

/// Answers `GET /.well-known/oauth-protected-resource`.
pub(crate) async fn metadata(call: Call) -> Answer {
    let wanted = call.query.text(&RESOURCE);
    let wanted =
        wanted.ok_or_else(|| Failure::invalid_request("the parameter resource is missing"))?;
    let settings = &call.shared.settings;
    let known = settings.jwt.audiences.iter().find(|audience| audience.as_str() == wanted);
    let Some(resource) = known.filter(|audience| is_resource(audience)) else {
        let detail = "no audience of this name is the URL of a service that takes JWTs";
        return Err(Failure::missing("unknown_resource", detail));
    };
    let metadata = ResourceMetadata {
        resource: resource.to_string(),
        authorization_servers: [call.issuer()?],
        bearer_methods_supported: ["header"],
        tls_client_certificate_bound_access_tokens: settings.certificates.bound_access_tokens,
        dpop_signing_alg_values_supported: call.shared.dpop.as_ref().map(|_| Dpop::ALGORITHMS),
    };
    Ok(cacheable(&call, json::bytes(&metadata)?, "application/json", MAX_AGE))
}

/// Returns the address of the metadata of the service that a chain is for. The first audience that has metadata
/// counts.
pub(crate) fn metadata_uri(shared: &Shared, chain: &ValidationChain) -> Option<String> {
    let settings = &shared.settings;
    let is_known = |audience: &&Audience| settings.jwt.audiences.contains(*audience);
    let resource = chain.audiences().filter(is_known).find(|audience| is_resource(audience))?;
    let issuer = settings.issuer.as_ref()?.as_str().trim_end_matches('/');
    let query =
        Serializer::new(String::new()).append_pair(RESOURCE.name, resource.as_str()).finish();
    Some(format!("{issuer}{PATH}?{query}"))
}

/// Returns whether an audience is the URL of a service (RFC 9728 section 1.2).
fn is_resource(audience: &Audience) -> bool {
    let text = audience.as_str();
    let is_http = text.starts_with("https://") || text.starts_with("http://");
    is_http && !text.contains('#') && text.parse::<http::Uri>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_url_without_a_fragment() {
        for (audience, expected) in [
            ("https://orders.example", true),
            ("https://orders.example/mcp?tenant=a", true),
            ("http://127.0.0.1:9000", true),
            ("https://orders.example#a", false),
            ("https://", false),
            ("orders", false),
            ("urn:orders", false),
        ] {
            assert_eq!(is_resource(&audience.parse().unwrap()), expected, "{audience}");
        }
    }
}
