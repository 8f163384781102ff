//! A stress test: many tasks use several nodes of one namespace concurrently, while the caller cuts
//! connections and kills servers. A record of all calls determines which tokens must be revoked.
//!
//! It checks:
//!
//! - After a revocation is acknowledged, no later validation accepts a token that it covers: on the
//!   node that revoked immediately, on the other nodes after the grace period.
//! - A call that changes a token or mints from it sees the revocation immediately, on every node.
//! - No token that was minted from a revoked token is active, whenever it was minted.
//! - A token that no revocation covers stays active. Refusing everything would be too easy.
//!
//! A write whose outcome is unknown may or may not have happened. Both are accepted.

mod choice;
mod expected;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob::{
    ClientId, Error, Grant, Kind, RevokeRequest, Subject, TokenManager, TokenState, UpdateRequest,
};

use choice::SeededChoice;
use expected::{Coverage, ExpectedStates, IssuedToken, RevocationScope};

/// How a config blows.
#[derive(Clone, Copy, Debug)]
pub struct StressTest {
    /// How many tasks act at once.
    pub tasks: usize,
    /// For how long.
    pub length: Duration,
    /// What each task's choices follow from.
    pub seed: u64,
    /// For how long after a revocation was acknowledged another node than the one that revoked may
    /// still say active: the bound of its cache, or nothing where it has none or where all nodes are
    /// within one process.
    pub grace: Duration,
}

/// What happened in a config. A test asserts that all of it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StressReport {
    /// Tokens issued.
    pub issued: u64,
    /// Tokens minted from others.
    pub minted: u64,
    /// Looks that found a token active.
    pub active: u64,
    /// Looks that found a token refused.
    pub refused: u64,
    /// Revocations and epochs acknowledged.
    pub revoked: u64,
    /// Calls that failed because of the store.
    pub failed: u64,
    /// Tokens that lived at the end.
    pub alive: u64,
    /// Tokens that were dead at the end.
    pub dead: u64,
}

#[derive(Default)]
struct StressCounters {
    issued: AtomicU64,
    minted: AtomicU64,
    active: AtomicU64,
    refused: AtomicU64,
    revoked: AtomicU64,
    failed: AtomicU64,
}

const SUBJECTS: u64 = 24;
const CLIENTS: u64 = 4;

/// Blows over the nodes and, when the time is up, looks at every token on every node. The caller
/// sees to it that the store can be reached again by then, and gives the nodes time to notice in
/// `healed`.
///
/// # Panics
/// When a node says active of what must be dead, or refuses what nothing was done to.
pub async fn run_stress_test(
    nodes: &[TokenManager],
    config: StressTest,
    healed: impl Future<Output = ()>,
) -> StressReport {
    let expected = Arc::new(ExpectedStates::new(config.grace));
    let counts = Arc::new(StressCounters::default());
    let end = tokio::time::Instant::now() + config.length;
    let tasks: Vec<_> = (0..config.tasks)
        .map(|task| {
            let worker = Worker {
                nodes: nodes.to_vec(),
                expected: expected.clone(),
                counts: counts.clone(),
                choice: SeededChoice::new(config.seed.wrapping_mul(1000).wrapping_add(task as u64)),
            };
            tokio::spawn(worker.run_until(end))
        })
        .collect();
    for task in tasks {
        task.await.expect("a task of the config found a broken promise");
    }
    healed.await;
    // The config may have ended with a revocation of everything: these come after it.
    for node in 0..nodes.len() {
        let choice = SeededChoice::new(config.seed);
        let (expected, counts) = (expected.clone(), counts.clone());
        let mut worker = Worker { nodes: nodes.to_vec(), expected, counts, choice };
        for _ in 0..8 {
            worker.issue(node).await;
        }
    }
    let mut report = StressReport {
        issued: counts.issued.load(Ordering::Relaxed),
        minted: counts.minted.load(Ordering::Relaxed),
        active: counts.active.load(Ordering::Relaxed),
        refused: counts.refused.load(Ordering::Relaxed),
        revoked: counts.revoked.load(Ordering::Relaxed),
        failed: counts.failed.load(Ordering::Relaxed),
        ..StressReport::default()
    };
    tokio::time::sleep(config.grace).await;
    validate_all(nodes, &expected, &mut report).await;
    report
}

async fn validate_all(
    nodes: &[TokenManager],
    expected: &ExpectedStates,
    report: &mut StressReport,
) {
    for token in expected.all() {
        let covered = expected.covered(&token);
        for (place, node) in nodes.iter().enumerate() {
            match (node.validate_active(&token.bearer).await, covered) {
                (Ok(_), Coverage::Revoked) => panic!("{} lives on node {place}", token.id),
                (Err(Error::Refused(refusal)), Coverage::NotRevoked) => {
                    panic!("{} is refused on node {place} for nothing: {refusal}", token.id)
                }
                (Ok(_), _) => report.alive += u64::from(place == 0),
                (Err(Error::Refused(_)), _) => report.dead += u64::from(place == 0),
                (Err(error), _) => panic!("node {place} does not answer after the config: {error}"),
            }
        }
    }
}

/// One task of a config.
struct Worker {
    nodes: Vec<TokenManager>,
    expected: Arc<ExpectedStates>,
    counts: Arc<StressCounters>,
    choice: SeededChoice,
}

impl Worker {
    async fn run_until(mut self, end: tokio::time::Instant) {
        while tokio::time::Instant::now() < end {
            let node = self.choice.below(self.nodes.len() as u64) as usize;
            match self.choice.below(1000) {
                0..250 => self.issue(node).await,
                250..400 => self.mint(node).await,
                400..800 => self.validate(node).await,
                800..870 => self.update(node).await,
                870..900 => self.touch(node).await,
                900..960 => self.revoke_one(node).await,
                960..975 => self.revoke_family(node).await,
                975..995 => self.revoke_subject(node).await,
                995..999 => self.revoke_client(node).await,
                _ => self.revoke_all(node).await,
            }
        }
    }

    fn subject(&mut self) -> Subject {
        Subject::new(format!("user{}", self.choice.below(SUBJECTS))).expect("a name is a subject")
    }

    fn client(&mut self) -> ClientId {
        ClientId::new(format!("client{}", self.choice.below(CLIENTS))).expect("a name is a client")
    }

    fn count(&self, which: impl Fn(&StressCounters) -> &AtomicU64) {
        which(&self.counts).fetch_add(1, Ordering::Relaxed);
    }

    async fn issue(&mut self, node: usize) {
        let (subject, client) = (self.subject(), self.client());
        let began = self.expected.next_tick();
        let grant = Grant::new(Kind::Session).subject(subject.clone()).client(client.clone());
        match self.nodes[node].issue(grant.scope("read")).await {
            Ok(issued) => {
                self.count(|counts| &counts.issued);
                self.expected.issued(IssuedToken {
                    id: issued.token.id,
                    bearer: issued.bearer,
                    line: vec![issued.token.id],
                    subject,
                    client,
                    began,
                    acknowledged: self.expected.next_tick(),
                });
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("a token was not issued: {error}"),
        }
    }

    async fn mint(&mut self, node: usize) {
        let Some(parent) = self.expected.any(&mut self.choice) else { return };
        if parent.line.len() >= 8 {
            return;
        }
        let surely_dead = self.expected.covered(&parent) == Coverage::Revoked;
        match self.nodes[node].mint(parent.id, Grant::new(Kind::Access).scope("read")).await {
            Ok(issued) => {
                assert!(!surely_dead, "{} was minted from dead {}", issued.token.id, parent.id);
                self.count(|counts| &counts.minted);
                let mut line = parent.line.clone();
                line.push(issued.token.id);
                // It has its root's stamp, so what covers the root covers it, whenever it was
                // minted.
                let (id, bearer) = (issued.token.id, issued.bearer);
                self.expected.issued(IssuedToken { id, bearer, line, ..parent });
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { .. }) => {}
            Err(error) => panic!("nothing was minted: {error}"),
        }
    }

    async fn validate(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let covered = self.expected.covered_for(node, &token);
        match self.nodes[node].validate_active(&token.bearer).await {
            Ok(_) => {
                assert_ne!(covered, Coverage::Revoked, "{} lives after its revocation", token.id);
                self.count(|counts| &counts.active);
            }
            Err(Error::Refused(_)) => self.count(|counts| &counts.refused),
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("a bearer was not judged: {error}"),
        }
    }

    async fn update(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let covered = self.expected.covered(&token);
        let tag = format!("t{}", self.choice.below(40));
        let change =
            |metadata: &mut keyfob::Metadata| metadata.tags.insert(tag.as_str().try_into()?);
        match self.nodes[node].update(token.id, UpdateRequest::new(), change).await {
            Ok(token) => {
                assert_ne!(covered, Coverage::Revoked, "dead {} was updated", token.id);
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { state, .. }) => assert_eq!(state, TokenState::Revoked),
            Err(Error::Contended { .. }) => {}
            Err(error) => panic!("a token was not updated: {error}"),
        }
    }

    async fn touch(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let covered = self.expected.covered(&token);
        match self.nodes[node].touch(token.id).await {
            Ok(()) => assert_ne!(covered, Coverage::Revoked, "dead {} was touched", token.id),
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { .. }) => {}
            Err(error) => panic!("a token was not touched: {error}"),
        }
    }

    async fn revoke_one(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let attempt = self.expected.begin(node, RevocationScope::Line(token.id));
        let outcome =
            self.nodes[node].revoke(token.id, RevokeRequest::reason("stress test")).await.map(drop);
        self.end(attempt, outcome);
    }

    async fn revoke_family(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let attempt = self.expected.begin(node, RevocationScope::Line(token.line[0]));
        let family = keyfob::values::FamilyId::from_root(token.line[0]);
        let outcome =
            self.nodes[node].revoke_family(family, RevokeRequest::reason("stress test")).await;
        self.end(attempt, outcome);
    }

    async fn revoke_subject(&mut self, node: usize) {
        let subject = self.subject();
        let attempt = self.expected.begin(node, RevocationScope::Subject(subject.clone()));
        let outcome =
            self.nodes[node].revoke_subject(&subject, RevokeRequest::reason("stress test")).await;
        self.end(attempt, outcome);
    }

    async fn revoke_client(&mut self, node: usize) {
        let client = self.client();
        let attempt = self.expected.begin(node, RevocationScope::Client(client.clone()));
        let outcome =
            self.nodes[node].revoke_client(&client, RevokeRequest::reason("stress test")).await;
        self.end(attempt, outcome);
    }

    async fn revoke_all(&mut self, node: usize) {
        let attempt = self.expected.begin(node, RevocationScope::All);
        let outcome = self.nodes[node].revoke_all(RevokeRequest::reason("stress test")).await;
        self.end(attempt, outcome);
    }

    fn end(&self, attempt: usize, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => {
                self.expected.acknowledged(attempt);
                self.count(|counts| &counts.revoked);
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("nothing was revoked: {error}"),
        }
    }
}
