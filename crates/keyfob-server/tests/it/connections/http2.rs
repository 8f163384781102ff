//! HTTP/2 without TLS (h2c with prior knowledge), and clients that misuse it.

use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use http::Request;
use keyfob_server::Settings;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::raw::{Running, tight};

async fn connect(running: &Running) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (sender, connection) = client::handshake(stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a{path}")).body(()).unwrap()
}

#[tokio::test]
async fn requests_share_a_connection() {
    let running = Running::start(Settings::new()).await;
    let (sender, _connection) = connect(&running).await;
    let mut sender = sender.ready().await.unwrap();
    let answers: Vec<_> =
        (0..50).map(|_| sender.send_request(get("/healthz"), true).unwrap().0).collect();
    for answer in answers {
        assert_eq!(answer.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let running = Running::start(Settings::new()).await;
    let (sender, _connection) = connect(&running).await;
    let mut sender = sender.ready().await.unwrap();
    let mut request = get("/healthz");
    let value = "y".repeat(15 * 1024).parse().unwrap();
    for _ in 0..7 {
        request.headers_mut().append("x", http::HeaderValue::clone(&value));
    }
    let (answer, _) = sender.send_request(request, true).unwrap();
    match timeout(Duration::from_secs(20), answer).await.unwrap() {
        Ok(answer) => assert_eq!(answer.status(), 431),
        // The server may end the stream instead.
        Err(error) => assert!(error.is_reset() || error.is_go_away() || error.is_io(), "{error}"),
    }
    running.check().await;
}

#[tokio::test]
async fn a_client_that_resets_what_it_asks_for_is_cut() {
    let running = Running::start(tight(|bounds| bounds.max_resets = 50)).await;
    let (mut sender, connection) = connect(&running).await;
    let attack = async {
        loop {
            sender = sender.ready().await?;
            // The body never comes, so that each request is there when it is cancelled.
            let request = Request::post("http://a/oauth2/token")
                .header("content-type", "application/x-www-form-urlencoded");
            let (_, mut stream) = sender.send_request(request.body(()).unwrap(), false)?;
            tokio::task::yield_now().await;
            stream.send_reset(h2::Reason::CANCEL);
        }
        #[allow(unreachable_code, reason = "names the type of the errors")]
        Ok::<(), h2::Error>(())
    };
    let ended = timeout(Duration::from_secs(20), attack).await.expect("the server bears it");
    assert!(ended.is_err());
    let _ = connection.await;
    running.check().await;
}

#[tokio::test]
async fn a_server_that_stops_lets_the_streams_finish() {
    let running = Running::start(Settings::new()).await;
    let (sender, connection) = connect(&running).await;
    let mut sender = sender.ready().await.unwrap();
    let (first, _) = sender.send_request(get("/healthz"), true).unwrap();
    assert_eq!(first.await.unwrap().status(), 200);
    let request = Request::post("http://a/oauth2/token")
        .header("content-type", "application/x-www-form-urlencoded");
    let (answer, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ended = running.stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    body.send_data(Bytes::from_static(b"x"), true).unwrap();
    assert!(answer.await.unwrap().status().is_client_error());
    drop(sender);
    assert_eq!(ended.await.unwrap().cut, 0);
    let _ = connection.await;
}
