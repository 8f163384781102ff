//! An HTTP client with the admin key of a deployment.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use hyper_util::client::legacy::{Client as Pool, Error};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// The client of one server. Clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) url: String,
    key: String,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What introspection says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Active,
    Inactive,
    /// The server cannot tell: 503.
    Unknown,
}

impl Client {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        // A request that fails is sent again by nobody, so that each is counted once.
        let pool = Pool::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        Self { url: url.to_owned(), key: key.to_owned(), pool }
    }

    /// Returns the key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The same server, asked with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// Sends a request. An error means that no whole answer came.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, String> {
        self.send_with(method, path, &[("content-type", content_type)], body).await
    }

    /// The same with other headers.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("authorization", format!("Bearer {}", self.key));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response =
            self.pool.request(request).await.map_err(|error: Error| format!("{error:?}"))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, JSON, "").await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, JSON, body.to_string()).await.unwrap()
    }

    pub(crate) async fn form(&self, path: &str, parameters: &[(&str, &str)]) -> Reply {
        self.send(Method::POST, path, FORM, form(parameters)).await.unwrap()
    }

    /// Issues a token. Returns its bearer.
    pub(crate) async fn issue(&self, grant: &Value) -> String {
        let reply = self.post("/v1/tokens", grant).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.text("bearer")
    }

    /// Introspects a bearer token. Whatever the answer is, it has to be one of the three that may be
    /// given.
    pub(crate) async fn introspect(&self, bearer: &str) -> Verdict {
        let reply = self.form("/oauth2/introspect", &[("token", bearer)]).await;
        match reply.status {
            200 if reply.json()["active"] == true => Verdict::Active,
            200 => {
                assert_eq!(reply.json(), serde_json::json!({"active": false}));
                Verdict::Inactive
            }
            503 => {
                assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
                assert_eq!(reply.json().get("active"), None);
                Verdict::Unknown
            }
            _ => panic!("{reply:?}"),
        }
    }

    pub(crate) async fn revoke(&self, bearer: &str) -> Reply {
        self.form("/oauth2/revoke", &[("token", bearer)]).await
    }

    pub(crate) async fn refresh(&self, bearer: &str) -> Reply {
        let parameters = [("grant_type", "refresh_token"), ("refresh_token", bearer)];
        self.form("/oauth2/token", &parameters).await
    }
}

/// Encodes a form.
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self, member: &str) -> String {
        let json = self.json();
        json[member].as_str().unwrap_or_else(|| panic!("no {member} in {json}")).to_owned()
    }
}
