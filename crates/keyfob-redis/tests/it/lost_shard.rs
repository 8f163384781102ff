//! A cluster with one unreachable shard.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::Duration;

use keyfob::store::{
    Advance, Cursor, EpochScope, Feed, Finding, Lane, Namespace, Order, Query, Severity,
    StoreError, Term, Verdict,
};
use keyfob::validation::{Consistency, ValidationChain};
use keyfob::{
    CacheConfig, ClientId, Error, Filter, Grant, Issued, Kind, Paging, Subject, TokenId,
    TokenManager, Ttl,
};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisCluster, RedisServer};

use crate::support::*;

/// A cluster with a store of 12 lanes. The shard of the first lane can be stopped.
pub(crate) struct Cluster {
    servers: RedisCluster,
    pub(crate) config: RedisConfig,
    namespace: Namespace,
    stopped: Vec<u16>,
    /// The lanes on the shard that can be stopped.
    pub(crate) lanes_there: Vec<Lane>,
}

/// Where the meta key of the namespace is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetaKey {
    OnTheStoppedShard,
    Elsewhere,
}

impl Cluster {
    pub(crate) async fn start(meta_key: MetaKey) -> Self {
        let servers = tokio::task::block_in_place(|| RedisCluster::start().unwrap());
        for node in servers.nodes() {
            // Otherwise the other shards refuse all calls while one is stopped.
            node.call(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).unwrap();
        }
        let timeouts = [500, 250, 900].map(Duration::from_millis);
        let config = loop {
            let config = config(&crate::cluster_url(&servers), 12);
            let namespace = config.to_string().split_once("namespace=").unwrap().1.to_owned();
            let meta = format!("{namespace}:meta");
            let slot = servers.nodes()[0].call(&["CLUSTER", "KEYSLOT", &meta]).unwrap().number();
            if (slot < 5_000) == (meta_key == MetaKey::OnTheStoppedShard) {
                break config.with_timeouts(timeouts[0], timeouts[1], timeouts[2]);
            }
        };
        let store = open(&config).await;
        let shard = servers.primaries()[0];
        let mut lanes_there = Vec::new();
        for lane in store.namespace().lanes().lanes() {
            store.stamp(lane).await.unwrap();
            let known = lanes_there.len();
            if keys(shard, &config, "l*").len() > known {
                lanes_there.push(lane);
            }
        }
        assert_eq!(lanes_there[0], Lane::default(), "the first lane is in the lowest slots");
        assert!((2..12).contains(&lanes_there.len()), "{lanes_there:?}");
        let replicas = servers.replicas_of(shard);
        let stopped = [shard].into_iter().chain(replicas).map(RedisServer::port).collect();
        let namespace = store.namespace().clone();
        Self { servers, config, namespace, stopped, lanes_there }
    }

    fn shard(&self) -> impl Iterator<Item = &RedisServer> {
        self.servers.nodes().iter().filter(|node| self.stopped.contains(&node.port()))
    }

    /// The primary of the shard that can be stopped.
    pub(crate) fn first_of_shard(&self) -> &RedisServer {
        self.shard().find(|node| self.stopped.first() == Some(&node.port())).unwrap()
    }

    pub(crate) fn stop_shard(&self) {
        self.shard().for_each(|node| node.pause().unwrap());
    }

    pub(crate) fn resume_shard(&self) {
        self.shard().for_each(|node| node.resume().unwrap());
    }

    pub(crate) fn is_there(&self, lane: Lane) -> bool {
        self.lanes_there.contains(&lane)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shard().for_each(|node| drop(node.resume()));
    }
}

async fn one_in_each_lane(store: &RedisStore, terms: &[Term]) -> Vec<TokenId> {
    let mut ids = Vec::new();
    for lane in store.namespace().lanes().lanes() {
        let new = record(id_at(now(), lane), Ttl::from_hours(1), terms.to_vec());
        ids.push(insert(store, new).await);
    }
    ids
}

async fn is_revoked(store: &RedisStore, id: TokenId) -> bool {
    matches!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Revoked(_))
}

async fn until_revoked(store: &RedisStore, ids: &[TokenId]) {
    let begun = std::time::Instant::now();
    for id in ids {
        loop {
            match store.load(*id).await {
                Ok(Some(loaded)) if matches!(loaded.verdict, Verdict::Revoked(_)) => break,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            assert!(
                begun.elapsed() < Duration::from_secs(40),
                "no node finished the advance: {id}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reachable_lanes_are_revoked_and_any_node_finishes_the_advance() {
    let cluster = Cluster::start(MetaKey::Elsewhere).await;
    // This node was running before and does not revoke.
    let witness = open(&cluster.config).await;
    let revoking = open(&cluster.config).await;
    let ids = one_in_each_lane(&witness, &[]).await;
    let (there, elsewhere): (Vec<_>, Vec<_>) =
        ids.iter().copied().partition(|id| cluster.is_there(id.lane()));

    cluster.stop_shard();
    let operation = operation();
    let events = vec![b"all is revoked".to_vec()];
    let advance = Advance { note: b"why".to_vec(), events, ..Advance::new(EpochScope::All, now()) };
    let error = revoking.advance(operation, advance.clone()).await.unwrap_err();
    assert_eq!(error.code(), "partly_applied", "{error}");
    let StoreError::PartlyApplied { operation: id, applied, pending } = error else { panic!() };
    assert_eq!(id, operation.id);
    assert_eq!(usize::from(applied), elsewhere.len());
    assert_eq!(pending, cluster.lanes_there);
    for id in &elsewhere {
        assert!(is_revoked(&witness, *id).await, "{id} is on a living shard");
    }
    // The revoking node has stopped. Another node finishes the advance.
    revoking.close().await;
    drop(revoking);
    // A token issued in the meantime, in a lane that is already advanced, stays valid.
    let lane = elsewhere[0].lane();
    let later = insert(&witness, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;

    cluster.resume_shard();
    until_revoked(&witness, &there).await;
    assert_eq!(witness.load(later).await.unwrap().unwrap().verdict, Verdict::Clear);
    // No key of the advance is left, and the event was written once.
    let begun = std::time::Instant::now();
    let tables = || {
        let primaries = cluster.servers.primaries();
        primaries.into_iter().map(|node| keys(node, &cluster.config, "w*").len()).sum::<usize>()
    };
    while tables() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the advance is still stored");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let happened = witness.entries(Feed::Events, &Cursor::start(), 100).await.unwrap().entries;
    let event_count = happened.iter().filter(|entry| entry.body == b"all is revoked").count();
    assert_eq!(event_count, 1, "the advance writes one event");
    assert_eq!(
        witness.advance(operation, advance).await.unwrap().lanes,
        12,
        "the operation is complete"
    );
    assert_eq!(witness.load(later).await.unwrap().unwrap().verdict, Verdict::Clear);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_counts_and_sweeps_report_missing_lanes() {
    let cluster = Cluster::start(MetaKey::Elsewhere).await;
    let store = Arc::new(open(&cluster.config).await);
    let manager = TokenManager::new(Arc::clone(&store));
    let client = ClientId::new("web").unwrap();
    let mut ids = Vec::new();
    for number in 0..60 {
        let grant = Grant::new(Kind::Access).subject(format!("user{number}")).client("web");
        ids.push(manager.issue(grant.tag("beta")).await.unwrap().token.id);
    }
    let elsewhere = ids.iter().filter(|id| !cluster.is_there(id.lane())).count();
    assert!((1..60).contains(&elsewhere), "both shards have tokens: {elsewhere}");
    let filter = Filter::new().tag("beta");

    cluster.stop_shard();
    for order in [Order::NewestFirst, Order::NextToExpire] {
        let term = tag(&store, "beta");
        let query = Query { term, lane: None, order, after: None, limit: 100 };
        let page = store.query(&query).await.unwrap();
        assert_eq!(page.missing, cluster.lanes_there);
        assert_eq!(page.records.len(), elsewhere);
        assert_eq!(page.complete().unwrap_err().code(), "lanes_unreachable");
        // A list of only that lane fails.
        let query = Query { lane: Some(cluster.lanes_there[0]), ..query };
        assert_eq!(store.query(&query).await.unwrap_err().code(), "store_unavailable");
    }
    let page = manager.list(&filter, Paging::new(100)).await.unwrap();
    assert_eq!((page.tokens.len(), page.missing_lanes), (elsewhere, cluster.lanes_there.clone()));
    assert_eq!(manager.count(&filter).await.unwrap_err().code(), "lanes_unreachable");
    let stats = manager.stats().await.unwrap();
    assert_eq!(stats.total().active, elsewhere as u64);
    assert_eq!(stats.missing_lanes, cluster.lanes_there);

    let mut sweep = manager.sweep(filter.clone(), "end of beta");
    assert_eq!(sweep.dry_run().await.unwrap_err().code(), "lanes_unreachable");
    let error = sweep.run(|_| {}).await.unwrap_err();
    assert_eq!(error.code(), "lanes_unreachable", "{error}");
    assert_eq!(sweep.progress().revoked, elsewhere as u64);
    assert_eq!(sweep.progress().missing_lanes, cluster.lanes_there);
    // A client is revoked in all reachable lanes.
    let error = manager.revoke_client(&client, "leaked").await.unwrap_err();
    let Error::Store(StoreError::PartlyApplied { applied, pending, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (usize::from(applied), pending.len()),
        (12 - pending.len(), cluster.lanes_there.len())
    );

    cluster.resume_shard();
    let there: Vec<_> = ids.into_iter().filter(|id| cluster.is_there(id.lane())).collect();
    until_revoked(&store, &there).await;
    // The sweep starts again, and finds no remaining token.
    let done = sweep.run(|_| {}).await.unwrap();
    assert_eq!((done.revoked, done.missing_lanes.len()), (elsewhere as u64, 0));
}

/// Validates, issues and revokes in the lanes of the living shards. Returns the tokens that stay active.
async fn work(cluster: &Cluster, manager: &TokenManager, old: &[Issued]) -> Vec<Issued> {
    let strict = ValidationChain::new().consistency(Consistency::Strong);
    for issued in old.iter().filter(|issued| !cluster.is_there(issued.token.id.lane())) {
        manager.validate(&issued.bearer, &strict).await.unwrap();
        manager.validate_active(&issued.bearer).await.unwrap();
    }
    let mut new = Vec::new();
    for number in 0..60 {
        let subject = Subject::new(format!("late{number}")).unwrap();
        if !cluster.is_there(cluster.namespace.lane_of(&subject)) {
            let grant = Grant::new(Kind::Access).subject(subject.as_str());
            new.push(manager.issue(grant).await.unwrap());
        }
    }
    assert!(new.len() > 10);
    manager.revoke(new[0].token.id, "stolen").await.unwrap();
    let refused = manager.validate(&new[0].bearer, &strict).await.unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
    new.split_off(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_continue_while_the_shard_of_the_meta_key_is_away() {
    let cluster = Cluster::start(MetaKey::OnTheStoppedShard).await;
    let [before, feedless] = [(); 2].map(|()| cluster.config.clone());
    // One node has a feed, the other one loads each token.
    let running = TokenManager::new(open(&before).await);
    let feedless = TokenManager::builder(open(&feedless).await).cache(CacheConfig::OFF).build();
    let mut old = Vec::new();
    for number in 0..40 {
        let grant = Grant::new(Kind::Access).subject(format!("user{number}"));
        old.push(running.issue(grant).await.unwrap());
    }
    running.validate_active(&old[0].bearer).await.unwrap();

    cluster.stop_shard();
    // All that was seen before the shard stopped is too old by now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let alive = old.iter().find(|issued| !cluster.is_there(issued.token.id.lane())).unwrap();
    for _ in 0..10 {
        let begun = std::time::Instant::now();
        running.validate_active(&alive.bearer).await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(700), "nothing waits for the lost shard");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let first = work(&cluster, &running, &old).await;
    work(&cluster, &feedless, &first).await;
    let gone = old.iter().find(|issued| cluster.is_there(issued.token.id.lane())).unwrap();
    let error = running.validate_active(&gone.bearer).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");

    // A process that starts meanwhile knows the namespace by its copies.
    // It first asks the addresses in turn, so it needs more time than the others.
    let [connect, response, budget] = [500, 250, 3_000].map(Duration::from_millis);
    let config = cluster.config.clone().with_timeouts(connect, response, budget);
    let started = TokenManager::new(open(&config).await);
    let strict = ValidationChain::new().consistency(Consistency::Strong);
    started.validate(&alive.bearer, &strict).await.unwrap();
    let report = started.report().await.unwrap();
    let faults = |what: &str| {
        let is_fault =
            |finding: &&Finding| finding.severity == Severity::Fault && finding.what == what;
        report.findings.iter().filter(is_fault).count()
    };
    assert_eq!(
        [faults("reachable"), faults("namespace"), faults("copies")],
        [1, 1, 1],
        "{report:?}"
    );

    // All lanes that can be reached are revoked, and a node finishes it.
    let error = started.revoke_all("breach").await.unwrap_err();
    let Error::Store(StoreError::PartlyApplied { applied, pending, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((usize::from(applied), &pending), (12 - pending.len(), &cluster.lanes_there));
    let refused = started.validate(&alive.bearer, &strict).await.unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
    cluster.resume_shard();
    let store = open(&cluster.config).await;
    until_revoked(&store, &old.iter().map(|issued| issued.token.id).collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_gets_its_copies_and_different_ones_are_written_again() {
    let servers = tokio::task::block_in_place(|| RedisCluster::start().unwrap());
    let config = config(&crate::cluster_url(&servers), 12);
    let store = open(&config).await;
    let copies = || {
        let of_server = |server: &RedisServer| {
            let copies = keys(server, &config, "m{*");
            let value = |key: String| (server.call(&["GET", &key]).unwrap().to_string(), key);
            copies.into_iter().map(value).collect::<Vec<_>>()
        };
        servers.primaries().into_iter().flat_map(of_server).collect::<Vec<_>>()
    };
    let are_equal = || {
        let found = copies();
        found.len() == 12 && found.iter().all(|(value, _)| *value == found[0].0)
    };
    assert!(are_equal(), "each lane has a copy");
    // A store of an older version has none.
    for server in servers.primaries() {
        for key in keys(server, &config, "m{*") {
            server.call(&["DEL", &key]).unwrap();
        }
    }
    let opened = open(&config).await;
    assert!(opened.namespace().key() == store.namespace().key());
    assert!(are_equal(), "opening the store writes the copies");
    // Copies of another namespace, on a server whose heartbeats read them, not the meta key.
    let has_meta = |server: &&RedisServer| !keys(server, &config, "meta").is_empty();
    let server = servers.primaries().into_iter().find(|server| !has_meta(server)).unwrap();
    for key in keys(server, &config, "m{*") {
        server.call(&["SET", &key, "of another namespace"]).unwrap();
    }
    let listener = keyfob::store::InvalidationListener::new(
        opened.namespace().lanes(),
        Ttl::from_millis(250).unwrap(),
    );
    opened.watch(&listener);
    until("the running node writes it again", are_equal).await;
    for lane in store.namespace().lanes().lanes() {
        let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
        assert_eq!(opened.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
    }
}
