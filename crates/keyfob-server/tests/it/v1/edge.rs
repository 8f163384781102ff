//! What an edge sends and its central server refuses.

use keyfob::{Grant, Kind, ValidationChain};
use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn an_entry_that_is_no_observation_is_the_fault_of_the_sender() {
    let service = Service::start().await;
    let edge = service.key("edge", "keyfob:edge").await;
    for entry in ["", "AAAA", "F0e0"] {
        let body = json!({ "observations": [entry] });
        let reply = service.post("/v1/edge/observations", &edge, body).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()), "{entry:?}");
    }
}

#[tokio::test]
async fn an_operation_whose_deadline_is_over_is_refused() {
    let service = Service::start().await;
    let edge = service.key("edge", "keyfob:edge").await;
    let issued = service.manager.issue(Grant::new(Kind::Access).uses(1)).await.unwrap();
    let operation = json!({ "id": "AAAAAAAAAAAAAAAAAAAAAA", "deadline_ms": 1 });
    let id = issued.token.id;
    for (route, body) in [
        ("consume", json!({ "operation": operation })),
        ("first-use", json!({ "operation": operation, "version": 1, "body": "" })),
    ] {
        let reply = service.post(&format!("/v1/edge/records/{id}/{route}"), &edge, body).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()), "{route}");
    }
    service.manager.validate(issued.bearer.expose(), &ValidationChain::new()).await.unwrap();
}
