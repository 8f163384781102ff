//! Statistics, keys, and the report of `doctor`.

use keyfob::{Grant, Kind};
use keyfob_api::{DoctorBody, StatsBody};

use crate::support::Service;

#[tokio::test]
async fn a_store_that_is_not_sealed_has_no_keys() {
    let service = Service::start().await;
    let admin = service.admin().await;
    assert_eq!(service.get_as("/v1/keys", &admin).await.error(), (404, "no_keys".into()));
    let reseal = service.post("/v1/keys/reseal", &admin, serde_json::json!({})).await;
    assert_eq!(reseal.error(), (404, "no_keys".into()));
    let retire = service.post("/v1/keys/retire", &admin, serde_json::json!({"version": 1})).await;
    assert_eq!(retire.error(), (404, "no_keys".into()));
}

#[tokio::test]
async fn tokens_are_counted_by_kind_and_client() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    service.bearer(Grant::new(Kind::Access).client("web")).await;
    let reply = service.get_as("/v1/stats", &reader).await;
    let stats: StatsBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((stats.total, stats.by_kind["access"]["active"]), (2, 1));
    assert!(stats.by_client.iter().any(|of| of.client.as_deref() == Some("web")));
}

#[tokio::test]
async fn the_report_names_the_store_and_its_findings() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let reply = service.get_as("/v1/doctor", &admin).await;
    let report: DoctorBody = serde_json::from_slice(&reply.body).unwrap();
    assert!(report.ok);
    assert_eq!(report.max_staleness_ms, Some(250));
    let checks: Vec<_> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
    assert!(checks.contains(&"clock") && checks.contains(&"prefix"), "{checks:?}");
}
