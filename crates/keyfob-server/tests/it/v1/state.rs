//! Statistics, keys, and the report of `doctor`.

use keyfob::{Grant, Kind};
use keyfob_api::{DoctorBody, StatsBody};

use crate::support::Service;

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
    let checks: Vec<_> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
    assert!(checks.contains(&"clock") && checks.contains(&"prefix"), "{checks:?}");
}
