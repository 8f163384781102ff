//! The key set and the status lists over HTTP.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use keyfob::Ttl;
use keyfob::token::StatusListId;
use keyfob_jwt::status_list;
use schemars::JsonSchema;
use sha2::{Digest as _, Sha256};

use super::lists::NoList;
use crate::call::Call;
use crate::parameter::Parameter;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

/// A set of public keys (RFC 7517 section 5).
#[derive(JsonSchema)]
#[schemars(rename = "KeySet")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct KeySetSchema {
    /// The keys, each as a JWK with `kid`, `alg` and `use`.
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// The media type of a key set (RFC 7517 section 8.5.2).
pub(crate) const KEY_SET: &str = "application/jwk-set+json";

/// For how long others may keep the key set. A new key is given to the servers at least this long before it signs.
const KEYS_MAX_AGE: Ttl = Ttl::from_mins(5);

/// The name of a list, in the path.
pub(crate) const LIST: Parameter =
    Parameter::text::<String>("list", "The name of the list: 32 digits of base 16.").required();

/// The headers of a status list.
pub(crate) const LIST_HEADERS: &[Parameter] = &[
    Parameter::text::<String>("ETag", "The version of the list, for `If-None-Match`."),
    Parameter::text::<String>("Cache-Control", "For how long the list may be kept."),
];

/// Answers `GET /.well-known/jwks.json`.
pub(crate) async fn keys(call: Call) -> Answer {
    let Some(keys) = &call.shared.settings.jwt.keys else {
        return Err(Failure::missing("no_jwt_keys", "this service issues no JWTs"));
    };
    let json = serde_json::to_vec(keys.published());
    let json = json.map_err(|_| Failure::internal("unserializable_answer"))?;
    Ok(cacheable(&call, json, KEY_SET, KEYS_MAX_AGE))
}

/// Answers `GET /status-lists/{list}`.
pub(crate) async fn status_list(call: Call) -> Answer {
    let settings = &call.shared.settings.jwt;
    let unknown =
        || Failure::missing("unknown_status_list", "there is no status list of this name");
    let id = call.path.get(LIST.name).and_then(|name| name.parse::<StatusListId>().ok());
    let (Some(id), Some(keys)) = (id, &settings.keys) else { return Err(unknown()) };
    let (lists, issuer) = (&call.shared.jwt.lists, call.issuer()?);
    match lists.serve(call.manager(), (settings, keys), &issuer, id).await {
        Ok(list) => {
            let ttl = list.ttl();
            Ok(cacheable(&call, list.jwt.into_bytes(), status_list::MEDIA_TYPE, ttl))
        }
        Err(NoList::Unknown) => Err(unknown()),
        Err(NoList::NotSigned) => Err(Failure::internal("list_not_signed")),
        Err(NoList::Store(error)) => Err(error.into()),
    }
}

/// Returns an answer that anybody may keep, or says that the one that the client has is still good.
pub(super) fn cacheable(
    call: &Call,
    body: Vec<u8>,
    media_type: &'static str,
    max_age: Ttl,
) -> Response<Body> {
    let digest = Sha256::digest(&body);
    let tag = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tag = format!("\"{tag}\"");
    let known = call.parts.headers.get_all(IF_NONE_MATCH).iter();
    let is_known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().trim_start_matches("W/") == tag);
    let mut response = match is_known {
        true => Response::new(Body::empty()),
        false => Response::new(Body::from(body)),
    };
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let cache = format!("public, max-age={}", max_age.as_secs());
    let headers = response.headers_mut();
    for (name, value) in [(ETAG, tag), (CACHE_CONTROL, cache)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A page in a browser may check tokens too.
    const ANYBODY: HeaderName = HeaderName::from_static("access-control-allow-origin");
    headers.insert(ANYBODY, HeaderValue::from_static("*"));
    response
}
