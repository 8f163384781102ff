//! What is sent again, and what never is.

use std::time::{Duration, Instant};

use keyfob::Filter;
use keyfob_client::api::{GrantSpec, RotateBody, ValidateBody};
use keyfob_client::{Client, Error};
use keyfob_testkit::proxy::Faults;

use crate::support::Prepare::{Answer, Close};
use crate::support::{Prepared, Service, builder};

const STATS: &str = r#"{"exact":false,"total":0,"by_state":{},"by_kind":{},"by_client":[]}"#;
const DOWN: &str = r#"{"type":"about:blank","title":"t","status":503,"code":"store_unavailable"}"#;
const LIMITED: &str = r#"{"type":"about:blank","title":"t","status":429,"code":"limited"}"#;
const UNSUPPORTED: &str =
    r#"{"type":"about:blank","title":"t","status":400,"code":"idempotency_unsupported"}"#;

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
    async fn rotate(client: &Client) -> Error {
        let id = "tok_00d1h88n000000000000000001".parse().unwrap();
        client.rotate(id, &RotateBody::default()).await.unwrap_err()
    }
    let server = Prepared::start(&[Close]).await;
    assert!(validate(&server.client()).await.is_outcome_unknown());
    assert!(rotate(&server.client()).await.is_outcome_unknown());
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

#[tokio::test]
async fn without_support_for_keys_an_issue_is_sent_once() {
    let server = Prepared::start(&[Answer(400, "", UNSUPPORTED), Close]).await;
    let client = server.client();
    for _ in 0..2 {
        assert!(client.issue(&GrantSpec::default()).await.unwrap_err().is_outcome_unknown());
    }
    let has_key: Vec<_> = server.heads().iter().map(|head| key_of(head).is_some()).collect();
    assert_eq!(has_key, [true, false, false]);
}

fn key_of(head: &str) -> Option<String> {
    head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).map(str::to_owned)
}

/// Each connection is cut after a number of bytes, so some requests are done and their answers are
/// lost. A request that has an error is not sent again.
#[tokio::test]
async fn no_token_is_issued_that_the_client_does_not_know_of() {
    let service = Service::start().await;
    let proxy = service.proxy().await;
    proxy.cut_at_random(7, 3_000);
    let client = service.client_at(proxy.address());
    let (mut known, mut unknown) = (0, 0);
    for n in 0..60 {
        let subject = Some(format!("user{n}").parse().unwrap());
        match client.issue(&GrantSpec { subject, ..GrantSpec::default() }).await {
            Ok(_) => known += 1,
            Err(error) => {
                assert!(matches!(error, Error::Transport(_)), "{error:?}");
                unknown += 1;
            }
        }
    }
    for n in 0..60 {
        let filter = Filter::new().subject(format!("user{n}"));
        assert!(service.manager.count(&filter).await.unwrap() <= 1, "user{n} has two");
    }
    let issued = service.manager.count(&Filter::new().kind(keyfob::Kind::Access)).await.unwrap();
    assert!((known..=known + unknown).contains(&issued), "{known} + {unknown}, but {issued}");
    assert!(unknown > 0 && known > 0, "{known} and {unknown}");
}
