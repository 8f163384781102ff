//! A server with tight bounds, and connections to it as bytes.

use std::net::SocketAddr;
use std::time::Duration;

use keyfob::{MemoryStore, TokenManager};
use keyfob_server::listen::{ConnectionBounds, Drained, Listener};
use keyfob_server::{Server, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// No test waits longer: a server that hangs fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that can be stopped.
pub(super) struct Running {
    pub(super) server: Server,
    pub(super) manager: TokenManager,
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

impl Running {
    pub(super) async fn start(settings: Settings) -> Self {
        Self::with(settings, None).await
    }

    pub(super) async fn with(
        settings: Settings,
        metrics: Option<keyfob_server::RenderMetrics>,
    ) -> Self {
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        let server = Server::with_metrics(manager.clone(), settings, metrics);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (stop, stopped)) = (tcp.local_addr().unwrap(), oneshot::channel());
        let serving = server.clone();
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            serving.serve_all(vec![Listener::new(tcp)], stopped).await
        });
        Self { server, manager, address, stop, ended }
    }

    pub(super) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends these bytes on a new connection and returns all that comes until it is closed.
    pub(super) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut raw = self.connect().await;
        raw.send(bytes).await;
        raw.rest().await
    }

    /// Checks that the server still answers.
    pub(super) async fn check(&self) {
        let answer = self.exchange("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert!(answer.await.starts_with("HTTP/1.1 200"));
    }

    /// Asks the server to stop.
    pub(super) fn stop(self) -> JoinHandle<Drained> {
        self.stop.send(()).unwrap();
        self.ended
    }
}

/// Settings whose bounds are tight, so that tests take little time.
pub(super) fn tight(change: impl FnOnce(&mut ConnectionBounds)) -> Settings {
    let mut settings = Settings::new();
    settings.bounds.header_timeout = Duration::from_millis(300);
    settings.bounds.write_timeout = Duration::from_millis(300);
    change(&mut settings.bounds);
    settings
}

/// A connection as bytes.
pub(super) struct Raw(TcpStream);

impl Raw {
    /// Sends bytes. The server may have closed the connection before it has read all.
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(PATIENCE, self.0.write_all(bytes.as_ref())).await.expect("nobody reads");
    }

    /// Reads until the connection is closed.
    pub(super) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        // A reset ends it too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut all)).await.expect("nobody closes");
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Reads one answer that has a length.
    pub(super) async fn answer(&mut self) -> String {
        let mut all = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&all).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.split("content-length: ").nth(1).and_then(|l| l.lines().next());
                if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                    return String::from_utf8_lossy(&all).into_owned();
                }
            }
            let read = timeout(PATIENCE, self.0.read_buf(&mut all)).await.expect("no answer");
            assert_ne!(read.unwrap(), 0, "closed after {text:?}");
        }
    }
}
