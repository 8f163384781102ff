//! A central server on a free port, and edges of it.

use std::net::SocketAddr;
use std::time::Duration;

use keyfob::token::MayIssue;
use keyfob::{CacheConfig, Grant, Kind, Limits, LocalLimits, MemoryStore, TokenManager, Ttl};
use keyfob_client::{Client, RetryPolicy};
use keyfob_edge::EdgeStore;
use keyfob_server::{Server, Settings};
use tokio::net::TcpListener;

/// A running central server over a store in memory.
pub(crate) struct Central {
    pub(crate) manager: TokenManager,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Central {
    pub(crate) async fn start() -> Self {
        let limits = Limits::new(LocalLimits::new());
        let store = MemoryStore::new().unwrap();
        let manager = TokenManager::builder(store).limits(limits).build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(manager.clone(), Settings::new());
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let key = key(&manager, "keyfob:edge").await;
        Self { manager, address, key }
    }

    /// A client with the key of the edge, that reaches the server by this address.
    pub(crate) fn client_at(&self, address: SocketAddr) -> Client {
        client(address, &self.key)
    }

    pub(crate) fn client(&self) -> Client {
        self.client_at(self.address)
    }

    /// An edge whose cache is trusted for so long.
    pub(crate) async fn edge(&self, bound: Ttl) -> TokenManager {
        edge(self.client(), bound).await
    }
}

pub(crate) fn client(address: SocketAddr, key: &str) -> Client {
    let ms = Duration::from_millis;
    let retry = RetryPolicy::default().max_attempts(2).waits(ms(1), ms(5));
    let client = Client::builder(format!("http://{address}")).bearer(key).timeout(ms(2_000));
    client.retry(retry).build().unwrap()
}

pub(crate) async fn edge(client: Client, bound: Ttl) -> TokenManager {
    let store = EdgeStore::open(client).await.unwrap();
    let prefix = store.prefix().parse().unwrap();
    let cache = CacheConfig::default().with_max_staleness(bound);
    TokenManager::builder(store).prefix(prefix).cache(cache).build()
}

/// Issues an API key with these scopes, and returns its bearer.
pub(crate) async fn key(manager: &TokenManager, scopes: &str) -> String {
    let grant = Grant::new(Kind::ApiKey).client("edge").scopes(scopes);
    let issued = manager.issue(grant.may_issue(MayIssue::all())).await.unwrap();
    issued.bearer.expose().to_owned()
}

/// Waits until the edge answers this bearer from its cache.
pub(crate) async fn until_cached(edge: &TokenManager, bearer: &str) {
    let is_cached = || async {
        edge.validate_active(bearer).await.unwrap();
        edge.validate_cached(bearer, &keyfob::ValidationChain::new(), |_| ()).is_some()
    };
    for _ in 0..1_000 {
        if is_cached().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the edge never answers from its cache");
}
