//! One request, before it is sent.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;

use crate::error::Error;
use crate::retry::Repeat;

/// The header of the key by which a server knows a request that is sent again.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One request, before it is sent. It can be sent several times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path below the server's URL, with the query.
    pub(crate) path: String,
    pub(crate) body: Option<Bytes>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) repeat: Repeat,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Repeat::Safe)
    }

    pub(crate) fn new(method: Method, path: impl Into<String>, repeat: Repeat) -> Self {
        Self { method, path: path.into(), body: None, headers: Vec::new(), repeat }
    }

    /// Creates a request with a body of JSON, which is sent again only where that is safe.
    pub(crate) fn with_body(
        method: Method,
        path: impl Into<String>,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Request(error.to_string()))?;
        Ok(Self { body: Some(body.into()), ..Self::new(method, path, repeat) })
    }

    pub(crate) fn post(
        path: impl Into<String>,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<Self, Error> {
        Self::with_body(Method::POST, path, body, repeat)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}
