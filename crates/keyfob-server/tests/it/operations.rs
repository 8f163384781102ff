//! Health, readiness, metadata.

use std::sync::Arc;

use keyfob::{Grant, Kind, TokenManager};
use keyfob_server::Settings;

use crate::failing_store::FailingStore;
use crate::support::Service;

#[tokio::test]
async fn a_server_is_healthy_and_ready() {
    let service = Service::start().await;
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let reply = service.get(path, None).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (200, &status.into()));
    }
}

#[tokio::test]
async fn probes_ask_the_store_rarely_and_see_at_once_that_a_request_found_it_away() {
    let store = Arc::new(FailingStore::new());
    let manager = TokenManager::builder(Arc::clone(&store)).build();
    let service = Service::over(manager, Settings::new()).await;
    let admin = service.key_of(Grant::new(Kind::ApiKey).scope("keyfob:admin")).await;
    let probes = (0..100).map(|_| service.get("/readyz", None));
    let answers = futures_util::future::join_all(probes).await;
    assert!(answers.iter().all(|reply| reply.status == 200));
    assert!(store.reports() < 50, "{} reports for 100 probes", store.reports());
    store.set_down(true);
    assert_eq!(service.get_as("/v1/tokens", &admin).await.status, 503);
    assert_eq!(service.get("/readyz", None).await.status, 503);
    store.set_down(false);
    while service.get("/readyz", None).await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_metadata_has_the_issuer_and_the_endpoints() {
    let service =
        Service::with(Settings::new().issuer("https://tokens.example".parse().unwrap())).await;
    let reply = service.get("/.well-known/oauth-authorization-server", None).await;
    insta::assert_json_snapshot!(reply.json());
}

#[tokio::test]
async fn without_an_issuer_the_metadata_takes_the_host_of_the_request() {
    let service = Service::start().await;
    let reply = service.get("/.well-known/oauth-authorization-server", None).await;
    assert_eq!(reply.json()["issuer"], service.url);
}

#[tokio::test]
async fn an_answer_carries_the_request_id_that_the_proxy_gave() {
    let service = Service::start().await;
    let request =
        http::Request::get(format!("{}/nowhere", service.url)).header("x-request-id", "r-1");
    let reply = service.send(request.body(Default::default()).unwrap()).await;
    assert_eq!(reply.json()["request_id"], "r-1");
}
