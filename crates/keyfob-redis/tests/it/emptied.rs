//! A server that restarts empty: nodes of the lost namespace accept no token, and write nothing
//! into the new namespace.

use std::time::Duration;

use keyfob::limit::LimitStore;
use keyfob::store::prelude::*;
use keyfob::store::{Advance, EpochScope, Insert, Lane, Revoke, Severity, Verdict};
use keyfob::validation::{Consistency, ValidationChain};
use keyfob::{Error, Grant, Kind, Metrics, Subject, TokenManager, Ttl};
use keyfob_redis::{RedisConfig, RedisStore, WhenEmptied};
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::{RedisCluster, RedisServer};

use crate::support::*;

fn grant() -> Grant {
    Grant::new(Kind::Access).subject("alice")
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    outcome.expect_err("no decision").code().to_owned()
}

async fn lost(store: &impl Store) {
    let begun = std::time::Instant::now();
    while store.load(id_at(now(), Lane::new(0))).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the loss is not noticed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The lanes that exist, and the tags of their namespaces.
fn lanes(server: &RedisServer, config: &RedisConfig) -> Vec<(String, String)> {
    let tag = |key: String| {
        let tag = server.call(&["HGET", &key, "t"]).unwrap().to_string();
        (key, tag)
    };
    keys(server, config, "l{*").into_iter().map(tag).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_decide_by_two_namespaces() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 8);
    let before = TokenManager::new(open(&config).await);
    let old = before.issue(grant()).await.unwrap();
    before.validate_active(&old.bearer).await.unwrap();

    server.call(&["FLUSHALL"]).unwrap();
    let after = TokenManager::new(open(&config).await);
    // The node may issue only if it uses the namespace of the other node.
    let issued = before.issue(grant()).await;
    assert_eq!(code(issued.map(|issued| issued.token.id)), "namespace_lost");

    let new = after.issue(grant()).await.unwrap();
    let revoked = after.revoke_subject(&Subject::new("alice").unwrap(), "stolen").await;
    revoked.unwrap();
    assert_eq!(code(after.validate_active(&new.bearer).await), "token_revoked");
    for bearer in [&old.bearer, &new.bearer] {
        let strict = ValidationChain::new().consistency(Consistency::Strong);
        let decided = before.validate(bearer, &strict).await;
        assert_eq!(code(decided), "namespace_lost");
        assert_eq!(code(before.validate_active(bearer).await), "namespace_lost");
    }
    assert_eq!(code(before.revoke(new.token.id, "no").await), "namespace_lost");
    let subject = Subject::new("alice").unwrap();
    assert_eq!(code(before.revoke_subject(&subject, "no").await), "namespace_lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_writes_first_creates_nothing() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 8);
    // Without a listener, only the writes can detect the loss.
    let store = open(&config).await;
    let lane = Lane::new(3);
    insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    server.call(&["FLUSHALL"]).unwrap();
    let new = record(id_at(now(), lane), Ttl::from_hours(1), vec![]);
    let insert_one = Insert { records: vec![new.clone()], events: vec![] };
    let error = store.insert(operation(), insert_one).await.unwrap_err();
    assert_eq!(error.code(), "namespace_lost");
    assert!(error.to_string().contains("when_emptied=recreate"), "{error}");
    for scope in
        [EpochScope::All, EpochScope::Lane(lane, keyfob::store::EpochField::from_bytes([1; 8]))]
    {
        let advance = Advance::new(scope, now());
        let error = store.advance(operation(), advance).await.unwrap_err();
        assert_eq!(error.code(), "namespace_lost");
    }
    assert_eq!(store.stamp(lane).await.unwrap_err().code(), "namespace_lost");
    let meter = keyfob_testkit::limits::once(2);
    let charge = keyfob::limit::Charge::exactly(keyfob_testkit::limits::fresh_key(), meter, 1);
    assert_eq!(store.charge(&[charge]).await.unwrap_err().code(), "namespace_lost");
    assert_eq!(keys(&server, &config, "*"), Vec::<String>::new(), "the node wrote nothing");
    // So the next process finds a new store.
    let next = open(&config).await;
    insert(&next, new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_without_the_data_is_noticed_and_reported() {
    let server = RedisServer::builder().setting("save", "").start().unwrap();
    let recorder = MemoryRecorder::default();
    let config = config(&server.url(), 4).with_metrics(Metrics::on(&recorder));
    let store = std::sync::Arc::new(open(&config).await);
    let manager = TokenManager::builder(store.clone()).metrics(Metrics::none()).build();
    manager.issue(grant()).await.unwrap();
    let finding = |report: keyfob::store::StoreReport| {
        report.findings.into_iter().find(|finding| finding.what == "namespace").unwrap()
    };
    assert_eq!(finding(store.report().await.unwrap()).severity, Severity::Good);
    assert_eq!(recorder.value("keyfob_store_namespace_lost", []), 0.0);
    server.kill9();
    server.restart().unwrap();
    lost(&*store).await;
    assert_eq!(recorder.value("keyfob_store_namespace_lost", []), 1.0);
    assert_eq!(recorder.value("keyfob_store_namespace_losses_total", []), 1.0);
    let found = finding(store.report().await.unwrap());
    assert_eq!(found.severity, Severity::Fault);
    assert!(found.advice.contains("came back empty"), "{}", found.advice);

    let next = open(&config).await;
    insert(&next, record(id_at(now(), Lane::new(1)), Ttl::from_hours(1), vec![])).await;
    let found = finding(store.report().await.unwrap());
    assert_eq!(found.severity, Severity::Fault);
    assert!(found.advice.contains("another namespace has its name"), "{}", found.advice);
    assert_eq!(code(manager.issue(grant()).await.map(drop)), "namespace_lost");
    assert_eq!(
        recorder.value("keyfob_store_namespace_losses_total", []),
        1.0,
        "one loss is counted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_is_restored_is_used_again() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4);
    let manager = TokenManager::new(open(&config).await);
    let issued = manager.issue(grant()).await.unwrap();
    let meta = keys(&server, &config, "meta")[0].clone();
    server.call(&["RENAME", &meta, "kept"]).unwrap();
    until("the loss is noticed", || manager_is_lost(&manager, &issued.bearer)).await;
    server.call(&["RENAME", "kept", &meta]).unwrap();
    until("the namespace is used again", || !manager_is_lost(&manager, &issued.bearer)).await;
    manager.validate_active(&issued.bearer).await.unwrap();
}

fn manager_is_lost(manager: &TokenManager, bearer: &keyfob::BearerToken) -> bool {
    let decided = tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(manager.validate_active(bearer))
    });
    decided.is_err_and(|error| error.code() == "namespace_lost")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_may_recreate_the_namespace_continue() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4).when_emptied(WhenEmptied::Recreate);
    let managers = [TokenManager::new(open(&config).await), TokenManager::new(open(&config).await)];
    let old = managers[0].issue(grant()).await.unwrap();
    server.call(&["FLUSHALL"]).unwrap();
    let new = managers[0].issue(grant()).await.unwrap();
    until("both managers continue", || !manager_is_lost(&managers[1], &new.bearer)).await;
    for manager in &managers {
        manager.validate_active(&new.bearer).await.unwrap();
        assert_eq!(code(manager.validate_active(&old.bearer).await), "token_unknown");
    }
    let third = TokenManager::new(open(&config).await);
    third.revoke_subject(&Subject::new("alice").unwrap(), "stolen").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for manager in &managers {
        assert_eq!(code(manager.validate_active(&new.bearer).await), "token_revoked");
    }
}

#[tokio::test]
async fn lanes_of_an_older_version_are_taken_over_and_foreign_ones_begin_again() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let lane = Lane::new(0);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    let (key, tag) = lanes(&server, &config)[0].clone();
    server.call(&["HDEL", &key, "t"]).unwrap();
    let loaded = store.load(id).await.unwrap().unwrap();
    assert_eq!(loaded.verdict, Verdict::Clear, "a lane without a tag is read");
    insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    assert_eq!(
        lanes(&server, &config),
        [(key.clone(), tag.clone())],
        "the lane without a tag is written"
    );
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);

    server.call(&["HSET", &key, "t", "8 others"]).unwrap();
    let loaded = store.load(id).await.unwrap().unwrap();
    assert_eq!(loaded.verdict, Verdict::Damaged, "a lane of another namespace proves nothing");
    let next = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    assert_eq!(lanes(&server, &config), [(key, tag)], "the lane was created again");
    assert_eq!(store.load(next).await.unwrap().unwrap().verdict, Verdict::Clear);
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Damaged);
    let revoked = store.revoke(operation(), Revoke::new(next, now())).await.unwrap();
    assert_eq!(revoked, keyfob::store::Revoked::Now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_comes_back_empty_gets_the_namespace_from_the_others() {
    let cluster = RedisCluster::start().unwrap();
    let config = config(&crate::cluster_url(&cluster), 8);
    let store = open(&config).await;
    let mut ids = Vec::new();
    for lane in 0..8 {
        let new = record(id_at(now(), Lane::new(lane)), Ttl::from_hours(1), vec![]);
        ids.push(insert(&store, new).await);
    }
    let text = config.to_string();
    let meta = format!("{}:meta", text.split_once("namespace=").unwrap().1);
    for server in cluster.primaries() {
        if server.call(&["EXISTS", &meta]).is_ok_and(|reply| reply.to_string() == "1") {
            server.call(&["FLUSHALL"]).unwrap();
        }
    }
    // A command that only reads finds the namespace by the copies, and writes nothing.
    let reading = RedisStore::open(config.clone().with_create(false)).await.unwrap();
    assert!(reading.namespace().key() == store.namespace().key());
    let exists = || {
        let has_meta = |server: &&RedisServer| {
            server.call(&["EXISTS", &meta]).is_ok_and(|reply| reply.to_string() == "1")
        };
        cluster.primaries().iter().filter(|server| has_meta(server)).count()
    };
    assert_eq!(exists(), 0);
    // The running node and a new one continue with the same namespace.
    let opened = open(&config).await;
    assert!(opened.namespace().key() == store.namespace().key(), "the namespace is the same");
    assert_eq!(exists(), 1, "the meta key was written again");
    let mut found = 0;
    for id in &ids {
        let loads = [store.load(*id).await.unwrap(), opened.load(*id).await.unwrap()];
        let verdicts = loads.map(|loaded| loaded.map(|loaded| loaded.verdict));
        assert_eq!(verdicts[0], verdicts[1]);
        found += usize::from(verdicts[0] == Some(Verdict::Clear));
    }
    assert!((1..8).contains(&found), "the tokens of the other shards are there: {found}");
    for lane in 0..8 {
        let new = record(id_at(now(), Lane::new(lane)), Ttl::from_hours(1), vec![]);
        let id = insert(&store, new).await;
        assert_eq!(opened.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_comes_back_empty_loses_its_namespace() {
    let cluster = RedisCluster::start().unwrap();
    let config = config(&crate::cluster_url(&cluster), 8);
    let store = open(&config).await;
    for lane in 0..8 {
        insert(&store, record(id_at(now(), Lane::new(lane)), Ttl::from_hours(1), vec![])).await;
    }
    for server in cluster.primaries() {
        server.call(&["FLUSHALL"]).unwrap();
    }
    lost(&store).await;
    let next = open(&config).await;
    assert!(next.namespace().key() != store.namespace().key());
    let new = record(id_at(now(), Lane::new(1)), Ttl::from_hours(1), vec![]);
    let id = insert(&next, new).await;
    assert_eq!(store.load(id).await.unwrap_err().code(), "namespace_lost");
    assert_eq!(next.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_may_recreate_does_not_overwrite_another_namespace() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4).when_emptied(WhenEmptied::Recreate);
    let before = TokenManager::new(open(&config).await);
    let old = before.issue(grant()).await.unwrap();
    // The store is emptied and another process creates the namespace before the node looks.
    server.call(&["FLUSHALL"]).unwrap();
    let meta = format!("{}:meta", config.to_string().split_once("namespace=").unwrap().1);
    let other = format!("keyfob\u{2}\u{1}\0\u{4}{}\0\0\u{1}\0\0\0\0\0", "k".repeat(32));
    server.call(&["SET", &meta, &other]).unwrap();
    until("the other namespace is noticed", || manager_is_lost(&before, &old.bearer)).await;
    // It stays so: the node neither overwrites the namespace nor changes over to it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(manager_is_lost(&before, &old.bearer));
    let error = before.issue(grant()).await.unwrap_err();
    assert_eq!(error.code(), "namespace_lost");
    assert!(error.to_string().contains("start this node again"), "{error}");
    let after = TokenManager::new(open(&config).await);
    let new = after.issue(grant()).await.unwrap();
    after.validate_active(&new.bearer).await.unwrap();
    assert_eq!(code(after.validate_active(&old.bearer).await), "token_unknown");
}

#[tokio::test]
async fn a_store_that_may_not_be_created_only_makes_its_report() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4).with_create(false);
    let store = open(&config).await;
    let report = store.report().await.unwrap();
    let finding = report.findings.iter().find(|finding| finding.what == "namespace").unwrap();
    assert_eq!(finding.severity, Severity::Warning, "{finding:?}");
    let error = store.load(id_at(now(), Lane::new(0))).await.unwrap_err();
    assert_eq!(error.code(), "namespace_lost");
    assert_eq!(keys(&server, &config, "*"), Vec::<String>::new());
}
