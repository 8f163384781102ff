//! Bytes that are not a request as it should be.

use super::raw::{Running, tight};
use keyfob_server::Settings;

/// Sends one request and returns the status.
async fn status(running: &Running, request: impl AsRef<[u8]>) -> u16 {
    let answer = running.exchange(request).await;
    let status = answer.get(9..12).unwrap_or_else(|| panic!("no status: {answer:?}"));
    status.parse().unwrap()
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let running = Running::start(Settings::new()).await;
    let large = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100 * 1024));
    assert_eq!(status(&running, large).await, 431);
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert_eq!(status(&running, many).await, 431);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100 * 1024));
    assert!([414, 431].contains(&status(&running, long).await));
    running.check().await;
}

#[tokio::test]
async fn shapes_that_smuggle_a_request_are_refused_or_answered_once() {
    let running = Running::start(tight(|_| ())).await;
    let post = "POST /oauth2/token HTTP/1.1\r\nhost: a\r\n";
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    for (fields, body) in [
        ("content-length: 5\r\ncontent-length: 6\r\n", "hello"),
        ("content-length: 5, 6\r\n", "hello"),
        ("content-length: +5\r\n", "hello"),
        ("content-length: -1\r\n", ""),
        ("content-length: 18446744073709551616\r\n", ""),
        ("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("content-length : 5\r\n", "hello"),
    ] {
        let request = format!("{post}{fields}\r\n{body}{smuggled}");
        assert_eq!(status(&running, request).await, 400, "{fields}");
    }
    // RFC 9112 section 6.1: the length is ignored, and the connection is closed after the answer.
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    ] {
        let answers = running.exchange(format!("{post}{fields}\r\n0\r\n\r\n{smuggled}")).await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.starts_with("HTTP/1.1 4"), "{answers}");
    }
    running.check().await;
}

#[tokio::test]
async fn bytes_that_no_head_may_have_are_refused() {
    let running = Running::start(tight(|_| ())).await;
    let end = "HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for (request, expected) in [
        (format!("GET /v1/tokens/\0 {end}").into_bytes(), 400),
        (format!("GET /v1/tokens/%00 {end}").into_bytes(), 401),
        (format!("GET /nothing/%00%ff {end}").into_bytes(), 404),
        ([b"GET /\xff\xfe ", end.as_bytes()].concat(), 400),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n".to_vec(), 400),
        (b"GET /healthz HTTP/1.1\r\nho st: a\r\n\r\n".to_vec(), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
        (b"GET /healthz HTTP/9.9\r\n\r\n".to_vec(), 400),
        (b"hello\r\n\r\n".to_vec(), 400),
    ] {
        let shown = String::from_utf8_lossy(&request).into_owned();
        assert_eq!(status(&running, request).await, expected, "{shown:?}");
    }
    let head = b"GET /v1/tokens HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer \xff\r\n\r\n";
    assert!([400, 401].contains(&status(&running, head).await));
    running.check().await;
}

#[tokio::test]
async fn a_body_of_ten_mebibytes_is_refused_before_it_is_read() {
    let running = Running::start(Settings::new()).await;
    let key = keyfob::Grant::new(keyfob::Kind::ApiKey).client("a").scopes("keyfob:admin");
    let bearer = running.manager.issue(key).await.unwrap().bearer.expose().to_owned();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {bearer}\r\n\
         content-type: application/json\r\ncontent-length: 10485760\r\n\r\n"
    );
    let mut raw = running.connect().await;
    raw.send(&head).await;
    raw.send("[").await;
    let answer = raw.answer().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    running.check().await;
}
