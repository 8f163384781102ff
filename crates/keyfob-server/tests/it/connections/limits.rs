//! How many connections and requests there may be at the same time.

use std::time::Duration;

use super::raw::{Raw, Running, tight};

/// The head of a request whose body has not come, so that it stays.
const WAITING: &str = "POST /oauth2/token HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\
                       content-type: application/x-www-form-urlencoded\r\n\r\n";
const GET: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

async fn open(running: &Running) -> Raw {
    let mut raw = running.connect().await;
    raw.send(GET).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200"));
    raw
}

#[tokio::test]
async fn more_connections_wait_until_one_is_closed() {
    let running = Running::start(tight(|bounds| bounds.max_connections = 2)).await;
    let (first, _second) = (open(&running).await, open(&running).await);
    let mut third = running.connect().await;
    third.send(GET).await;
    let early = tokio::time::timeout(Duration::from_millis(300), third.answer()).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert!(third.answer().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn more_requests_are_refused_with_a_time_to_retry() {
    let running = Running::start(tight(|bounds| bounds.max_requests = 1)).await;
    let mut waiting = running.connect().await;
    waiting.send(WAITING).await;
    let mut other = running.connect().await;
    loop {
        other.send(GET).await;
        let answer = other.answer().await;
        if answer.starts_with("HTTP/1.1 503") {
            assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
            assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
            break;
        }
    }
    waiting.send("x").await;
    assert!(waiting.answer().await.starts_with("HTTP/1.1 4"));
    other.send(GET).await;
    assert!(other.answer().await.starts_with("HTTP/1.1 200"));
}
