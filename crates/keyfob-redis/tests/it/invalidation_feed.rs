//! The invalidation feed: what it reports, to which listeners, and which servers it listens to.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::Duration;

use keyfob::seal::KeyVersion;
use keyfob::store::{
    Advance, Consume, EpochField, EpochScope, Invalidation, InvalidationListener, Lane, LaneCount,
    MonotonicInstant, Replace, Replaced, Revoke, Revoked, Verdict,
};
use keyfob::{TokenId, Ttl};
use keyfob_redis::{RedisStore, WhenEmptied};
use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::redis::{RedisCluster, RedisSentinel, RedisServer};

use tokio::task::block_in_place;

use crate::fake::{Fake, sentinel_answer};
use crate::support::*;

const LANES: u16 = 8;
const MAX_STALENESS: Ttl = Ttl::from_secs(1);

fn add_listener(store: &RedisStore, max_staleness: Ttl) -> Arc<InvalidationListener> {
    let listener = InvalidationListener::new(store.namespace().lanes(), max_staleness);
    store.watch(&listener);
    listener
}

fn trusts_all(listener: &InvalidationListener, lanes: u16) -> bool {
    (0..lanes).all(|lane| listener.is_trusted(Lane::new(lane)))
}

async fn until_trusted(listener: &InvalidationListener) {
    until("every lane is trusted", || trusts_all(listener, LANES)).await;
}

async fn new_token(store: &RedisStore, lane: Lane) -> TokenId {
    insert(store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await
}

fn revocation(id: TokenId, cascade: Option<EpochField>) -> Revoke {
    Revoke { note: b"why".to_vec(), cascade, ..Revoke::new(id, now()) }
}

fn advance(scope: EpochScope) -> Advance {
    Advance::new(scope, now())
}

/// The listener of a node that did nothing itself, and a way to see what it is notified of: what
/// was loaded before is no longer current, and what was loaded of anything else is.
struct ChangeProbe {
    listener: Arc<InvalidationListener>,
    before: keyfob::store::LoadVersion,
}

impl ChangeProbe {
    fn from_now(listener: &Arc<InvalidationListener>) -> Self {
        Self { listener: Arc::clone(listener), before: listener.load_version() }
    }

    fn of(&self, lane: Lane, change: Invalidation) -> bool {
        let cell = match change {
            Invalidation::Record(local) => vec![keyfob::store::InvalidationSlot::of_record(local)],
            Invalidation::Field(field) => vec![keyfob::store::InvalidationSlot::of_field(field)],
            Invalidation::All => vec![],
        };
        !self.listener.is_current(lane, self.before, cell)
    }

    fn nothing(&self) -> bool {
        self.listener.load_version() == self.before
    }
}

#[tokio::test]
async fn each_store_method_reports_what_it_changed_and_nothing_else() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), LANES);
    let (here, there) = (open(&config).await, open(&config).await);
    let listener = add_listener(&there, Ttl::from_secs(60));
    until_trusted(&listener).await;
    let (lane, other) = (Lane::new(2), Lane::new(3));
    let settled = || tokio::time::sleep(Duration::from_millis(50));

    let probe = ChangeProbe::from_now(&listener);
    let ids = [new_token(&here, lane).await, new_token(&here, lane).await];
    let counted = keyfob::store::NewRecord {
        uses_left: Some(3),
        ..record(id_at(now(), lane), Ttl::from_hours(1), vec![])
    };
    let counted = insert(&here, counted).await;
    here.touch(&[keyfob::store::LastUse::new(ids[0], now())]).await.unwrap();
    here.consume(operation(), Consume { id: counted }).await.unwrap();
    here.stamp(other).await.unwrap();
    here.load(ids[0]).await.unwrap();
    settled().await;
    assert!(probe.nothing(), "inserts, touches and uses are not reported");

    let probe = ChangeProbe::from_now(&listener);
    let replace = |read| Replace {
        id: ids[0],
        read,
        body: vec![1],
        key: KeyVersion::PLAINTEXT,
        added_terms: vec![tag(&here, "new")],
        minted: vec![],
        ends_at: None,
        clear: None,
        events: vec![],
    };
    let version = here.load(ids[0]).await.unwrap().unwrap().version;
    let replaced = here.replace(operation(), replace(version)).await.unwrap();
    assert!(matches!(replaced, Replaced::Stored(_)));
    until("a replacement is reported", || probe.of(lane, Invalidation::of(ids[0]))).await;
    assert!(!probe.of(lane, Invalidation::of(ids[1])) && !probe.of(other, Invalidation::All));
    let probe = ChangeProbe::from_now(&listener);
    assert_eq!(here.replace(operation(), replace(version)).await.unwrap(), Replaced::Stale);
    settled().await;
    assert!(probe.nothing(), "a replacement that was not made is not reported");

    let probe = ChangeProbe::from_now(&listener);
    here.revoke(operation(), revocation(ids[0], None)).await.unwrap();
    until("a revocation is reported", || probe.of(lane, Invalidation::of(ids[0]))).await;
    assert!(!probe.of(lane, Invalidation::of(ids[1])));
    let probe = ChangeProbe::from_now(&listener);
    here.revoke(operation(), revocation(ids[0], None)).await.unwrap();
    here.revoke(operation(), revocation(id_at(now(), lane), None)).await.unwrap();
    settled().await;
    assert!(probe.nothing(), "a record that was revoked before, or is missing, is not reported");

    let cascade = here.namespace().ancestor_epoch(ids[1]);
    let probe = ChangeProbe::from_now(&listener);
    here.revoke(operation(), revocation(ids[1], Some(cascade))).await.unwrap();
    until("its epoch is reported", || probe.of(lane, Invalidation::Field(cascade))).await;
    assert!(probe.of(lane, Invalidation::of(ids[1])), "in the same push");

    let field = EpochField::from_bytes([9; 8]);
    let probe = ChangeProbe::from_now(&listener);
    here.advance(operation(), advance(EpochScope::Lane(lane, field))).await.unwrap();
    until("an epoch is reported", || probe.of(lane, Invalidation::Field(field))).await;
    assert!(!probe.of(lane, Invalidation::All));
    let probe = ChangeProbe::from_now(&listener);
    here.advance(operation(), advance(EpochScope::All)).await.unwrap();
    until("all lanes are reported", || {
        (0..LANES).all(|n| probe.of(Lane::new(n), Invalidation::All))
    })
    .await;
    assert!(trusts_all(&listener, LANES), "all lanes stay trusted");
    assert!(keys(&server, &config, "x*").is_empty(), "signals leave nothing");
}

#[tokio::test]
async fn the_own_node_is_notified_before_the_store_method_returns() {
    let proxy = Proxy::to_port(keyfob_testkit::redis::server().port()).await.unwrap();
    let store = open(&config(&format!("redis://127.0.0.1:{}", proxy.port()), LANES)).await;
    let listener = add_listener(&store, Ttl::from_secs(60));
    until_trusted(&listener).await;
    let lane = Lane::new(1);
    for _ in 0..50 {
        let id = new_token(&store, lane).await;
        let probe = ChangeProbe::from_now(&listener);
        store.revoke(operation(), revocation(id, None)).await.unwrap();
        assert!(probe.of(lane, Invalidation::of(id)));
    }
    let id = new_token(&store, lane).await;
    proxy.stall();
    let probe = ChangeProbe::from_now(&listener);
    let gave_up = store.revoke(operation(), revocation(id, None));
    tokio::time::timeout(Duration::from_millis(20), gave_up).await.unwrap_err();
    assert!(
        probe.of(lane, Invalidation::of(id)),
        "the listener is notified even if the caller stops waiting"
    );
    let probe = ChangeProbe::from_now(&listener);
    store.revoke(operation(), revocation(id, None)).await.unwrap_err();
    assert!(probe.of(lane, Invalidation::of(id)), "the listener is notified for every outcome");
}

#[tokio::test]
async fn silence_ends_the_trust_and_keeps_the_cache_until_there_is_a_new_connection() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let config = config(&format!("redis://127.0.0.1:{}", proxy.port()), LANES);
    let store = open(&config.when_emptied(WhenEmptied::Recreate)).await;
    let listener = add_listener(&store, Ttl::from_millis(200).unwrap());
    until_trusted(&listener).await;
    let lane = Lane::new(0);
    let before = listener.load_version();
    server.pause().unwrap();
    let paused = MonotonicInstant::now();
    while listener.is_trusted(lane) {
        assert!(
            MonotonicInstant::now() < paused.after(listener.max_staleness()),
            "the maximum staleness is kept"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.resume().unwrap();
    until_trusted(&listener).await;
    assert!(listener.is_current(lane, before, []), "a pause invalidates nothing");

    proxy.leave_half_open();
    let lost = MonotonicInstant::now();
    while listener.is_trusted(lane) {
        assert!(
            MonotonicInstant::now() < lost.after(listener.max_staleness()),
            "the maximum staleness is kept"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    until_trusted(&listener).await;
    assert!(!listener.is_current(lane, before, []), "a new connection invalidates");

    let before = listener.load_version();
    server.call(&["FLUSHALL"]).unwrap();
    until("it was flushed", || !listener.is_current(lane, before, [])).await;
    let before = listener.load_version();
    server.restart().unwrap();
    until("it was restarted", || !listener.is_current(lane, before, [])).await;
    until_trusted(&listener).await;
    drop(store);
    assert!(
        !listener.is_trusted(lane) || {
            tokio::time::sleep(listener.max_staleness()).await;
            !listener.is_trusted(lane)
        }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_follows_the_sentinels_to_the_new_primary() {
    let group = RedisSentinel::start(1).unwrap();
    let config = config(&crate::sentinel_url(&group), LANES);
    let (here, there) = (open(&config).await, open(&config).await);
    let listener = add_listener(&there, MAX_STALENESS);
    until_trusted(&listener).await;
    let id = new_token(&here, Lane::new(3)).await;
    block_in_place(|| group.servers()[0].wait_until_copied_to(&group.servers()[1])).unwrap();
    let before = listener.load_version();
    block_in_place(|| {
        group.servers()[0].kill9();
        group.wait_for_another_than(Some(group.servers()[0].port())).map(drop).unwrap();
    });
    until_trusted(&listener).await;
    assert!(!listener.is_current(id.lane(), before, []), "the new primary is another");
    let probe = ChangeProbe::from_now(&listener);
    here.revoke(operation(), revocation(id, None)).await.unwrap();
    until("the new primary reports it", || probe.of(id.lane(), Invalidation::of(id))).await;
}

#[tokio::test]
async fn without_a_majority_of_sentinels_no_lane_is_trusted() {
    let server = RedisServer::start().unwrap();
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        let port = server.port();
        sentinels.push(Fake::start(move |words| sentinel_answer(words, "127.0.0.1", port)).await);
    }
    let listed: Vec<_> =
        sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
    let store = open(&config(&format!("redis+sentinel://{}/it", listed.join(",")), LANES)).await;
    let listener = add_listener(&store, Ttl::from_millis(250).unwrap());
    until_trusted(&listener).await;
    sentinels[0].stop();
    tokio::time::sleep(Duration::from_millis(500)).await;
    until_trusted(&listener).await;
    sentinels[1].stop();
    let stopped = MonotonicInstant::now();
    until("the trust ends", || !listener.is_trusted(Lane::new(0))).await;
    assert!(MonotonicInstant::now() < stopped.after(listener.max_staleness() * 2), "{stopped:?}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!listener.is_trusted(Lane::new(0)), "though the server answers every heartbeat");
}

/// Returns the lane whose keys are in the slots of a primary.
fn lane_at(config: &keyfob_redis::RedisConfig, primary: &RedisServer) -> Option<Lane> {
    let found = keys(primary, config, "l*");
    let owned = primary.call(&["CLUSTER", "KEYSLOT", found.first()?]).unwrap().number();
    (0..LANES).map(Lane::new).find(|lane| {
        // Lane L of N is in the L-th of N stripes of the slots.
        owned / (16_384 / i64::from(LANES)) == i64::from(lane.number())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_follows_lanes_that_move_and_nodes_that_go() {
    let cluster = RedisCluster::start().unwrap();
    let config = config(&crate::cluster_url(&cluster), LANES);
    let (here, there) = (open(&config).await, open(&config).await);
    for lane in LaneCount::new(LANES).unwrap().lanes() {
        new_token(&here, lane).await;
    }
    let listener = add_listener(&there, MAX_STALENESS);
    until_trusted(&listener).await;

    // A slot moves step by step, as in a resharding.
    let (from, to) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    let lane = lane_at(&config, from).unwrap();
    let key = keys(from, &config, "l*").remove(0);
    let slot = from.call(&["CLUSTER", "KEYSLOT", &key]).unwrap().to_string();
    let id_of = |node: &RedisServer| node.call(&["CLUSTER", "MYID"]).unwrap().to_string();
    let (from_id, to_id) = (id_of(from), id_of(to));
    to.call(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).unwrap();
    from.call(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).unwrap();
    let port = to.port().to_string();
    // Key names contain bytes that are not text, so a script on the server moves the keys.
    let script = "local keys = redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 1000) \
        for _, key in ipairs(keys) do \
        redis.call('MIGRATE', '127.0.0.1', ARGV[2], key, 0, 5000) end return #keys";
    let moved = from.call(&["EVAL", script, "1", &key, &slot, &port]);
    let moved = moved.map(|moved| moved.number());
    assert!(moved.as_ref().is_ok_and(|moved| *moved > 0), "{moved:?}");
    until("a lane that is being moved is not trusted", || !listener.is_trusted(lane)).await;
    let others = || (0..LANES).map(Lane::new).filter(|other| *other != lane);
    until("the others are", || others().all(|other| listener.is_trusted(other))).await;
    let before = listener.load_version();
    for node in [to, from, &cluster.nodes()[2]] {
        node.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).unwrap();
    }
    until_trusted(&listener).await;
    assert!(!listener.is_current(lane, before, []), "the lane has another primary");
    let id = new_token(&here, lane).await;
    let probe = ChangeProbe::from_now(&listener);
    here.revoke(operation(), revocation(id, None)).await.unwrap();
    until("the new primary reports it", || probe.of(lane, Invalidation::of(id))).await;

    // A server is killed, and its replica takes over.
    let lost = &cluster.nodes()[2];
    let lane = lane_at(&config, lost).unwrap();
    lost.kill9();
    until("its lanes are not trusted", || !listener.is_trusted(lane)).await;
    until_trusted(&listener).await;
    let id = new_token(&here, lane).await;
    let probe = ChangeProbe::from_now(&listener);
    here.revoke(operation(), revocation(id, None)).await.unwrap();
    until("the replica reports it", || probe.of(lane, Invalidation::of(id))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_that_a_failover_lost_are_sent_again() {
    let group = RedisSentinel::start(1).unwrap();
    let config = config(&crate::sentinel_url(&group), LANES);
    let (here, there) = (open(&config).await, open(&config).await);
    let lanes = [Lane::new(1), Lane::new(4)];
    let ids = [new_token(&here, lanes[0]).await, new_token(&here, lanes[1]).await];
    let (old, replica) = (&group.servers()[0], &group.servers()[1]);
    block_in_place(|| old.wait_until_copied_to(replica)).unwrap();
    // The replica does not receive what follows: its connection is cut, and it is stopped until its
    // primary is killed. Stopping alone would leave the writes in its socket.
    replica.pause().unwrap();
    old.call(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
    let revoked = here.revoke(operation(), revocation(ids[0], None)).await.unwrap();
    assert_eq!(revoked, Revoked::Now);
    here.advance(operation(), advance(EpochScope::All)).await.unwrap();
    old.kill9();
    replica.resume().unwrap();
    block_in_place(|| {
        group.wait_for_another_than(Some(old.port())).map(drop).unwrap();
    });
    for id in ids {
        let begun = std::time::Instant::now();
        loop {
            // Loaded by a node that revoked nothing.
            let verdict = there.load(id).await.ok().flatten().map(|loaded| loaded.verdict);
            if matches!(verdict, Some(Verdict::Revoked(_))) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{id} is valid: {verdict:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
