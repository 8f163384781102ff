//! A server with its console, and a person with a browser.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use keyfob::{Grant, Issued, Kind, MemoryStore, TokenManager};
use keyfob_client::Client;
use keyfob_console::Console;
use keyfob_server::{Pages, Server, Settings};
use tower_service::Service as _;

/// A server with its console, over a store in memory.
pub(crate) struct Site {
    pub(crate) manager: TokenManager,
    server: Server,
}

/// An answer, as far as tests look at it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

/// A person with a browser, who has signed in or not.
pub(crate) struct Browser<'a> {
    site: &'a Site,
    pub(crate) cookie: Option<String>,
    address: IpAddr,
    /// What the header `Client-Cert` says.
    certificate: Option<String>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::of(TokenManager::new(MemoryStore::new().unwrap()))
    }

    /// Returns a server with its console that has these settings.
    pub(crate) fn with(settings: Settings) -> Self {
        Self::start(TokenManager::new(MemoryStore::new().unwrap()), settings)
    }

    /// Returns a server with its console over a manager.
    pub(crate) fn of(manager: TokenManager) -> Self {
        Self::start(manager, Settings::new())
    }

    fn start(manager: TokenManager, settings: Settings) -> Self {
        let server = Server::new(manager.clone(), settings);
        let api = server.local_api();
        let console = Console::new(move |request| {
            let api = api.clone();
            async move { api.call(request).await }
        });
        server.show(Pages::new(Console::PATH, console.router()));
        Self { manager, server }
    }

    /// Sends events to receivers, until the test ends.
    pub(crate) fn deliver_webhooks(&self) {
        let server = self.server.clone();
        tokio::spawn(async move { server.deliver_webhooks(std::future::pending()).await });
    }

    /// Returns a client of the API that has this key.
    pub(crate) fn api(&self, key: &str) -> Client {
        let api = self.server.local_api();
        let client = Client::in_process(move |request| {
            let api = api.clone();
            async move { api.call(request).await }
        });
        client.bearer(key).build().unwrap()
    }

    /// Issues a key of a client with these scopes, and returns its bearer.
    pub(crate) async fn key(&self, client: &str, scopes: &str) -> String {
        let grant = Grant::new(Kind::ApiKey).client(client).scopes(scopes);
        self.issue(grant).await.bearer.expose().to_owned()
    }

    pub(crate) async fn issue(&self, grant: Grant) -> Issued {
        self.manager.issue(grant).await.unwrap()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { site: self, cookie: None, certificate: None, address: [192, 0, 2, 1].into() }
    }

    /// Returns a browser whose person has signed in with a key of these scopes.
    pub(crate) async fn signed_in(&self, scopes: &str) -> Browser<'_> {
        let key = self.key("ops", scopes).await;
        let mut browser = self.browser();
        let reply = browser.post("/console/sign-in", &[("key", &key)]).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        browser
    }
}

impl Browser<'_> {
    pub(crate) fn at(self, address: IpAddr) -> Self {
        Self { address, ..self }
    }

    /// The same person, with a certificate that a proxy names.
    pub(crate) fn showing(self, certificate: Option<String>) -> Self {
        Self { certificate, ..self }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path), String::new()).await
    }

    pub(crate) async fn follow_foreign_link(&mut self, path: &str) -> Reply {
        self.send(Request::get(path).header("sec-fetch-site", "cross-site"), String::new()).await
    }

    /// Sends a form, as a page of the console does it.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = Request::post(path).header("sec-fetch-site", "same-origin");
        self.send_form(request, fields).await
    }

    pub(crate) async fn send_form(
        &mut self,
        request: http::request::Builder,
        fields: &[(&str, &str)],
    ) -> Reply {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request, form).await
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Reply {
        let mut request = request.header("host", "keys.example").header("user-agent", "A browser");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(certificate) = &self.certificate {
            request = request.header("client-cert", certificate);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.address, 4711)));
        let mut router = self.site.server.router();
        let response = router.call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        for set in head.headers.get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        let text = String::from_utf8(text.to_vec()).unwrap();
        Reply { status: head.status, headers: head.headers, text }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts that a page was shown which has all of these texts.
    #[track_caller]
    pub(crate) fn shows(&self, texts: &[&str]) {
        assert_eq!(self.status, 200, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "no {text} in {}", self.text);
        }
    }

    /// Asserts that none of these texts is there.
    #[track_caller]
    pub(crate) fn hides(&self, texts: &[&str]) {
        for text in texts {
            assert!(!self.text.contains(text), "{text} in {}", self.text);
        }
    }
}
