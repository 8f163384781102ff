//! Revoking by a filter over connections that break.

use keyfob::{Filter, Grant, Kind, TokenState};
use keyfob_client::api::revoke::{ProgressState, RevokeFilter};

use crate::support::Service;

fn beta() -> RevokeFilter {
    let bind = [("tag".to_owned(), "beta".to_owned())].into();
    RevokeFilter { filter: "tag:$tag".to_owned(), bind, ..RevokeFilter::default() }
}

async fn service(tokens: usize) -> Service {
    let service = Service::start().await;
    for _ in 0..tokens {
        service.issue(Grant::new(Kind::Access).subject("alice").tag("beta")).await;
    }
    service
}

async fn active(service: &Service) -> u64 {
    let filter = Filter::new().tag("beta").state(TokenState::Active);
    service.manager.count(&filter).await.unwrap()
}

#[tokio::test]
async fn progress_arrives_line_by_line() {
    let service = service(300).await;
    let mut run = service.client().revoke_matching(beta(), Some("end of beta".parse().unwrap()));
    let mut lines = Vec::new();
    while let Some(line) = run.next().await.unwrap() {
        lines.push(line);
    }
    let last = lines.last().unwrap();
    assert_eq!((last.state, last.revoked), (ProgressState::Done, 300));
    assert!(lines.is_sorted_by_key(|line| line.revoked));
    assert_eq!(active(&service).await, 0);
    assert_eq!(run.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_run_resumes_where_the_connection_broke() {
    let service = service(2_500).await;
    let proxy = service.proxy().await;
    let client = service.client_at(proxy.address());
    let mut run = client.revoke_matching(RevokeFilter { throttle: Some(20_000), ..beta() }, None);
    let (mut cuts, mut lines) = (0, 0);
    while let Some(line) = run.next().await.unwrap() {
        lines += 1;
        if line.state == ProgressState::Running && cuts < 3 {
            proxy.cut();
            cuts += 1;
        }
    }
    assert!(cuts > 0 && lines > 1, "{cuts} cuts, {lines} lines");
    assert_eq!(active(&service).await, 0);
    let last = run.progress().unwrap();
    assert_eq!(last.state, ProgressState::Done);
    assert!(last.revoked <= 2_500 && last.examined >= 1, "{last:?}");
}

#[tokio::test]
async fn a_filter_that_is_not_valid_is_an_error() {
    let service = service(0).await;
    let wanted = RevokeFilter { filter: "subjct:a".to_owned(), ..RevokeFilter::default() };
    let error = service.client().revoke_matching(wanted, None).finish().await.unwrap_err();
    assert_eq!(error.code(), "invalid_filter");
    let target = keyfob_client::api::RevokeTarget::Filter(beta());
    let error = service.client().revoke_target(target, None).await.unwrap_err();
    assert_eq!(error.code(), "invalid_request");
}
