//! The errors of real servers: what is repeated, what is reported immediately, and what the report says.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use keyfob::Ttl;
use keyfob::store::prelude::*;
use keyfob::store::{Insert, Inserted, Lane, StoreError};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisCluster, RedisServer};
use tokio::io::AsyncWriteExt;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::fake::{Fake, list, sentinel_answer};
use crate::support::*;

/// A budget that a test does not use up, even on a slow machine.
const LONG: Duration = Duration::from_secs(60);
/// A budget that is used up soon.
const SHORT: Duration = Duration::from_millis(300);

fn with_budget(config: &RedisConfig, budget: Duration) -> RedisConfig {
    config.clone().with_timeouts(Duration::from_secs(5), Duration::from_secs(5), budget)
}

async fn try_insert(store: &RedisStore) -> Result<Inserted, StoreError> {
    let new = record(id_at(now(), Lane::new(0)), Ttl::from_hours(1), vec![]);
    store.insert(operation(), Insert { records: vec![new], events: vec![] }).await
}

/// Asserts that an error has this code, and that its text has all of these words.
#[track_caller]
fn says(error: &StoreError, code: &str, words: &[&str]) {
    assert_eq!(error.code(), code, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

/// Sends a command on a thread of its own, for commands that take long. Its answer does not matter.
fn send_in_background(server: &Arc<RedisServer>, command: &'static [&'static str]) {
    let server = Arc::clone(server);
    std::thread::spawn(move || drop(server.call(command)));
}

/// Waits until the server answers a command with an error that begins with this code, or without one.
async fn until_it_answers(server: &RedisServer, code: Option<&str>) {
    for _ in 0..600 {
        match (server.call(&["GET", "x"]), code) {
            (Ok(_), None) => return,
            (Err(error), Some(code)) if error.to_string().starts_with(code) => return,
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("timeout: the server did not answer {code:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading_is_waited_for_within_the_budget() {
    let server = Arc::new(RedisServer::start().unwrap());
    let config = config(&server.url(), 1);
    let patient = open(&with_budget(&config, LONG)).await;
    let hasty = open(&with_budget(&config, SHORT)).await;
    try_insert(&patient).await.unwrap();
    for n in 0..40 {
        server.call(&["SET", &format!("filler{n}"), &"x".repeat(2000)]).unwrap();
    }
    // Every key takes 50 ms to load, and the server answers in between.
    server.call(&["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"]).unwrap();
    server.call(&["CONFIG", "SET", "rdbcompression", "no"]).unwrap();
    server.call(&["CONFIG", "SET", "key-load-delay", "50000"]).unwrap();
    send_in_background(&server, &["DEBUG", "RELOAD"]);
    until_it_answers(&server, Some("LOADING")).await;
    let error = try_insert(&hasty).await.unwrap_err();
    says(&error, "store_unavailable", &["still reads its data", "LOADING", "INFO persistence"]);
    try_insert(&patient).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_of_another_client_is_waited_for() {
    let server = Arc::new(RedisServer::start().unwrap());
    let config = config(&server.url(), 1);
    let patient = Arc::new(open(&with_budget(&config, LONG)).await);
    let hasty = open(&with_budget(&config, SHORT)).await;
    server.call(&["CONFIG", "SET", "busy-reply-threshold", "50"]).unwrap();
    send_in_background(&server, &["EVAL", "while true do end", "0"]);
    until_it_answers(&server, Some("BUSY")).await;
    let error = try_insert(&hasty).await.unwrap_err();
    says(&error, "store_unavailable", &["busy with a slow script", "BUSY", "SCRIPT KILL"]);
    let waiting = tokio::spawn({
        let patient = Arc::clone(&patient);
        async move { try_insert(&patient).await }
    });
    sleep(Duration::from_millis(100)).await;
    server.call(&["SCRIPT", "KILL"]).unwrap();
    waiting.await.unwrap().unwrap();

    // A script that has written cannot be killed. keyfob sends no SCRIPT KILL, so it gets BUSY.
    send_in_background(&server, &["EVAL", "redis.call('set', 'x', 1) while true do end", "0"]);
    until_it_answers(&server, Some("BUSY")).await;
    let refused = server.call(&["SCRIPT", "KILL"]).unwrap_err();
    assert!(refused.to_string().starts_with("UNKILLABLE"), "{refused}");
    let error = try_insert(&hasty).await.unwrap_err();
    says(&error, "store_unavailable", &["BUSY", "UNKILLABLE"]);
}

#[tokio::test]
async fn a_replica_that_comes_back_is_waited_for() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let hasty = open(&with_budget(&config, SHORT)).await;
    let patient = open(&with_budget(&config, LONG)).await;
    server.call(&["CONFIG", "SET", "min-replicas-to-write", "1"]).unwrap();
    let error = try_insert(&hasty).await.unwrap_err();
    says(&error, "store_unavailable", &["fewer replicas", "NOREPLICAS", "min-replicas-to-write"]);
    let restored = async {
        sleep(Duration::from_millis(100)).await;
        server.call(&["CONFIG", "SET", "min-replicas-to-write", "0"]).unwrap();
    };
    let (inserted, ()) = tokio::join!(try_insert(&patient), restored);
    inserted.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_room_for_a_client_is_no_wrong_password() {
    let server = RedisServer::builder().password("sesame").start().unwrap();
    let config = config(&server.url(), 1);
    let open_clients =
        server.info("clients").unwrap()["connected_clients"].parse::<usize>().unwrap();
    let max = open_clients + 2;
    server.call(&["CONFIG", "SET", "maxclients", &max.to_string()]).unwrap();
    // One connection of this test is the last one that the server accepts.
    let mut taken = Vec::new();
    let is_full = || server.call(&["PING"]).is_err_and(|error| error.to_string().contains("max"));
    while !is_full() {
        assert!(taken.len() < 100);
        taken.push(TcpStream::connect(("127.0.0.1", server.port())).unwrap());
        sleep(Duration::from_millis(5)).await;
    }
    let error = RedisStore::open(with_budget(&config, SHORT)).await.unwrap_err();
    says(&error, "store_unavailable", &["as many clients as it accepts", "raise maxclients"]);
    let leaving = async {
        sleep(Duration::from_millis(100)).await;
        taken.clear();
    };
    let (opened, ()) = tokio::join!(RedisStore::open(with_budget(&config, LONG)), leaving);
    opened.unwrap();
}

#[tokio::test]
async fn an_error_that_lasts_until_an_operator_acts_is_not_repeated() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    // A repetition would not end within the test.
    let store = open(&with_budget(&config, Duration::from_secs(3600))).await;
    // In a new lane, a script begins with a write that is allowed without memory.
    try_insert(&store).await.unwrap();
    server.call(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let error = try_insert(&store).await.unwrap_err();
    says(&error, "store_unavailable", &["no memory left", "OOM", "raise maxmemory"]);
    assert!(!error.to_string().contains("user_script"), "no place in a script: {error}");
    server.call(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    try_insert(&store).await.unwrap();

    // A snapshot cannot be written over a folder.
    std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
    server.call(&["CONFIG", "SET", "save", "3600 1000000"]).unwrap();
    server.call(&["BGSAVE"]).unwrap();
    until("the snapshot fails", || {
        server.info("persistence").unwrap()["rdb_last_bgsave_status"] == "err"
    })
    .await;
    let error = try_insert(&store).await.unwrap_err();
    says(&error, "store_unavailable", &["cannot save its data", "MISCONF", "free disk space"]);
    assert!(store.load(id_at(now(), Lane::new(0))).await.unwrap().is_none(), "it still reads");
}

#[tokio::test]
async fn replicas_say_that_they_are_replicas() {
    let primary = RedisServer::start().unwrap();
    let port = primary.port().to_string();
    let replica =
        RedisServer::builder().setting("replicaof", &format!("127.0.0.1 {port}")).start().unwrap();
    let config = config(&primary.url(), 1);
    drop(open(&config).await);
    primary.wait_until_copied_to(&replica).unwrap();
    let (_, query) =
        config.to_string().split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let config: RedisConfig = format!("{}?{query}", replica.url()).parse().unwrap();
    let store = open(&with_budget(&config, SHORT)).await;
    let error = try_insert(&store).await.unwrap_err();
    says(&error, "store_unavailable", &["is a replica", "READONLY", "address of the primary"]);

    // A replica that becomes the primary within the budget gets the write.
    let patient = open(&with_budget(&config, LONG)).await;
    let promoted = async {
        sleep(Duration::from_millis(100)).await;
        replica.call(&["REPLICAOF", "NO", "ONE"]).unwrap();
    };
    let (inserted, ()) = tokio::join!(try_insert(&patient), promoted);
    inserted.unwrap();

    // Without its primary, a replica may be set to answer nothing.
    replica.call(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    replica.call(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).unwrap();
    primary.kill9();
    until_it_answers(&replica, Some("MASTERDOWN")).await;
    let error = try_insert(&store).await.unwrap_err();
    says(&error, "store_unavailable", &["lost its primary", "MASTERDOWN", "start the primary"]);
}

#[tokio::test]
async fn a_cluster_without_slots_is_down() {
    let node = RedisServer::builder().setting("cluster-enabled", "yes").start().unwrap();
    let config = config(&node.url(), 1);
    let error = RedisStore::open(with_budget(&config, SHORT)).await.unwrap_err();
    says(&error, "store_unavailable", &["cluster that is down", "CLUSTERDOWN", "CLUSTER INFO"]);
}

#[tokio::test]
async fn a_refused_login_is_not_repeated() {
    let server = RedisServer::builder()
        .password("sesame")
        .user("disabled", "pw", "off ~* &* +@all")
        .start()
        .unwrap();
    let open = |login: &str, port: u16| {
        let config: RedisConfig = format!("redis://{login}127.0.0.1:{port}").parse().unwrap();
        RedisStore::open(with_budget(&config, Duration::from_secs(3600)))
    };
    let misconfigured = "store_misconfigured";
    for login in [":wrong@", "nobody:pw@", "disabled:pw@"] {
        let error = open(login, server.port()).await.unwrap_err();
        says(&error, misconfigured, &["refused the login", "WRONGPASS", "redis://user:password@"]);
    }
    let error = open("", server.port()).await.unwrap_err();
    says(&error, misconfigured, &["asks for a password", "NOAUTH", "redis://:password@host"]);
    let without = RedisServer::start().unwrap();
    let error = open(":sesame@", without.port()).await.unwrap_err();
    says(&error, misconfigured, &["has no password", "remove the password"]);
}

#[tokio::test]
async fn a_missing_permission_is_not_repeated() {
    let server = RedisServer::builder()
        .user("no-scripts", "pw", "~* &* +@all -evalsha")
        .user("no-reads", "pw", "~* &* +@all -get")
        .user("other-keys", "pw", "~other:* &* +@all")
        .start()
        .unwrap();
    for (user, words) in [
        ("no-scripts", ["NOPERM", "evalsha"]),
        ("no-reads", ["user executing the script", "can't run"]),
        ("other-keys", ["NOPERM", "key"]),
    ] {
        let config = config(&server.url_of(user, "pw"), 1);
        let config = with_budget(&config, Duration::from_secs(3600));
        let error = RedisStore::open(config).await.unwrap_err();
        says(&error, "store_misconfigured", &["lacks a permission", "docs/recipes.md"]);
        says(&error, "store_misconfigured", &words);
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_no_store() {
    let server = RedisServer::start().unwrap();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    server.call(&["HSET", &format!("{namespace}:meta"), "a", "b"]).unwrap();
    let config: RedisConfig = format!("{}?namespace={namespace}", server.url()).parse().unwrap();
    let config = with_budget(&config, Duration::from_secs(3600));
    let error = RedisStore::open(config).await.unwrap_err();
    says(&error, "not_a_store", &["key of another type", "WRONGTYPE", "?namespace=other"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_follows_its_keys_to_a_server_without_a_name() {
    let cluster = block_in_place(|| RedisCluster::start().unwrap());
    let config = config(&crate::cluster_url(&cluster), 1);
    let store = open(&with_budget(&config, LONG)).await;
    let lane = Lane::new(0);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await);
    }
    let primaries = cluster.primaries();
    let owner = *primaries.iter().find(|node| !keys(node, &config, "l*").is_empty()).unwrap();
    let target = *primaries.iter().find(|node| node.port() != owner.port()).unwrap();
    let lane_key = keys(owner, &config, "l*").pop().unwrap();
    let slot = owner.call(&["CLUSTER", "KEYSLOT", &lane_key]).unwrap().to_string();
    let name = |node: &RedisServer| node.call(&["CLUSTER", "MYID"]).unwrap().to_string();
    target.call(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &name(owner)]).unwrap();
    owner.call(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &name(target)]).unwrap();
    // All keys have moved, and the slot stays marked: the owner answers each call with ASK.
    let script = format!(
        "for _, k in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', {slot}, 1000)) do \
         redis.call('MIGRATE', '127.0.0.1', {}, k, 0, 5000) end",
        target.port()
    );
    owner.call(&["EVAL", &script, "0"]).unwrap();
    for (kind, host) in [("unknown-endpoint", ""), ("hostname", "?")] {
        owner.call(&["CONFIG", "SET", "cluster-preferred-endpoint-type", kind]).unwrap();
        let asked = owner.call(&["GET", &lane_key]).unwrap_err().to_string();
        assert!(asked.contains(&format!("ASK {slot} {host}:{}", target.port())), "{asked}");
        for id in &ids {
            assert!(store.load(*id).await.unwrap().is_some(), "{kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirections_without_a_host_are_followed() {
    let cluster = RedisCluster::start().unwrap();
    for kind in ["unknown-endpoint", "hostname"] {
        for node in cluster.nodes() {
            node.call(&["CONFIG", "SET", "cluster-preferred-endpoint-type", kind]).unwrap();
        }
        let config = config(&crate::cluster_url(&cluster), 8);
        let store = open(&with_budget(&config, LONG)).await;
        let mut ids = Vec::new();
        for lane in store.namespace().lanes().lanes() {
            let new = record(id_at(now(), lane), Ttl::from_hours(1), vec![]);
            ids.push(insert(&store, new).await);
        }
        // The former primary answers MOVED, with an empty host or `?`.
        block_in_place(|| cluster.hand_over(cluster.primaries()[0]).unwrap());
        for id in ids {
            assert!(store.load(id).await.unwrap().is_some(), "{kind}");
            let new = record(id_at(now(), id.lane()), Ttl::from_hours(1), vec![]);
            insert(&store, new).await;
        }
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_from_its_cluster_is_not_asked_for_the_route_again() {
    let node = RedisServer::builder().setting("cluster-enabled", "yes").start().unwrap();
    node.call(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).unwrap();
    until("the cluster is complete", || {
        node.call(&["CLUSTER", "INFO"]).unwrap().to_string().contains("cluster_state:ok")
    })
    .await;
    // The first node names itself as the primary of every slot, and answers no call.
    let own_port = Arc::new(AtomicU16::new(0));
    let named = Arc::clone(&own_port);
    let cut_off = Fake::start(move |words| match words[0].as_str() {
        "TIME" => list(&["1795000000", "0"]),
        "SCRIPT" => "*1\r\n:1\r\n".to_owned(),
        "CLUSTER" => {
            let port = named.load(Ordering::SeqCst);
            format!("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$0\r\n\r\n:{port}\r\n$1\r\nn\r\n")
        }
        "EVALSHA" => "-CLUSTERDOWN The cluster is down\r\n".to_owned(),
        _ => "-ERR unknown command\r\n".to_owned(),
    })
    .await;
    own_port.store(cut_off.port, Ordering::SeqCst);
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", cut_off.port, node.port());
    let store = open(&with_budget(&config(&url, 4), LONG)).await;
    try_insert(&store).await.unwrap();
}

/// Starts a program that is no Redis server, and returns its port.
async fn another_program() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    port
}

#[tokio::test]
async fn a_node_whose_address_another_program_has_now_does_not_hide_the_others() {
    let node = RedisServer::builder().setting("cluster-enabled", "yes").start().unwrap();
    node.call(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).unwrap();
    until("the cluster is complete", || {
        node.call(&["CLUSTER", "INFO"]).unwrap().to_string().contains("cluster_state:ok")
    })
    .await;
    let taken = another_program().await;
    let url = format!("redis+cluster://127.0.0.1:{taken},127.0.0.1:{}", node.port());
    let store = open(&with_budget(&config(&url, 4), LONG)).await;
    try_insert(&store).await.unwrap();
    // If the last one is away for a moment, the error is not that the settings are wrong.
    let hasty = open(&with_budget(&config(&url, 4), SHORT)).await;
    node.kill9();
    says(&hasty.stamp(Lane::new(0)).await.unwrap_err(), "store_unavailable", &[]);
}

#[tokio::test]
async fn a_sentinel_whose_address_another_program_has_now_is_one_that_is_away() {
    let server = RedisServer::start().unwrap();
    let taken = another_program().await;
    let port = server.port();
    let sentinel = || Fake::start(move |words| sentinel_answer(words, "127.0.0.1", port));
    let (first, second) = (sentinel().await, sentinel().await);
    let url = format!(
        "redis+sentinel://127.0.0.1:{taken},127.0.0.1:{},127.0.0.1:{}/main",
        first.port, second.port
    );
    let store = open(&with_budget(&config(&url, 1), SHORT)).await;
    try_insert(&store).await.unwrap();
    first.stop();
    let begun = std::time::Instant::now();
    let error = loop {
        if let Err(error) = try_insert(&store).await {
            break error;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "one of three is no majority");
    };
    assert_ne!(error.code(), "store_misconfigured", "{error}");
}
