//! A server on a free port, and a client for it.

use std::sync::Arc;

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyfob::{Grant, Kind, Limits, MemoryStore, TokenManager};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_server::{Server, Settings};
use keyfob_testkit::redis::server as redis;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running server over a store in memory.
pub(crate) struct Service {
    pub(crate) manager: TokenManager,
    pub(crate) url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The credentials of a client.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) client: String,
    pub(crate) bearer: String,
}

impl Key {
    /// The value of a header with the scheme Basic.
    pub(crate) fn basic(&self) -> String {
        use base64ct::Encoding as _;
        let text = format!("{}:{}", self.client, self.bearer);
        format!("Basic {}", base64ct::Base64::encode_string(text.as_bytes()))
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.bearer)
    }
}

/// A manager on the Redis of the tests, with a connection of its own. It keeps limits there too.
pub(crate) async fn manager_on_redis(namespace: &str) -> TokenManager {
    let url = format!("{}?namespace={namespace}&lanes=4", redis().url());
    let store = Arc::new(RedisStore::open(url.parse::<RedisConfig>().unwrap()).await.unwrap());
    TokenManager::builder(Arc::clone(&store)).limits(Limits::new(store)).build()
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::new()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        Self::over(manager, settings).await
    }

    pub(crate) async fn over(manager: TokenManager, settings: Settings) -> Self {
        Self::until(manager, settings, std::future::pending()).await
    }

    /// A server that drains when the sender says so.
    pub(crate) async fn stoppable() -> (Self, oneshot::Sender<()>) {
        let (stop, stopped) = oneshot::channel();
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        let stopped = async { stopped.await.unwrap_or_default() };
        (Self::until(manager, Settings::new(), stopped).await, stop)
    }

    async fn until(
        manager: TokenManager,
        settings: Settings,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::new(manager.clone(), settings);
        tokio::spawn(async move { server.serve(listener, shutdown).await });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { manager, url, client }
    }

    /// A server that sends events to receivers too.
    pub(crate) async fn delivering(manager: TokenManager, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::new(manager.clone(), settings);
        let sender = server.clone();
        tokio::spawn(async move { sender.deliver_webhooks(std::future::pending()).await });
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { manager, url, client }
    }

    /// Issues an API key of a client.
    pub(crate) async fn key(&self, client: &str, scopes: &str) -> Key {
        self.key_of(Grant::new(Kind::ApiKey).client(client).scopes(scopes)).await
    }

    pub(crate) async fn key_of(&self, grant: Grant) -> Key {
        let issued = self.manager.issue(grant).await.unwrap();
        let client = issued.token.client.as_ref().map(ToString::to_string).unwrap_or_default();
        Key { client, bearer: issued.bearer.expose().to_owned() }
    }

    /// Issues a token and returns its bearer token.
    pub(crate) async fn bearer(&self, grant: Grant) -> String {
        self.manager.issue(grant).await.unwrap().bearer.expose().to_owned()
    }

    /// Sends a request whose answer is read piece by piece.
    pub(crate) async fn open_request(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.client.request(request).await.unwrap()
    }

    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        key: &Key,
        content_type: &str,
        body: String,
    ) -> Response<Incoming> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header("authorization", key.bearer());
        let request = request.header("content-type", content_type);
        self.open_request(request.body(Full::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let response = self.open_request(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, authorization: Option<&str>) -> Reply {
        let mut request = Request::get(format!("{}{path}", self.url));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        self.send(request.body(Full::default()).unwrap()).await
    }

    /// Sends a form.
    pub(crate) async fn form(
        &self,
        path: &str,
        authorization: Option<&str>,
        parameters: &[(&str, &str)],
    ) -> Reply {
        let body =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.raw(Method::POST, path, authorization, FORM, body).await
    }

    /// Sends a body of JSON.
    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        key: &Key,
        body: impl serde::Serialize,
    ) -> Reply {
        let body = serde_json::to_vec(&body).unwrap();
        self.raw(method, path, Some(&key.bearer()), "application/json", body).await
    }

    pub(crate) async fn post(&self, path: &str, key: &Key, body: Value) -> Reply {
        self.json(Method::POST, path, key, body).await
    }

    pub(crate) async fn get_as(&self, path: &str, key: &Key) -> Reply {
        self.get(path, Some(&key.bearer())).await
    }

    /// The key of an administrator.
    pub(crate) async fn admin(&self) -> Key {
        self.key("admin", "keyfob:admin").await
    }

    /// Sends a body as it is.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        authorization: Option<&str>,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("content-type", content_type);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The status and the error of OAuth, or the code of a problem document.
    pub(crate) fn error(&self) -> (u16, String) {
        let json = self.json();
        let code = json.get("error").or(json.get("code")).and_then(Value::as_str);
        (self.status.as_u16(), code.unwrap_or_default().to_owned())
    }
}
