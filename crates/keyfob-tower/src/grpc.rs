//! Refusals of gRPC requests: the status is in the headers, and there is no body ("Trailers-Only" in
//! the gRPC protocol over HTTP/2).

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use keyfob::ErrorClass;

/// Returns whether a request is a gRPC request.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let Some(rest) = value.strip_prefix(b"application/grpc") else {
        return false;
    };
    // `application/grpc-web` is a protocol of its own, which has no trailers.
    rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";")
}

/// Returns the gRPC status code for a class of errors.
pub(crate) fn status(class: ErrorClass) -> u8 {
    const INVALID_ARGUMENT: u8 = 3;
    const NOT_FOUND: u8 = 5;
    const PERMISSION_DENIED: u8 = 7;
    const RESOURCE_EXHAUSTED: u8 = 8;
    const FAILED_PRECONDITION: u8 = 9;
    const INTERNAL: u8 = 13;
    const UNAVAILABLE: u8 = 14;
    const UNAUTHENTICATED: u8 = 16;
    match class {
        ErrorClass::InvalidRequest | ErrorClass::InvalidScope | ErrorClass::InvalidTarget => {
            INVALID_ARGUMENT
        }
        ErrorClass::InvalidToken | ErrorClass::InvalidGrant => UNAUTHENTICATED,
        ErrorClass::InsufficientScope | ErrorClass::AccessDenied => PERMISSION_DENIED,
        ErrorClass::NotFound => NOT_FOUND,
        ErrorClass::Conflict => FAILED_PRECONDITION,
        ErrorClass::Limited { .. } => RESOURCE_EXHAUSTED,
        ErrorClass::Contended | ErrorClass::Unavailable => UNAVAILABLE,
        ErrorClass::Internal => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_content_types_are_detected() {
        let is = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            is_grpc(&headers)
        };
        assert!(is("application/grpc") && is("application/grpc+proto"));
        assert!(!is("application/grpc-web") && !is("application/json"));
    }
}
