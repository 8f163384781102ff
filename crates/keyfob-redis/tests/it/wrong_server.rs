//! URLs that lead to another kind of server than they say: each error says what answers there and what to
//! write instead, without waiting for the budget.

use std::time::Duration;

use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisCluster, RedisSentinel, RedisServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Opens a store that would repeat its first call for an hour, and returns the error.
async fn refused(url: &str) -> (String, String) {
    let config: RedisConfig = url.parse().unwrap();
    let (connect, response) = (Duration::from_secs(20), Duration::from_secs(20));
    let config = config.with_timeouts(connect, response, Duration::from_secs(3600));
    let opened = tokio::time::timeout(Duration::from_secs(15), RedisStore::open(config)).await;
    let error = opened.expect("it does not wait").expect_err("it is another server");
    (error.code().to_owned(), error.to_string())
}

#[track_caller]
fn says((code, text): (String, String), expected: &str, words: &[&str]) {
    assert_eq!(code, expected, "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// Starts a server that reads something and answers with these bytes. Returns its port.
async fn other_program(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
        }
    });
    port
}

const MISCONFIGURED: &str = "store_misconfigured";

#[tokio::test]
async fn another_program_is_named() {
    for (answer, name) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "an HTTP server"),
        (b"<!DOCTYPE HTML>", "an HTTP server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "an SSH server"),
        (b"220 mail ready\r\n", "begins with \"220 mail ready"),
    ] {
        let port = other_program(answer).await;
        for scheme in ["redis", "rediss", "redis+cluster"] {
            let url = format!("{scheme}://127.0.0.1:{port}");
            says(refused(&url).await, MISCONFIGURED, &[name, "check the host", &port.to_string()]);
        }
        let url = format!("redis+sentinel://127.0.0.1:{port}/main");
        says(refused(&url).await, MISCONFIGURED, &[name]);
    }
}

#[tokio::test]
async fn a_slow_program_is_named_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            });
        }
    });
    for scheme in ["redis", "rediss"] {
        let url = format!("{scheme}://127.0.0.1:{port}");
        says(refused(&url).await, MISCONFIGURED, &["an HTTP server"]);
    }
}

#[tokio::test]
async fn tls_and_plain_ports_are_distinguished() {
    let server = RedisServer::builder().tls().start().unwrap();
    let plain = server.port();
    for scheme in ["rediss", "rediss+cluster"] {
        let url = format!("{scheme}://127.0.0.1:{plain}");
        says(
            refused(&url).await,
            MISCONFIGURED,
            &["does not speak TLS", "redis instead of rediss"],
        );
    }
    let tls = server.tls_url().unwrap().replace("rediss://", "redis://");
    says(refused(&tls).await, MISCONFIGURED, &["speaks TLS", "rediss instead of redis"]);
    let tls = tls.replace("redis://", "redis+cluster://");
    says(refused(&tls).await, MISCONFIGURED, &["speaks TLS"]);
}

#[tokio::test]
async fn the_kind_of_a_redis_server_is_compared_with_the_scheme() {
    let server = RedisServer::start().unwrap();
    let port = server.port();
    let url = format!("redis+cluster://127.0.0.1:{port}");
    says(refused(&url).await, MISCONFIGURED, &["is a single server", "write redis:// instead"]);
    let url = format!("redis+sentinel://127.0.0.1:{port}/main");
    says(refused(&url).await, MISCONFIGURED, &["is not a sentinel", "port 26379"]);
    let url = format!("redis://127.0.0.1:{port}/99");
    says(refused(&url).await, MISCONFIGURED, &["no database of that number", "0 to 15"]);
    let url = format!("redis://:secret@127.0.0.1:{port}");
    let error = refused(&url).await;
    assert!(!error.1.contains("secret"), "{error:?}");
    says(error, MISCONFIGURED, &["refused the login", "remove the password"]);
}

#[tokio::test]
async fn a_sentinel_is_no_server_with_data() {
    let group = RedisSentinel::start(1).unwrap();
    let sentinel = group.sentinels()[0].clone();
    let url = format!("redis://{sentinel}");
    says(refused(&url).await, MISCONFIGURED, &["is a sentinel", "write redis+sentinel://"]);
    let url = format!("redis+cluster://{sentinel}");
    says(refused(&url).await, MISCONFIGURED, &["is not a node of a cluster"]);
    let url = format!("redis+sentinel://{}/misspelt", group.sentinels().join(","));
    says(refused(&url).await, MISCONFIGURED, &["no primary 'misspelt'", "SENTINEL MASTERS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_is_no_single_server() {
    let cluster = RedisCluster::start().unwrap();
    let url = cluster.nodes()[0].url();
    says(refused(&url).await, MISCONFIGURED, &["is a node of a cluster", "write redis+cluster://"]);
    says(refused(&format!("{url}/3")).await, MISCONFIGURED, &["node of a cluster", "database 0"]);
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_host_are_reported_immediately() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let unavailable = "store_unavailable";
    let url = format!("redis://127.0.0.1:{port}");
    says(
        refused(&url).await,
        unavailable,
        &["nothing accepts connections at 127.0.0.1", "start the"],
    );
    // A name with so long a part is never asked for.
    let host = format!("{}.invalid", "a".repeat(64));
    says(refused(&format!("redis://{host}")).await, unavailable, &["is not known", "its name"]);
}

#[tokio::test]
async fn a_store_that_was_open_waits_for_its_server() {
    use keyfob::store::prelude::*;
    let server = RedisServer::builder().append_only().start().unwrap();
    let config = crate::support::config(&server.url(), 1);
    let limit = Duration::from_secs(30);
    let store = RedisStore::open(config.with_timeouts(limit, limit, limit)).await.unwrap();
    server.kill9();
    let restarted = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.restart().unwrap();
    };
    let (stamp, ()) = tokio::join!(store.stamp(keyfob::store::Lane::new(0)), restarted);
    stamp.unwrap();
}

#[tokio::test]
async fn a_store_that_was_open_waits_while_another_program_answers_for_its_server() {
    use keyfob::store::prelude::*;
    let server = RedisServer::builder().append_only().start().unwrap();
    let config = crate::support::config(&server.url(), 1);
    let limit = Duration::from_secs(30);
    let store = RedisStore::open(config.with_timeouts(limit, limit, limit)).await.unwrap();
    server.kill9();
    let proxy = loop {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", server.port())).await {
            break listener;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let back = async {
        for _ in 0..3 {
            let (mut stream, _) = proxy.accept().await.unwrap();
            stream.write_all(b"HTTP/1.0 503 Service Unavailable\r\n\r\n").await.unwrap();
        }
        drop(proxy);
        server.restart().unwrap();
    };
    let (stamp, ()) = tokio::join!(store.stamp(keyfob::store::Lane::new(0)), back);
    stamp.unwrap();
}
