//! The example `axum_service`, used as its users would.

use http::Method;

use crate::harness::{Answer, get, send, serve};

#[path = "../../examples/axum_service.rs"]
#[allow(dead_code, unreachable_pub, reason = "its main is not called here")]
mod axum_service;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let manager = axum_service::manager(&log).unwrap();
    let address = serve(axum_service::app(manager.clone()).unwrap()).await;
    let post = async |path: &str, headers: &[(&str, &str)], body: &str| -> Answer {
        send(address, Method::POST, path, headers, body).await
    };

    // A login with an odd user agent, and a session in a cookie.
    let wrong = post("/login", &[FORM], "user=alice&password=wrong").await;
    assert_eq!(wrong.status, 403);
    let agent = ("user-agent", &*"x".repeat(600));
    let welcome = post("/login", &[FORM, agent], "user=alice&password=correct+horse").await;
    assert_eq!(welcome.body, "welcome");
    let cookie = welcome.header("set-cookie").split(';').next().unwrap().to_owned();
    let cookie = [("cookie", cookie.as_str())];
    let orders = get(address, "/orders", &cookie).await;
    assert_eq!((orders.status.as_u16(), orders.body.as_str()), (200, "[]"));
    assert!(orders.header("ratelimit").contains("\"calls\";r="));
    assert_eq!(get(address, "/orders", &[]).await.status, 401);

    // API keys: created, narrower than the session, and not deletable by other subjects.
    let key = post("/keys", &cookie, "").await.json();
    let header = format!("Bearer {}", key["key"].as_str().unwrap());
    let by_key = [("authorization", header.as_str())];
    assert_eq!(get(address, "/orders", &by_key).await.status, 200);
    assert_eq!(post("/keys", &by_key, "").await.status, 403);
    let path = format!("/keys/{}", key["id"].as_str().unwrap());
    let mallory = post("/login", &[FORM], "user=mallory&password=correct+horse").await;
    let other = mallory.header("set-cookie").split(';').next().unwrap().to_owned();
    let theft = send(address, Method::DELETE, &path, &[("cookie", &other)], "").await;
    assert_eq!(theft.status, 404);
    assert_eq!(send(address, Method::DELETE, &path, &cookie, "").await.status, 200);
    assert_eq!(get(address, "/orders", &by_key).await.status, 401);
    assert_eq!(send(address, Method::DELETE, "/keys/x", &cookie, "").await.status, 400);

    // A mobile application: a pair, and the next pair.
    let first = post("/login", &[FORM], "user=alice&password=correct+horse&mobile=true").await;
    assert_eq!(first.header("cache-control"), "no-store");
    let first = first.json();
    assert_eq!((&first["expires_in"], &first["scope"]), (&3600.into(), &"keys orders".into()));
    let form = format!("refresh_token={}", first["refresh_token"].as_str().unwrap());
    let next = post("/oauth/token", &[FORM], &form).await.json();
    let header = format!("Bearer {}", next["access_token"].as_str().unwrap());
    assert_eq!(get(address, "/orders", &[("authorization", &header)]).await.status, 200);
    let bad = post("/oauth/token", &[FORM], "refresh_token=fob_rt_x").await;
    assert_eq!((bad.status.as_u16(), &bad.json()["error"]), (400, &"invalid_grant".into()));

    // The end of the session, and the log of it all.
    let bye = post("/logout", &cookie, "").await;
    assert!(bye.header("set-cookie").ends_with("Max-Age=0"));
    assert_eq!(get(address, "/orders", &cookie).await.status, 401);
    manager.shutdown().await;
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.lines().count() >= 7, "{log}");
    assert!(!log.contains(first["refresh_token"].as_str().unwrap()));
}

#[test]
fn the_service_is_short() {
    let source = include_str!("../../examples/axum_service.rs");
    assert!(source.lines().count() < 150, "it is there to be read: {}", source.lines().count());
}
