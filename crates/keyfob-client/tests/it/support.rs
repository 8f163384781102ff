//! A keyfob server on a free port, a proxy in front of it, and a server with prepared answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyfob::token::MayIssue;
use keyfob::{Grant, Kind, MemoryStore, TokenManager};
use keyfob_client::{Client, ClientBuilder, RetryPolicy};
use keyfob_server::jwt::{JwtKeySeed, JwtKeys};
use keyfob_server::{Server, Settings};
use keyfob_testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A running server over a store in memory, and its admin key.
pub(crate) struct Service {
    pub(crate) manager: TokenManager,
    pub(crate) address: SocketAddr,
    pub(crate) admin_key: String,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::over(TokenManager::new(MemoryStore::new().unwrap())).await
    }

    /// A server that signs JWTs and security event tokens.
    pub(crate) async fn transmitting() -> Self {
        let seed = JwtKeySeed { version: 1, is_active: true, seed: [7; 32].into() };
        let mut settings = Settings::new().issuer("https://tokens.example".parse().unwrap());
        settings.jwt.keys = Some(JwtKeys::derive([seed]).unwrap());
        Self::with(TokenManager::new(MemoryStore::new().unwrap()), settings).await
    }

    pub(crate) async fn over(manager: TokenManager) -> Self {
        Self::with(manager, Settings::new()).await
    }

    async fn with(manager: TokenManager, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(manager.clone(), settings);
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let admin_key = key(&manager, "keyfob:admin").await;
        Self { manager, address, admin_key }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_at(self.address)
    }

    /// A client that reaches the server by another address.
    pub(crate) fn client_at(&self, address: SocketAddr) -> Client {
        builder(address).bearer(&self.admin_key).build().unwrap()
    }

    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::to(self.address).await.unwrap()
    }

    pub(crate) async fn issue(&self, grant: Grant) -> keyfob::Issued {
        self.manager.issue(grant).await.unwrap()
    }
}

/// Issues an API key with these scopes, and returns its bearer.
pub(crate) async fn key(manager: &TokenManager, scopes: &str) -> String {
    let grant = Grant::new(Kind::ApiKey).client("operator").scopes(scopes);
    let issued = manager.issue(grant.may_issue(MayIssue::all())).await.unwrap();
    issued.bearer.expose().to_owned()
}

/// A builder of clients that wait little.
pub(crate) fn builder(address: SocketAddr) -> ClientBuilder {
    let ms = Duration::from_millis;
    Client::builder(format!("http://{address}")).retry(RetryPolicy::default().waits(ms(5), ms(50)))
}

/// A server that gives one prepared answer after the other, and the last one again and again. It keeps
/// the heads of the requests.
pub(crate) struct Prepared {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

/// What a [`Prepared`] server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Prepare {
    /// Closes the connection.
    Close,
    /// Never answers.
    Silence,
    /// Answers with a status, further header lines and a body.
    Answer(u16, &'static str, &'static str),
}

impl Prepared {
    pub(crate) async fn start(answers: &'static [Prepare]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (kept, count) = (Arc::clone(&heads), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (kept, count) = (Arc::clone(&kept), Arc::clone(&count));
                tokio::spawn(async move {
                    let head = read_request(stream, &kept).await;
                    let Some(mut stream) = head else { return };
                    let at = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                    match answers[at] {
                        Prepare::Close => {}
                        Prepare::Silence => std::future::pending().await,
                        Prepare::Answer(status, headers, body) => {
                            let answer = format!(
                                "HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}\
                                 content-length: {}\r\n\r\n{body}",
                                body.len()
                            );
                            let _ = stream.write_all(answer.as_bytes()).await;
                        }
                    }
                });
            }
        });
        Self { address, heads }
    }

    /// The heads of the requests so far, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn client(&self) -> Client {
        builder(self.address).bearer("hunter2").build().unwrap()
    }
}

/// Reads one request with its body.
async fn read_request(mut stream: TcpStream, heads: &Mutex<Vec<String>>) -> Option<TcpStream> {
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            heads.lock().unwrap().push(head.to_owned());
            return Some(stream);
        }
    }
}
