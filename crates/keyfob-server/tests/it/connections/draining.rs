//! A server that stops: requests that it has are answered, and then nothing is left.

use std::time::Duration;

use keyfob_server::Settings;
use keyfob_server::listen::Drained;
use tokio::net::TcpStream;

use super::raw::{Running, tight};

const WAITING: &str = "POST /oauth2/token HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\
                       content-type: application/x-www-form-urlencoded\r\n\r\n";
const GET: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_request_that_runs_is_answered_and_its_connection_is_closed() {
    let running = Running::start(Settings::new()).await;
    let address = running.address;
    let mut raw = running.connect().await;
    raw.send(WAITING).await;
    let mut idle = running.connect().await;
    idle.send(GET).await;
    idle.answer().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ended = running.stop();
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "no connection is accepted");
    assert!(!ended.is_finished());
    raw.send("x").await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(ended.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_request_that_was_sent_while_the_server_stopped_is_answered() {
    for _ in 0..20 {
        let running = Running::start(Settings::new()).await;
        let mut raw = running.connect().await;
        let ended = running.stop();
        raw.send(GET).await;
        assert!(raw.rest().await.starts_with("HTTP/1.1 200"));
        assert_eq!(ended.await.unwrap(), Drained { cut: 0 });
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut() {
    let settings = tight(|bounds| bounds.drain_timeout = Duration::from_millis(200));
    let running = Running::start(settings).await;
    let mut raw = running.connect().await;
    raw.send(WAITING).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.stop().await.unwrap(), Drained { cut: 1 });
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_server_that_leaves_continues_and_is_not_ready() {
    let settings = tight(|bounds| bounds.drain_delay = Duration::from_secs(2));
    let running = Running::start(settings).await;
    let address = running.address;
    let mut raw = running.connect().await;
    let ended = running.stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    raw.send("GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("stopping"), "{answer}");
    assert!(TcpStream::connect(address).await.is_ok(), "connections are accepted");
    let _ = ended.await.unwrap();
}
