//! A primary is lost before its replica has the last revocations, and the process that made them has ended.
//! Any other node sends them again.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::store::prelude::*;
use keyfob::store::{Cursor, InvalidationListener, Lane, Revoke, Verdict};
use keyfob::{ClientId, Grant, Issued, Kind, RevokeRequest, Subject, TokenId, TokenManager, Ttl};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::proxy::{Faults, Proxy};
use keyfob_testkit::redis::{RedisServer, fresh_namespace};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::support::{code, id_at, insert, now, open, operation, record, until_code};

/// A primary and its replica, with a proxy between them and one in front of the primary.
struct Pair {
    old: RedisServer,
    new: RedisServer,
    replication: Proxy,
    front: Proxy,
    namespace: String,
}

impl Pair {
    async fn start() -> Self {
        let [old, new] = block_in_place(|| [(); 2].map(|()| RedisServer::start().unwrap()));
        let replication = Proxy::to_port(old.port()).await.unwrap();
        let front = Proxy::to_port(old.port()).await.unwrap();
        let pair = Self { old, new, replication, front, namespace: fresh_namespace() };
        block_in_place(|| {
            let port = pair.replication.port().to_string();
            pair.new.call(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
        });
        pair
    }

    fn config_for_port(&self, port: u16) -> RedisConfig {
        let namespace = &self.namespace;
        format!("redis://127.0.0.1:{port}?namespace={namespace}&lanes=4").parse().unwrap()
    }

    fn wait_until_copied(&self) {
        block_in_place(|| self.old.wait_until_copied_to(&self.new)).unwrap();
    }

    /// From now on, the replica gets nothing.
    fn stop_replication(&self) {
        self.wait_until_copied();
        self.replication.set(Faults { refuse: true, ..Faults::default() });
        // The replica connects again as soon as it is cut off.
        let port = self.replication.port();
        block_in_place(|| while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {});
        self.replication.cut();
    }

    /// The primary is gone, and the address leads to the replica.
    fn fail_over(&self) {
        block_in_place(|| {
            self.old.kill9();
            self.new.call(&["REPLICAOF", "NO", "ONE"]).unwrap();
        });
        self.front.lead_to(SocketAddr::from((Ipv4Addr::LOCALHOST, self.new.port())));
        self.front.cut();
    }
}

async fn issue(manager: &TokenManager, grant: Grant) -> Issued {
    manager.issue(grant).await.unwrap()
}

/// The number of events with this type that a node finds.
async fn events(manager: &TokenManager, name: &str) -> usize {
    let page = manager.events(&Cursor::start(), 1_000).await.unwrap();
    page.events.iter().filter(|event| event.0.what.as_str() == name).count()
}

/// Asks for the tokens without a pause. Panics if one is accepted. Returns when all were refused as revoked.
async fn never_active(manager: &TokenManager, tokens: &[&Issued]) {
    let begun = Instant::now();
    for issued in tokens {
        loop {
            match code(manager, issued).await.as_str() {
                "token_revoked" => break,
                "active" => panic!("accepted {:?} after the failover", begun.elapsed()),
                code => {
                    let is_undecided = ["store_", "address_"].iter().any(|it| code.starts_with(it));
                    assert!(is_undecided, "{code}");
                }
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "it is not refused");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_process_that_has_ended_is_sent_again_by_any_node_that_heard_of_it() {
    let pair = Pair::start().await;
    let living = TokenManager::new(open(&pair.config_for_port(pair.front.port())).await);
    let grant = |subject: &str| Grant::new(Kind::Session).subject(subject);
    let by_id = issue(&living, grant("alice")).await;
    let of_subject = issue(&living, grant("bob")).await;
    let of_client = issue(&living, grant("carol").client("app")).await;
    let kept = issue(&living, grant("dave")).await;
    for issued in [&by_id, &of_subject, &of_client, &kept] {
        until_code(&living, issued, "active").await;
    }
    pair.stop_replication();

    // A command revokes, and its process ends.
    let command = TokenManager::new(open(&pair.config_for_port(pair.old.port())).await);
    let why = || RevokeRequest::reason("stolen").by("ops");
    command.revoke(by_id.token.id, why()).await.unwrap();
    command.revoke_subject(&Subject::new("bob").unwrap(), why()).await.unwrap();
    command.revoke_client(&ClientId::new("app").unwrap(), why()).await.unwrap();
    command.shutdown().await;
    drop(command);
    let revoked = [&by_id, &of_subject, &of_client];
    for issued in revoked {
        until_code(&living, issued, "token_revoked").await;
    }
    pair.fail_over();

    never_active(&living, &revoked).await;
    // A node that knows nothing of it refuses them too, and gives the reason.
    let started = TokenManager::new(open(&pair.config_for_port(pair.new.port())).await);
    for issued in revoked {
        until_code(&started, issued, "token_revoked").await;
        assert_eq!(code(&started, &kept).await, "active");
    }
    let token = started.get(by_id.token.id).await.unwrap();
    let mark = token.revocation.as_ref().unwrap();
    assert_eq!(mark.reason.as_ref().unwrap().as_str(), "stolen");
    assert_eq!(events(&started, "keyfob.token.revoked").await, 1);
    assert_eq!(events(&started, "keyfob.epoch.advanced").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_send_it_again_and_it_is_applied_once() {
    let pair = Pair::start().await;
    let config = pair.config_for_port(pair.front.port());
    let [one, two] = [open(&config).await, open(&config).await].map(TokenManager::new);
    let bob = Subject::new("bob").unwrap();
    let session = async || issue(&one, Grant::new(Kind::Session).subject("bob")).await;
    let first = session().await;
    until_code(&two, &first, "active").await;
    // This one reaches the replica. The login that follows it must stay.
    one.revoke_subject(&bob, "first").await.unwrap();
    let second = session().await;
    one.revoke_subject(&bob, "second").await.unwrap();
    let third = session().await;
    pair.wait_until_copied();
    let lost = issue(&one, Grant::new(Kind::Access)).await;
    until_code(&two, &lost, "active").await;
    pair.stop_replication();
    one.revoke(lost.token.id, "lost").await.unwrap();
    until_code(&two, &lost, "token_revoked").await;
    pair.fail_over();

    for manager in [&one, &two] {
        never_active(manager, &[&first, &second, &lost]).await;
    }
    // Longer than nodes need to find the new primary.
    sleep(Duration::from_millis(2_500)).await;
    for manager in [&one, &two] {
        assert_eq!(code(manager, &third).await, "active");
    }
    assert_eq!(events(&two, "keyfob.epoch.advanced").await, 2);
    assert_eq!(events(&two, "keyfob.token.revoked").await, 1);
}

/// Everything is revoked in each lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_everything_is_sent_again_to_every_lane() {
    let pair = Pair::start().await;
    let living = TokenManager::new(open(&pair.config_for_port(pair.front.port())).await);
    let mut tokens = Vec::new();
    for number in 0..12 {
        let grant = Grant::new(Kind::Session).subject(format!("user{number}"));
        tokens.push(issue(&living, grant).await);
    }
    let lanes: std::collections::BTreeSet<_> =
        tokens.iter().map(|issued| issued.token.id.lane()).collect();
    assert!(lanes.len() > 1);
    until_code(&living, &tokens[0], "active").await;
    pair.stop_replication();
    let command = TokenManager::new(open(&pair.config_for_port(pair.old.port())).await);
    command.revoke_all("breach").await.unwrap();
    command.shutdown().await;
    drop(command);
    until_code(&living, &tokens[0], "token_revoked").await;
    pair.fail_over();
    let all: Vec<_> = tokens.iter().collect();
    never_active(&living, &all).await;
    let started = TokenManager::new(open(&pair.config_for_port(pair.new.port())).await);
    for issued in &all {
        until_code(&started, issued, "token_revoked").await;
    }
    assert_eq!(events(&started, "keyfob.epoch.advanced").await, 1);
}

/// A store that knows a revocation, and a new primary that lacks it and refuses to take it.
struct Refusing {
    pair: Pair,
    store: RedisStore,
    id: TokenId,
    _listener: Arc<InvalidationListener>,
}

impl Refusing {
    async fn start() -> Self {
        let pair = Pair::start().await;
        let [connect, response, whole] = [1_000, 1_000, 500].map(Duration::from_millis);
        let config = pair.config_for_port(pair.front.port());
        let store = open(&config.with_timeouts(connect, response, whole)).await;
        // What is known about the servers stays recent, so that a load waits for nothing but its answer.
        let lanes = store.namespace().lanes();
        let listener = InvalidationListener::new(lanes, Ttl::from_secs(60));
        store.watch(&listener);
        let id = id_at(now(), Lane::new(1));
        insert(&store, record(id, Ttl::from_hours(1), vec![])).await;
        pair.stop_replication();
        store.revoke(operation(), Revoke::new(id, now())).await.unwrap();
        let refusing = Self { pair, store, id, _listener: listener };
        refusing.refuse_writes(true);
        refusing.pair.fail_over();
        refusing.until_refused().await;
        refusing
    }

    fn refuse_writes(&self, refuse: bool) {
        let replicas = if refuse { "1" } else { "0" };
        let set = ["CONFIG", "SET", "min-replicas-to-write", replicas];
        block_in_place(|| self.pair.new.call(&set)).unwrap();
    }

    /// Loads until that fails because the new primary takes no revocation. Then there is a connection to it.
    async fn until_refused(&self) {
        let begun = Instant::now();
        loop {
            let error = self.store.load(self.id).await.expect_err("nothing was lost").to_string();
            if ["NOREPLICAS", "recent revocations"].iter().any(|it| error.contains(it)) {
                return;
            }
            assert!(begun.elapsed().as_secs() < 15, "{error}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Loads until there is an answer. It has to be that the record is revoked.
    async fn is_revoked(&self) {
        let begun = Instant::now();
        loop {
            match self.store.load(self.id).await {
                Ok(loaded) => {
                    let verdict = loaded.unwrap().verdict;
                    return assert!(matches!(verdict, Verdict::Revoked(_)), "{verdict:?}");
                }
                Err(error) => assert!(begun.elapsed().as_secs() < 15, "{error}"),
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Its answer is older than the revocation there, however late it is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_from_before_it_was_sent_again_does_not_count() {
    let refusing = Refusing::start().await;
    let Refusing { pair, store, id, .. } = &refusing;
    pair.front.set(Faults { stall_replies: true, ..Faults::default() });
    let mut early = pin!(store.load(*id));
    assert!(timeout(Duration::from_millis(100), &mut early).await.is_err(), "it was answered");
    // This load is executed by now. The revocation follows it on the same connection.
    refusing.refuse_writes(false);
    pair.front.heal();
    refusing.is_revoked().await;
    let verdict = early.await.unwrap().unwrap().verdict;
    assert!(matches!(verdict, Verdict::Revoked(_)), "{verdict:?}");
}
