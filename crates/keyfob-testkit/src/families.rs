//! Many tasks refresh families of tokens on several nodes: concurrent tabs, late retries, and at
//! the end an attacker.
//!
//! It checks:
//!
//! - all requests with the same bearer get the same pair, on every node and at any distance in time
//!   within the grace period; the family advances by one generation;
//! - a client that retries within the grace period is never logged out;
//! - only the newest bearer and the access token issued with it are valid;
//! - a bearer presented after the grace period ends its family; then no node accepts a token of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyfob::rotation::{GracePeriod, RefreshCase};
use keyfob::{
    BearerToken, Consistency, Error, Grant, Kind, RefreshPolicy, RefreshRequest, Refreshed,
    TokenManager, Ttl, ValidationChain,
};
use tokio::sync::Mutex;

/// The configuration: tasks, presentations and grace period.
#[derive(Clone, Copy, Debug)]
pub struct Families {
    /// The number of tasks. Every fifth task presents bearers of one shared family.
    pub tasks: usize,
    /// The total number of presentations. Each is sent to two nodes at the same time.
    pub rounds: usize,
    /// The grace period of the families.
    pub grace_period: Ttl,
}

/// The counters of a run. A test asserts that none of them is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FamiliesReport {
    /// Rotations.
    pub rotated: u64,
    /// Replays.
    pub replayed: u64,
    /// Refusals without effect.
    pub refused_in_window: u64,
    /// Families that the attacker ended.
    pub ended: u64,
}

#[derive(Default)]
struct FamilyCounters {
    rotated: AtomicU64,
    replayed: AtomicU64,
    refused_in_window: AtomicU64,
    ended: AtomicU64,
}

struct FamilyTest {
    nodes: Vec<TokenManager>,
    grace_period: Ttl,
    counts: FamilyCounters,
}

/// Runs all tasks, then the attacker.
///
/// # Panics
/// If one of these checks fails.
pub async fn refresh_many(nodes: &[TokenManager], families: Families) -> FamiliesReport {
    let Families { tasks, rounds, grace_period } = families;
    let test = Arc::new(FamilyTest {
        nodes: nodes.to_vec(),
        grace_period,
        counts: FamilyCounters::default(),
    });
    let shared = Arc::new(Mutex::new(test.family("shared").await));
    let each = rounds / tasks;
    let all = (0..tasks).map(|task| {
        let (test, shared) = (test.clone(), shared.clone());
        tokio::spawn(async move {
            if task % 5 == 0 {
                test.run_shared_family(task, each, &shared).await;
            } else {
                test.run_own_family(task, each).await;
            }
        })
    });
    for task in all.collect::<Vec<_>>() {
        task.await.expect("no task may panic");
    }
    let counts = &test.counts;
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    FamiliesReport {
        rotated: read(&counts.rotated),
        replayed: read(&counts.replayed),
        refused_in_window: read(&counts.refused_in_window),
        ended: read(&counts.ended),
    }
}

impl FamilyTest {
    async fn family(&self, subject: &str) -> BearerToken {
        let policy = RefreshPolicy::new().with_grace_period(GracePeriod::new(self.grace_period));
        let grant = Grant::new(Kind::Refresh).subject(subject).scope("read").refresh_policy(policy);
        self.nodes[0].issue(grant).await.expect("the store stores the token").bearer
    }

    fn node(&self, number: usize) -> &TokenManager {
        &self.nodes[number % self.nodes.len()]
    }

    async fn present(&self, node: usize, bearer: &BearerToken) -> Result<Refreshed, Error> {
        let outcome = self.node(node).refresh(bearer, RefreshRequest::new()).await;
        match &outcome {
            Ok(Refreshed { case: RefreshCase::Rotated, .. }) => &self.counts.rotated,
            Ok(_) => &self.counts.replayed,
            Err(error) if error.code() == "refused_in_window" => &self.counts.refused_in_window,
            Err(_) => return outcome,
        }
        .fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// A family that one task uses, in two tabs.
    async fn run_own_family(&self, task: usize, rounds: usize) {
        let stolen = self.family(&format!("user{task}")).await;
        let (mut older, mut newest) = (None::<BearerToken>, stolen.clone());
        for round in 0..rounds {
            let (one, other) = tokio::join!(
                self.present(task + round, &newest),
                self.present(task + round + 1, &newest),
            );
            let (one, other) = (
                one.expect("the first tab is answered"),
                other.expect("the second tab is answered"),
            );
            assert_eq!(one.access.bearer.expose(), other.access.bearer.expose());
            assert_eq!(one.refresh.bearer.expose(), other.refresh.bearer.expose());
            let generation = newest.generation().next();
            assert_eq!(
                Some(one.refresh.bearer.generation()),
                generation,
                "the family advances by one generation"
            );
            assert_ne!(one.case, other.case, "one request rotates, the other is a replay");
            if round % 8 == 0 {
                self.check_pair(task + round, &newest, &one).await;
                if let Some(older) = &older {
                    // One more retry of the previous request.
                    let late = self
                        .present(task + round, older)
                        .await
                        .expect_err("the retry is too late for a replay");
                    assert_eq!(late.code(), "refused_in_window");
                }
            }
            older = Some(std::mem::replace(&mut newest, one.refresh.bearer));
        }
        tokio::time::sleep(self.grace_period.as_duration()).await;
        let pair = self.present(task, &newest).await.expect("the owner can refresh");
        let attacker = self.present(task + 1, &stolen).await.expect_err("the attacker is refused");
        assert_eq!(attacker.code(), "reuse_detected");
        self.counts.ended.fetch_add(1, Ordering::Relaxed);
        for node in 0..self.nodes.len() {
            for bearer in [&stolen, &newest, &pair.refresh.bearer] {
                let refused = self.present(node, bearer).await.expect_err("the family has ended");
                assert_eq!(refused.code(), "family_ended");
            }
            assert!(
                !self.is_valid(node, &pair.access.bearer).await,
                "the access token must be refused after the family has ended"
            );
        }
    }

    /// A shared family. Each task presents the newest bearer that it has seen.
    async fn run_shared_family(&self, task: usize, rounds: usize, newest: &Mutex<BearerToken>) {
        for round in 0..rounds {
            let seen = newest.lock().await.clone();
            let (one, other) = tokio::join!(
                self.present(task + round, &seen),
                self.present(task + round + 1, &seen),
            );
            for outcome in [one, other] {
                match outcome {
                    Ok(pair) => {
                        let mut newest = newest.lock().await;
                        if pair.refresh.bearer.generation() > newest.generation() {
                            *newest = pair.refresh.bearer;
                        }
                    }
                    // Other tasks have rotated since then.
                    Err(error) => {
                        assert!(
                            ["refused_in_window", "contended"].contains(&error.code()),
                            "{error}"
                        );
                    }
                }
            }
        }
        let newest = newest.lock().await.clone();
        let alive = self.present(task, &newest).await;
        assert!(alive.is_ok() || alive.is_err_and(|error| error.code() == "refused_in_window"));
    }

    /// Checks that the tokens of the current pair are valid and those of the previous pair are not.
    async fn check_pair(&self, node: usize, retired: &BearerToken, pair: &Refreshed) {
        assert!(self.is_valid(node, &pair.access.bearer).await);
        assert!(self.is_valid(node, &pair.refresh.bearer).await);
        assert!(!self.is_valid(node, retired).await, "a retired bearer must be refused");
    }

    async fn is_valid(&self, node: usize, bearer: &BearerToken) -> bool {
        let chain = ValidationChain::new().consistency(Consistency::Strong);
        match self.node(node).validate(bearer, &chain).await {
            Ok(_) => true,
            Err(Error::Refused(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }
}
