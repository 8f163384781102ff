//! The body of a request.

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::route::Takes;
use crate::respond::failure::Failure;
use crate::shared::Shared;

/// Reads the body that a route takes.
pub(super) async fn read(
    shared: &Shared,
    takes: Takes,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Failure> {
    let Some(expected) = takes.content_type() else { return Ok(Bytes::new()) };
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.map(|text| text.split(';').next().unwrap_or_default().trim());
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case(expected)) {
        return Err(Failure {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            code: "unsupported_media_type".into(),
            detail: format!("send the body as {expected}").into(),
            ..Failure::invalid_request("the body has the wrong content type")
        });
    }
    let max_bytes = takes.max_bytes().min(shared.settings.max_body_bytes);
    if body.size_hint().lower() > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        return Err(too_large(max_bytes));
    }
    match Limited::new(body, max_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(too_large(max_bytes))
        }
        Err(_) => Err(Failure::invalid_request("the body could not be read")),
    }
}

fn too_large(max_bytes: usize) -> Failure {
    Failure {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "too_large".into(),
        detail: format!("the body is longer than {max_bytes} bytes").into(),
        ..Failure::invalid_request("the body is too long")
    }
}
