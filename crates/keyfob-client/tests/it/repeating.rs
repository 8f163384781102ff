//! What is sent again, and what never is.

use std::time::{Duration, Instant};

use keyfob::Filter;
use keyfob_client::api::{GrantSpec, UpdateBody, ValidateBody};
use keyfob_client::{Client, Error, RetryPolicy};
use keyfob_testkit::proxy::Faults;

use crate::support::Prepare::{Answer, Close};
use crate::support::{Prepared, Service, builder};

const STATS: &str = r#"{"exact":false,"total":0,"by_state":{},"by_kind":{},"by_client":[]}"#;
const DOWN: &str = r#"{"type":"about:blank","title":"t","status":503,"code":"store_unavailable"}"#;
const LIMITED: &str = r#"{"type":"about:blank","title":"t","status":429,"code":"limited"}"#;

#[tokio::test]
async fn a_request_that_only_reads_is_sent_again() {
    let server = Prepared::start(&[Close, Answer(503, "", DOWN), Answer(200, "", STATS)]).await;
    server.client().stats().await.unwrap();
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn attempts_end_with_the_last_error() {
    let server = Prepared::start(&[Answer(503, "", DOWN)]).await;
    let error = server.client().stats().await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn a_server_that_is_down_does_not_get_many_times_the_load() {
    let server = Prepared::start(&[Answer(503, "", DOWN)]).await;
    let client = server.client();
    for _ in 0..20 {
        client.stats().await.unwrap_err();
    }
    // The reserve is ten.
    assert_eq!(server.heads().len(), 30);
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_respected() {
    let server =
        Prepared::start(&[Answer(429, "retry-after: 1\r\n", LIMITED), Answer(200, "", STATS)])
            .await;
    let begun = Instant::now();
    server.client().stats().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let server = Prepared::start(&[Answer(429, "retry-after: 3600\r\n", LIMITED)]).await;
    let error = server.client().stats().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.heads().len(), 1, "a wait beyond the time of the request is not begun");
}

#[tokio::test]
async fn a_request_that_may_do_a_thing_twice_is_not_sent_again() {
    async fn validate(client: &Client) -> Error {
        client.validate(&ValidateBody::default()).await.unwrap_err()
    }
    async fn update(client: &Client) -> Error {
        let id = "tok_00d1h88n000000000000000001".parse().unwrap();
        client.update(id, &UpdateBody::default()).await.unwrap_err()
    }
    let server = Prepared::start(&[Close]).await;
    assert!(validate(&server.client()).await.is_outcome_unknown());
    assert!(update(&server.client()).await.is_outcome_unknown());
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn a_request_that_was_not_sent_is_sent_again_always() {
    let service = Service::start().await;
    let proxy = service.proxy().await;
    proxy.set(Faults { refuse: true, ..Faults::default() });
    while tokio::net::TcpStream::connect(proxy.address()).await.is_ok() {}
    let policy = keyfob_client::RetryPolicy::default().max_attempts(10);
    let policy = policy.waits(Duration::from_millis(100), Duration::from_millis(100));
    let client = builder(proxy.address()).bearer(&service.admin_key).retry(policy);
    let client = client.build().unwrap();
    let body = ValidateBody::default();
    let (validated, ()) = tokio::join!(client.validate(&body), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        proxy.heal();
    });
    assert!(!validated.unwrap().ok);
}

#[tokio::test]
async fn an_issue_is_sent_again_under_its_key() {
    let server = Prepared::start(&[Close, Answer(503, "", DOWN), Answer(403, "", DOWN)]).await;
    let client = server.client();
    client.issue(&GrantSpec::default()).await.unwrap_err();
    client.issue(&GrantSpec::default()).await.unwrap_err();
    let keys: Vec<String> = server.heads().iter().map(|head| key_of(head).unwrap()).collect();
    assert_eq!((keys.len(), &keys[0], &keys[1]), (4, &keys[1], &keys[2]));
    assert_ne!(keys[2], keys[3], "another request has another key");
}

fn key_of(head: &str) -> Option<String> {
    head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).map(str::to_owned)
}

/// Each connection is cut after a number of bytes, so some requests are done and their answers are
/// lost. Each is sent again under its key, and issues one token.
#[tokio::test]
async fn a_client_behind_broken_connections_gets_each_token_once() {
    let service = Service::start().await;
    let proxy = service.proxy().await;
    proxy.cut_at_random(7, 3_000);
    let policy = RetryPolicy::default().max_attempts(30);
    let policy = policy.waits(Duration::from_millis(1), Duration::from_millis(1));
    let client = |policy: &RetryPolicy| {
        let client = builder(proxy.address()).bearer(&service.admin_key);
        client.retry(*policy).build().unwrap()
    };
    let mut failed_at_once = 0;
    for n in 0..60 {
        let impatient = client(&RetryPolicy::never());
        failed_at_once += u32::from(impatient.stats().await.is_err());
        let subject = Some(format!("user{n}").parse().unwrap());
        // A new client, as each has a reserve of repeats.
        let client = client(&policy);
        let issued = client.issue(&GrantSpec { subject, ..GrantSpec::default() }).await.unwrap();
        let token = service.manager.validate_active(issued.bearer.expose()).await.unwrap();
        assert_eq!(token.id, issued.token.id);
    }
    assert!(failed_at_once > 0, "no connection was cut");
    let access = Filter::new().kind(keyfob::Kind::Access);
    assert_eq!(service.manager.count(&access).await.unwrap(), 60);
}
