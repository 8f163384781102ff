//! Answers in JSON.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::failure::Failure;

/// An answer of any route.
pub(crate) type Answer = Result<Response<Body>, Failure>;

/// Answers 200 with a body of JSON that nobody may store.
pub(crate) fn ok(body: &impl Serialize) -> Answer {
    with_status(StatusCode::OK, body)
}

/// Answers with a body of JSON that nobody may store.
pub(crate) fn with_status(status: StatusCode, body: &impl Serialize) -> Answer {
    Ok(of_bytes(status, bytes(body)?))
}

/// How long most answers are at most.
const USUAL_BYTES: usize = 512;

/// Writes a body of JSON.
pub(crate) fn bytes(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut bytes, body)
        .map_err(|_| Failure::internal("unserializable_answer"))?;
    Ok(bytes)
}

/// Answers with a body that is JSON already.
pub(crate) fn of_bytes(status: StatusCode, json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
