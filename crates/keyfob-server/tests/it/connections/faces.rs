//! Two listeners, and settings that are replaced while they serve.

use keyfob::{MemoryStore, TokenManager};
use keyfob_server::listen::{Face, Listener};
use keyfob_server::{Server, Settings};
use tokio::net::TcpListener;

use super::raw::Running;

#[tokio::test]
async fn the_management_listener_has_what_the_other_one_has_not() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let metrics = std::sync::Arc::new(|| "# metrics\n".to_owned());
    let server = Server::with_metrics(manager, Settings::new(), Some(metrics));
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for face in [Face::Public, Face::Management] {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(tcp.local_addr().unwrap());
        listeners.push(Listener::new(tcp).face(face));
    }
    tokio::spawn(async move { server.serve_all(listeners, std::future::pending()).await });
    let status = async |address: std::net::SocketAddr, request: &str| {
        let connection = Connection::open(address).await;
        connection.status(request).await
    };
    for (request, public, management) in [
        ("GET /healthz", "200", "200"),
        ("GET /readyz", "200", "200"),
        ("GET /metrics", "404", "200"),
        ("GET /v1/tokens", "404", "401"),
        ("POST /v1/validate", "401", "401"),
        ("GET /.well-known/oauth-authorization-server", "200", "404"),
    ] {
        assert_eq!(status(addresses[0], request).await, public, "{request}");
        assert_eq!(status(addresses[1], request).await, management, "{request}");
    }
}

#[tokio::test]
async fn new_settings_apply_to_the_next_request_of_an_open_connection() {
    let running = Running::start(Settings::new().issuer("https://a".parse().unwrap())).await;
    let mut raw = running.connect().await;
    let request = "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: h\r\n\r\n";
    raw.send(request).await;
    assert!(raw.answer().await.contains("\"issuer\":\"https://a\""));
    running.server.reload(Settings::new().issuer("https://b".parse().unwrap()));
    raw.send(request).await;
    assert!(raw.answer().await.contains("\"issuer\":\"https://b\""));
}

/// A connection for one request.
struct Connection(tokio::net::TcpStream);

impl Connection {
    async fn open(address: std::net::SocketAddr) -> Self {
        Self(tokio::net::TcpStream::connect(address).await.unwrap())
    }

    async fn status(mut self, request: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let head = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        self.0.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        answer[9..12].to_owned()
    }
}
