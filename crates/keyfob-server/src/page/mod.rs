//! The page that shows the OpenAPI document: `GET /docs`. It comes from the binary, needs no other
//! host, and has no inline script or style.

use axum::body::Body;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response};

use crate::call::Call;
use crate::respond::json::Answer;

/// The page loads its own script, its own style and the document, and nothing else. Nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Answers `GET /docs`.
pub(crate) async fn docs(_: Call) -> Answer {
    Ok(asset(HTML, include_str!("docs.html")))
}

/// Answers `GET /docs/page.js`.
pub(crate) async fn script(_: Call) -> Answer {
    Ok(asset(SCRIPT, include_str!("page.js")))
}

/// Answers `GET /docs/page.css`.
pub(crate) async fn style(_: Call) -> Answer {
    Ok(asset(STYLE, include_str!("page.css")))
}

fn asset(content_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A new version of the server has a new page.
        (CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
