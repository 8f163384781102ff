//! A server that is reached by its unix socket.

use keyfob::Ttl;
use keyfob::store::prelude::*;
use keyfob::store::{InvalidationListener, Lane, Revoke, Revoked, Severity};
use keyfob_redis::{Address, RedisConfig, RedisStore, Topology};
use keyfob_testkit::redis::{RedisServer, fresh_namespace};

use crate::support::*;

fn start() -> (RedisServer, String) {
    let server = RedisServer::builder()
        .append_only()
        .password("sesame")
        .setting("unixsocket", "redis.sock")
        .start()
        .unwrap();
    let path = server.folder().join("redis.sock").display().to_string();
    (server, path)
}

#[tokio::test]
async fn a_store_works_by_a_socket_as_by_a_port() {
    let (server, path) = start();
    let namespace = fresh_namespace();
    let url = format!("redis+unix://:sesame@{path}?namespace={namespace}&lanes=4&database=3");
    let store = RedisStore::connect(&url).await.unwrap();
    let listener =
        InvalidationListener::new(store.namespace().lanes(), Ttl::from_millis(250).unwrap());
    store.watch(&listener);
    until("the feed is heard", || listener.is_trusted(Lane::new(2))).await;
    let id = insert(&store, record(id_at(now(), Lane::new(2)), Ttl::from_hours(1), vec![])).await;
    // The same data by the port.
    let url = format!("{}/3?namespace={namespace}", server.url());
    let by_port = RedisStore::connect(&url).await.unwrap();
    assert!(by_port.load(id).await.unwrap().is_some());
    assert_eq!(by_port.revoke(operation(), Revoke::new(id, now())).await.unwrap(), Revoked::Now);
    let report = store.report().await.unwrap();
    assert_eq!(report.description, format!("redis+unix://{path}?namespace={namespace}&database=3"));
    let address = report.findings.iter().find(|finding| finding.what == "address").unwrap();
    assert_eq!(address.severity, Severity::Good, "{report:?}");

    // Restarted, the server has another socket at the same path.
    server.restart().unwrap();
    assert!(store.load(id).await.unwrap().is_some());
    until("the feed is heard again", || listener.is_trusted(Lane::new(2))).await;
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_reported_immediately() {
    let (server, path) = start();
    let open = |path: &str| {
        let config = RedisConfig::new(Topology::Standalone(Address::unix(path)));
        let hour = std::time::Duration::from_secs(3600);
        RedisStore::open(config.with_timeouts(hour, hour, hour))
    };
    let error = open(&path).await.unwrap_err();
    assert_eq!(error.code(), "store_misconfigured");
    assert!(error.to_string().contains(&format!("{path} refused the login")), "{error}");
    let error = open(&format!("{path}.missing")).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
    assert!(error.to_string().contains("no server listens at"), "{error}");
    let error = open(&format!("/{}", "x".repeat(200))).await.unwrap_err();
    assert_eq!(error.code(), "store_misconfigured", "{error}");
    server.kill9();
    let error = open(&path).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
}
