//! Rotation in every order in which the steps of concurrent requests can reach a store: the real
//! manager over a store that yields to another request before each store method.
//!
//! Scenarios of two requests run in all orders. The scenario of three requests runs in some
//! thousands of orders, chosen with few switches between requests. Two managers act as two nodes.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod interleaved;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::{
    CacheConfig, Error, Filter, Grant, Issued, Kind, RefreshPolicy, RefreshRequest, Refreshed,
    RevokeRequest, SessionPolicy, Timestamp, TokenManager, TokenState, Ttl, WhenFull,
};
use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{DfsScheduler, PctScheduler, Scheduler};

use interleaved::Interleaved;

/// One store with two nodes on it.
#[derive(Clone)]
struct World {
    nodes: [TokenManager; 2],
    clock: ManualClock,
    store: Arc<Interleaved>,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
        let store = Arc::new(Interleaved::new(clock.clone()));
        let sessions = SessionPolicy::new(1, WhenFull::RetireOldest).unwrap();
        let node = |seed| {
            TokenManager::builder(store.clone())
                .clock(clock.clone())
                .random(SeededRandom::new(seed))
                .observations_per_second(0)
                .cache(CacheConfig::OFF)
                .sessions(sessions)
                .build()
        };
        let nodes = [node(1), node(2)];
        Self { nodes, clock, store }
    }

    async fn family(&self) -> Issued {
        let grant = Grant::new(Kind::Refresh).subject("user123").scope("read");
        self.nodes[0].issue(grant).await.unwrap()
    }

    /// Starts a request at a node in its own task.
    fn refresh(&self, node: usize, issued: &Issued) -> Answer {
        let (manager, bearer) = (self.nodes[node].clone(), issued.bearer.clone());
        spawn(async move { manager.refresh(&bearer, RefreshRequest::new()).await })
    }

    async fn live(&self) -> u64 {
        let live = Filter::new().state(TokenState::Active);
        self.nodes[0].count(&live).await.unwrap()
    }
}

type Answer = shuttle::future::JoinHandle<Result<Refreshed, Error>>;

fn pair(refreshed: &Refreshed) -> [String; 2] {
    [&refreshed.access, &refreshed.refresh].map(|issued| issued.bearer.expose().to_owned())
}

/// Runs a scenario in every order of its steps. Only the steps of concurrent requests are
/// interleaved; the code before and after them is not.
fn in_every_order<F: Future<Output = ()> + Send + 'static>(
    min_orders: usize,
    scenario: impl Fn(World) -> F + Send + Sync + 'static,
) {
    let orders = run(DfsScheduler::new(None, false), scenario);
    assert!(orders >= min_orders, "only {orders} orders");
}

/// Runs a scenario in some thousands of orders, the same in each run.
fn in_many_orders<F: Future<Output = ()> + Send + 'static>(
    scenario: impl Fn(World) -> F + Send + Sync + 'static,
) {
    run(PctScheduler::new_from_seed(7, 4, 3_000), scenario);
}

fn run<F: Future<Output = ()> + Send + 'static>(
    scheduler: impl Scheduler + 'static,
    scenario: impl Fn(World) -> F + Send + Sync + 'static,
) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Background tasks of managers are spawned there and never run.
    let _entered = runtime.enter();
    let orders = Arc::new(AtomicUsize::new(0));
    let count = orders.clone();
    let mut config = shuttle::Config::new();
    // The futures of a manager need more stack than the default of 32 KiB.
    config.stack_size = 256 * 1024;
    shuttle::Runner::new(scheduler, config).run(move || {
        count.fetch_add(1, Ordering::Relaxed);
        block_on(scenario(World::new()));
    });
    orders.load(Ordering::Relaxed)
}

#[test]
fn two_tabs_get_the_same_pair_on_one_node_and_on_two() {
    for other in [0, 1] {
        in_every_order(10, move |world| async move {
            let first = world.family().await;
            world.store.interleave(true);
            let tabs = [world.refresh(0, &first), world.refresh(other, &first)];
            let mut pairs = Vec::new();
            for tab in tabs {
                pairs.push(pair(&tab.await.unwrap().unwrap()));
            }
            world.store.interleave(false);
            assert_eq!(pairs[0], pairs[1]);
            // One rotation, one access token, and the family is still valid.
            assert_eq!(world.live().await, 2);
            let token = world.nodes[1].get(first.token.id).await.unwrap();
            assert_eq!(token.generation.number(), 1);
        });
    }
}

#[test]
fn three_that_retry_get_the_same_pair() {
    // All orders of three requests take more than a minute.
    in_many_orders(|world| async move {
        let first = world.family().await;
        world.store.interleave(true);
        let all = [0, 1, 1].map(|node| world.refresh(node, &first));
        let mut pairs = Vec::new();
        for one in all {
            pairs.push(pair(&one.await.unwrap().unwrap()));
        }
        world.store.interleave(false);
        assert!(pairs.iter().all(|other| *other == pairs[0]));
        assert_eq!(world.live().await, 2);
    });
}

#[test]
fn a_late_retry_does_not_end_a_rotated_family() {
    in_every_order(10, |world| async move {
        let first = world.family().await;
        let second = block_on(world.refresh(0, &first)).unwrap().unwrap().refresh;
        world.store.interleave(true);
        let late = world.refresh(1, &first);
        let next = world.refresh(0, &second);
        let third = next.await.unwrap().unwrap().refresh;
        match late.await.unwrap() {
            Ok(again) => assert_eq!(again.refresh.bearer.expose(), second.bearer.expose()),
            Err(refused) => assert_eq!(refused.code(), "refused_in_window"),
        }
        world.store.interleave(false);
        assert!(block_on(world.refresh(1, &third)).unwrap().is_ok());
    });
}

#[test]
fn no_token_of_a_revoked_family_is_valid_even_if_minted_concurrently() {
    in_every_order(10, |world| async move {
        let first = world.family().await;
        world.store.interleave(true);
        let refreshing = world.refresh(0, &first);
        let (node, family) = (world.nodes[1].clone(), first.token.family.unwrap());
        let revoking =
            spawn(async move { node.revoke_family(family, RevokeRequest::default()).await });
        let answer = refreshing.await.unwrap();
        revoking.await.unwrap().unwrap();
        world.store.interleave(false);
        assert_eq!(world.live().await, 0);
        match answer {
            Ok(pair) => {
                let refused = block_on(world.refresh(0, &pair.refresh)).unwrap().unwrap_err();
                assert_eq!(refused.code(), "family_ended");
            }
            Err(refused) => assert_eq!(refused.code(), "family_ended"),
        }
    });
}

#[test]
fn tokens_minted_by_a_replay_are_revoked_with_the_family() {
    in_every_order(10, |world| async move {
        let first = world.family().await;
        block_on(world.refresh(0, &first)).unwrap().unwrap();
        world.store.interleave(true);
        let (node, bearer) = (world.nodes[0].clone(), first.bearer.clone());
        let short = RefreshRequest::new().access_ttl(Ttl::from_mins(1));
        let replaying = spawn(async move { node.refresh(&bearer, short).await });
        let (node, family) = (world.nodes[1].clone(), first.token.family.unwrap());
        let revoking =
            spawn(async move { node.revoke_family(family, RevokeRequest::default()).await });
        if let Err(refused) = replaying.await.unwrap() {
            assert_eq!(refused.code(), "family_ended");
        }
        revoking.await.unwrap().unwrap();
        world.store.interleave(false);
        assert_eq!(world.live().await, 0);
    });
}

#[test]
fn late_reuse_ends_the_family_in_every_order() {
    in_every_order(10, |world| async move {
        let stolen = world.family().await;
        let second = block_on(world.refresh(0, &stolen)).unwrap().unwrap().refresh;
        let window = RefreshPolicy::default().grace_period.length().unwrap();
        world.clock.advance(window);
        world.store.interleave(true);
        let thief = world.refresh(1, &stolen);
        let owner = world.refresh(0, &second);
        let refused = thief.await.unwrap().unwrap_err();
        assert_eq!(refused.code(), "reuse_detected");
        if let Err(refused) = owner.await.unwrap() {
            assert_eq!(refused.code(), "family_ended");
        }
        world.store.interleave(false);
        assert_eq!(world.live().await, 0);
    });
}

#[test]
fn two_concurrent_logins_leave_one_session() {
    in_every_order(100, |world| async move {
        let session = || Grant::new(Kind::Session).subject("user123");
        world.nodes[0].issue(session()).await.unwrap();
        world.clock.advance(Ttl::from_secs(1));
        world.store.interleave(true);
        let logins =
            world.nodes.clone().map(|node| spawn(async move { node.issue(session()).await }));
        for login in logins {
            login.await.unwrap().unwrap();
        }
        world.store.interleave(false);
        assert_eq!(world.live().await, 1);
    });
}
