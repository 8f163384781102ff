//! Health, readiness, metadata.

use keyfob_server::Settings;

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
