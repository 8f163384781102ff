//! Families of refresh tokens under many tasks on several nodes: tabs that refresh at once, retries
//! that come late, and at the end a thief.
//!
//! What it holds the nodes to:
//!
//! - whoever presents the same bearer gets the same pair, on whatever nodes and however close
//!   together, and the family goes on by one generation;
//! - a client that retries within the window is never logged out;
//! - only the newest bearer validates, and the access token that came with it does;
//! - a bearer that comes back after the window ends its family, and then nothing of it is good on
//!   any node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyfob::rotation::{GracePeriod, RefreshCase};
use keyfob::{
    BearerToken, Consistency, Error, Grant, Kind, RefreshPolicy, RefreshRequest, Refreshed,
    TokenManager, Ttl, ValidationChain,
};
use tokio::sync::Mutex;

/// How many families there are, how many of the tasks share one, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Families {
    /// The tasks in all. Every fifth presents the bearers of one family that they share.
    pub tasks: usize,
    /// How often bearers are presented in all, each time to two nodes at once.
    pub rounds: usize,
    /// The window of the families.
    pub window: Ttl,
}

/// What happened. A test asserts that all of it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FamiliesReport {
    /// Families that went on by a generation.
    pub rotated: u64,
    /// Answers that were given again.
    pub replayed: u64,
    /// Refusals without effect.
    pub refused_in_window: u64,
    /// Families that a thief ended.
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
    window: Ttl,
    counts: FamilyCounters,
}

/// Lets all tasks present their bearers, then the thief.
///
/// # Panics
/// When a node breaks one of the promises above.
pub async fn refresh_many(nodes: &[TokenManager], families: Families) -> FamiliesReport {
    let Families { tasks, rounds, window } = families;
    let test =
        Arc::new(FamilyTest { nodes: nodes.to_vec(), window, counts: FamilyCounters::default() });
    let shared = Arc::new(Mutex::new(test.family("shared").await));
    let each = rounds / tasks;
    let all = (0..tasks).map(|task| {
        let (test, shared) = (test.clone(), shared.clone());
        tokio::spawn(async move {
            if task % 5 == 0 {
                test.share(task, each, &shared).await;
            } else {
                test.own(task, each).await;
            }
        })
    });
    for task in all.collect::<Vec<_>>() {
        task.await.expect("a task that keeps to the promises");
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
        let policy = RefreshPolicy::new().with_grace_period(GracePeriod::new(self.window));
        let grant = Grant::new(Kind::Refresh).subject(subject).scope("read").refresh_policy(policy);
        self.nodes[0].issue(grant).await.expect("a store that takes tokens").bearer
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

    /// A family of one's own, in two tabs.
    async fn own(&self, task: usize, rounds: usize) {
        let stolen = self.family(&format!("user{task}")).await;
        let (mut older, mut newest) = (None::<BearerToken>, stolen.clone());
        for round in 0..rounds {
            let (one, other) = tokio::join!(
                self.present(task + round, &newest),
                self.present(task + round + 1, &newest),
            );
            let (one, other) = (one.expect("a tab"), other.expect("another tab"));
            assert_eq!(one.access.bearer.expose(), other.access.bearer.expose());
            assert_eq!(one.refresh.bearer.expose(), other.refresh.bearer.expose());
            let generation = newest.generation().next();
            assert_eq!(Some(one.refresh.bearer.generation()), generation, "by one");
            assert_ne!(one.case, other.case, "one rotates, and the other is given the same");
            if round % 8 == 0 {
                self.look(task + round, &newest, &one).await;
                if let Some(older) = &older {
                    // One more retry, of the request before.
                    let late = self.present(task + round, older).await.expect_err("it is late");
                    assert_eq!(late.code(), "refused_in_window");
                }
            }
            older = Some(std::mem::replace(&mut newest, one.refresh.bearer));
        }
        tokio::time::sleep(self.window.as_duration()).await;
        let pair = self.present(task, &newest).await.expect("its owner");
        let thief = self.present(task + 1, &stolen).await.expect_err("a thief");
        assert_eq!(thief.code(), "reuse_detected");
        self.counts.ended.fetch_add(1, Ordering::Relaxed);
        for node in 0..self.nodes.len() {
            for bearer in [&stolen, &newest, &pair.refresh.bearer] {
                let refused = self.present(node, bearer).await.expect_err("a dead family");
                assert_eq!(refused.code(), "family_ended");
            }
            assert!(!self.is_good(node, &pair.access.bearer).await, "access outlives its family");
        }
    }

    /// A family that others present as well, each whatever it has seen last.
    async fn share(&self, task: usize, rounds: usize, newest: &Mutex<BearerToken>) {
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
                    // Others have gone on since.
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

    /// What of a pair is good, and what of the one before is not.
    async fn look(&self, node: usize, retired: &BearerToken, pair: &Refreshed) {
        assert!(self.is_good(node, &pair.access.bearer).await);
        assert!(self.is_good(node, &pair.refresh.bearer).await);
        assert!(!self.is_good(node, retired).await, "a retired bearer validates");
    }

    async fn is_good(&self, node: usize, bearer: &BearerToken) -> bool {
        let chain = ValidationChain::new().consistency(Consistency::Strong);
        match self.node(node).validate(bearer, &chain).await {
            Ok(_) => true,
            Err(Error::Refused(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }
}
