//! Clients that are slow are cut, and others are not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::raw::{Running, tight};

const GET: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_client_that_sends_nothing_is_cut() {
    let running = Running::start(tight(|_| ())).await;
    assert_eq!(running.exchange("").await, "");
    assert_eq!(running.exchange("GET /healthz HTTP/1.1\r\nhost").await, "");
    assert_eq!(running.exchange("PRI * HTTP/2.0\r\n").await, "");
    running.check().await;
}

#[tokio::test]
async fn a_head_that_drips_is_cut() {
    let running = Running::start(tight(|_| ())).await;
    let (mut raw, started) = (running.connect().await, Instant::now());
    raw.send("GET /healthz HTTP/1.1\r\n").await;
    for _ in 0..40 {
        raw.send("x: y\r\n").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(raw.rest().await, "");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_head_of_a_later_request_may_not_drip_either_but_a_pause_may_be_long() {
    let running = Running::start(tight(|_| ())).await;
    let mut raw = running.connect().await;
    raw.send(GET).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_millis(900)).await;
    raw.send(GET).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200"));
    raw.send("GET /healthz HTTP/1.1\r\nhost").await;
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_the_idle_time() {
    let running = Running::start(tight(|b| b.idle_timeout = Duration::from_millis(300))).await;
    let mut raw = running.connect().await;
    raw.send(GET).await;
    raw.answer().await;
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered() {
    let mut settings = tight(|_| ());
    settings.request_timeout = Duration::from_millis(300);
    let running = Running::start(settings).await;
    let mut raw = running.connect().await;
    raw.send(
        "POST /oauth2/token HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\ngrant",
    )
    .await;
    let answer = raw.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let large = Arc::new(|| "x".repeat(LENGTH));
    let running = Running::with(tight(|b| b.max_connections = 1), Some(large)).await;
    let mut raw = running.connect().await;
    raw.send("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // The next connection is accepted when the first one has been cut.
    running.check().await;
    assert!(raw.rest().await.len() < LENGTH);
}
