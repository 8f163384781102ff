//! `POST /v1/revoke`.

use keyfob::{Filter, Grant, Kind, TokenState};
use keyfob_api::revoke::ProgressState;
use keyfob_api::{RevokeAnswer, RevokeOutcome, RevokeProgress};
use serde_json::{Value, json};

use crate::support::{Key, Reply, Service};

const PATH: &str = "/v1/revoke";

fn answer(reply: &Reply) -> RevokeAnswer {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_slice(&reply.body).unwrap()
}

fn lines(reply: &Reply) -> Vec<RevokeProgress> {
    assert_eq!(reply.headers["content-type"], "application/x-ndjson", "{reply:?}");
    let lines = reply.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

async fn active(service: &Service, filter: Filter) -> u64 {
    service.manager.count(&filter.state(TokenState::Active)).await.unwrap()
}

async fn operator(service: &Service) -> Key {
    service.key("operator", "keyfob:revoke").await
}

#[tokio::test]
async fn everything_that_names_tokens_revokes_them_after_a_dry_run() {
    let service = Service::start().await;
    let operator = operator(&service).await;
    let grant = || Grant::new(Kind::Session).subject("alice").client("web");
    let token = service.manager.issue(grant()).await.unwrap().token.id;
    let family = service.manager.issue(grant()).await.unwrap().token.id;
    service.manager.mint(family, Grant::new(Kind::Access)).await.unwrap();
    service.bearer(grant()).await;
    service.bearer(Grant::new(Kind::Session).subject("bob").client("web")).await;
    for (target, count) in [
        (json!({"token": token}), 1),
        (json!({"family": family}), 2),
        (json!({"subject": "alice"}), 1),
        (json!({"client": "web"}), 1),
        (json!({"filter": {"filter": "kind:api-key"}}), 1),
        (json!({"all": true}), 1),
    ] {
        let dry = json!({"target": target, "dry_run": true});
        let counted = answer(&service.post(PATH, &operator, dry.clone()).await);
        assert_eq!(
            (counted.outcome, counted.count),
            (RevokeOutcome::Counted, Some(count)),
            "{target}"
        );
        if target.get("filter").is_some() {
            continue;
        }
        let body = json!({"target": target, "reason": "incident"});
        let revoked = answer(&service.post(PATH, &operator, body).await);
        assert_eq!(revoked.outcome, RevokeOutcome::Revoked, "{target}");
    }
    // The key of the operator was revoked with all others.
    assert_eq!(active(&service, Filter::new()).await, 0);
    let reply = service.post(PATH, &operator, json!({"target": {"all": true}})).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn a_filter_is_answered_by_a_stream_of_progress() {
    let service = Service::start().await;
    let operator = operator(&service).await;
    for n in 0..250 {
        let tag = if n % 2 == 0 { "beta" } else { "stable" };
        service.bearer(Grant::new(Kind::Access).subject("alice").tag(tag)).await;
    }
    let filter = json!({"filter": "tag:$tag subject:alice", "bind": {"tag": "beta"}});
    let body = json!({"target": {"filter": filter}, "reason": "end of beta"});
    let reply = service.post(PATH, &operator, body).await;
    let lines = lines(&reply);
    let last = lines.last().unwrap();
    assert_eq!(
        (last.state, last.revoked, last.resume.as_deref()),
        (ProgressState::Done, 125, None)
    );
    assert!(lines[..lines.len() - 1].iter().all(|line| line.state == ProgressState::Running));
    assert!(lines[0].resume.is_some() && lines[0].revoked == 100);
    assert_eq!(active(&service, Filter::new().tag("beta")).await, 0);
    assert_eq!(active(&service, Filter::new().tag("stable")).await, 125);
}

#[tokio::test]
async fn an_interrupted_run_resumes_where_its_last_line_says() {
    let service = Service::start().await;
    let operator = operator(&service).await;
    for _ in 0..300 {
        service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    }
    let run = |resume: Value| {
        let filter = json!({"filter": "subject:alice", "resume": resume});
        service.post(PATH, &operator, json!({"target": {"filter": filter}}))
    };
    let whole = lines(&run(Value::Null).await);
    // The run is done, so the pages that are left have nothing to revoke.
    let rest = lines(&run(json!(whole[0].resume)).await);
    let last = rest.last().unwrap();
    assert_eq!((last.state, last.revoked, last.examined), (ProgressState::Done, 0, 200));
    assert_eq!(run(json!("nonsense")).await.error(), (400, "invalid_value".into()));
}

#[tokio::test]
async fn a_client_that_goes_away_stops_the_run() {
    use http_body_util::BodyExt as _;

    let service = Service::start().await;
    let operator = operator(&service).await;
    for _ in 0..300 {
        service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    }
    let filter = json!({"filter": "subject:alice", "throttle": 200});
    let body = json!({"target": {"filter": filter}}).to_string();
    let mut response = service.open("POST", PATH, &operator, "application/json", body).await;
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert!(first.is_data());
    drop(response);
    // The whole run would take a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(active(&service, Filter::new().subject("alice")).await >= 100);
}

#[tokio::test]
async fn a_target_that_is_likely_a_mistake_is_refused() {
    let service = Service::start().await;
    let operator = operator(&service).await;
    for (body, code) in [
        (json!({}), "invalid_json"),
        (json!({"target": {}}), "invalid_json"),
        (json!({"target": {"all": false}}), "invalid_json"),
        (json!({"target": {"token": "tok_1", "subject": "x"}}), "invalid_json"),
        (json!({"target": {"filter": {"filter": ""}}}), "empty_filter"),
        (json!({"target": {"filter": {"filter": "subject:$who"}}}), "invalid_filter"),
        (json!({"target": {"all": true}, "dryrun": true}), "invalid_json"),
    ] {
        let reply = service.post(PATH, &operator, body.clone()).await;
        assert_eq!(reply.error(), (400, code.into()), "{body}");
    }
    let unknown = json!({"target": {"token": "tok_00000000000000000000000000"}});
    let reply = service.post(PATH, &operator, unknown).await;
    assert_eq!(reply.error(), (404, "token_not_found".into()));
}
