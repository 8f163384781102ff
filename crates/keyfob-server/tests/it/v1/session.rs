//! The caller itself, and sessions for people.

use keyfob::{Grant, Kind, RevokeRequest};
use serde_json::{Value, json};

use crate::support::{Key, Service};

async fn open(service: &Service, key: &Key) -> (u16, Value) {
    let reply = service.post("/v1/sessions", key, json!({})).await;
    (reply.status.as_u16(), reply.json())
}

fn session_key(opened: &Value) -> Key {
    let bearer = opened["bearer"].as_str().unwrap().to_owned();
    Key { client: "ops".into(), bearer }
}

#[tokio::test]
async fn a_session_has_the_reserved_scopes_of_its_key_and_calls_with_them() {
    let service = Service::start().await;
    let key = service.key("ops", "keyfob:read read").await;
    let (status, opened) = open(&service, &key).await;
    assert_eq!(status, 201);
    assert_eq!(opened["kind"], "session");
    assert_eq!(opened["scopes"], json!(["keyfob:read"]));
    assert_eq!(opened["client"], "ops");
    assert_eq!(opened["idle_timeout"], "15m");
    let session = session_key(&opened);
    let caller = service.get_as("/v1/caller", &session).await.json();
    assert_eq!(caller["id"], opened["id"]);
    let tokens = service.get_as("/v1/tokens", &session).await;
    assert_eq!(tokens.status, 200);
    // It is no client secret.
    assert_eq!(service.get("/v1/tokens", Some(&session.basic())).await.status, 401);
}

#[tokio::test]
async fn a_session_ends_with_its_key() {
    let service = Service::start().await;
    let issued = service.manager.issue(Grant::new(Kind::ApiKey).client("ops").scope("keyfob:read"));
    let issued = issued.await.unwrap();
    let key = Key { client: "ops".into(), bearer: issued.bearer.expose().into() };
    let session = session_key(&open(&service, &key).await.1);
    service.manager.revoke(issued.token.id, RevokeRequest::reason("left")).await.unwrap();
    assert_eq!(service.get_as("/v1/caller", &session).await.status, 401);
}

#[tokio::test]
async fn only_a_key_of_this_service_opens_a_session() {
    let service = Service::start().await;
    let shop = service.key("shop", "read").await;
    assert_eq!(open(&service, &shop).await.0, 403);
    let key = service.key("ops", "keyfob:admin").await;
    let session = session_key(&open(&service, &key).await.1);
    // Otherwise a session could outlive the time that it was given.
    let (status, refused) = open(&service, &session).await;
    assert_eq!((status, &refused["code"]), (403, &json!("access_denied")));
}

#[tokio::test]
async fn a_session_is_used_within_its_bounds() {
    let service = Service::start().await;
    let key = service.key("ops", "keyfob:read").await;
    let body = json!({"idle": "400d", "user_agent": "A browser"});
    let reply = service.post("/v1/sessions", &key, body).await.json();
    assert_eq!(reply["idle_timeout"], "12h");
    assert_eq!(reply["metadata"]["device"]["user_agent"], "A browser");
    assert_eq!(reply["metadata"]["device"]["ip"], "127.0.0.1");
    let body = json!({"idle": "1m", "scopes": ["keyfob:admin"]});
    let reply = service.post("/v1/sessions", &key, body).await;
    assert_eq!(reply.status, 400);
}
