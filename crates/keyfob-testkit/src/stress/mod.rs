//! A stress test: many tasks use several nodes of one namespace concurrently, while the caller cuts
//! connections and kills servers. A record of all calls determines which tokens must be revoked.
//!
//! It checks:
//!
//! - After a revocation is acknowledged, no later validation accepts a token that it covers: on the
//!   node that revoked immediately, on the other nodes after the revocation delay.
//! - A call that changes a token or mints from it sees the revocation immediately, on every node.
//! - No token that was minted from a revoked token is active, whenever it was minted.
//! - A token that no revocation covers stays active. So a store that refuses everything fails.
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

/// The configuration of a stress test.
#[derive(Clone, Copy, Debug)]
pub struct StressTest {
    /// The number of concurrent tasks.
    pub tasks: usize,
    /// The duration.
    pub length: Duration,
    /// The seed of the random choices.
    pub seed: u64,
    /// How long another node may still accept a token after an acknowledged revocation: the max
    /// staleness of its cache, or zero if the node has no cache or all nodes are in one process.
    pub revocation_delay: Duration,
}

/// The counters of a stress test. A test asserts that none of them is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StressReport {
    /// Tokens issued.
    pub issued: u64,
    /// Tokens minted from others.
    pub minted: u64,
    /// Validations that accepted a token.
    pub active: u64,
    /// Validations that refused a token.
    pub refused: u64,
    /// Revocations and epochs acknowledged.
    pub revoked: u64,
    /// Calls that failed because of the store.
    pub failed: u64,
    /// Tokens that were active at the end.
    pub active_at_end: u64,
    /// Tokens that were refused at the end.
    pub refused_at_end: u64,
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

/// Runs the stress test on the nodes. At the end it validates every token on every node. `healed`
/// must complete after the store is reachable again and the nodes have recovered.
///
/// # Panics
/// If a node accepts a token that must be revoked, or refuses a token that nothing revoked.
pub async fn run_stress_test(
    nodes: &[TokenManager],
    config: StressTest,
    healed: impl Future<Output = ()>,
) -> StressReport {
    let expected = Arc::new(ExpectedStates::new(config.revocation_delay));
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
        task.await.expect("a task found a broken guarantee");
    }
    healed.await;
    // The test may have ended with a revocation of everything. These tokens are issued after it.
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
    tokio::time::sleep(config.revocation_delay).await;
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
        for (index, node) in nodes.iter().enumerate() {
            match (node.validate_active(&token.bearer).await, covered) {
                (Ok(_), Coverage::Revoked) => {
                    panic!("{} is still active on node {index}", token.id)
                }
                (Err(Error::Refused(refusal)), Coverage::NotRevoked) => {
                    panic!(
                        "{} is refused on node {index} without a revocation: {refusal}",
                        token.id
                    )
                }
                (Ok(_), _) => report.active_at_end += u64::from(index == 0),
                (Err(Error::Refused(_)), _) => report.refused_at_end += u64::from(index == 0),
                (Err(error), _) => panic!("node {index} does not answer after the test: {error}"),
            }
        }
    }
}

/// One task of a stress test.
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
        Subject::new(format!("user{}", self.choice.below(SUBJECTS)))
            .expect("the name is a valid subject")
    }

    fn client(&mut self) -> ClientId {
        ClientId::new(format!("client{}", self.choice.below(CLIENTS)))
            .expect("the name is a valid client id")
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
            Err(error) => panic!("an issue failed: {error}"),
        }
    }

    async fn mint(&mut self, node: usize) {
        let Some(parent) = self.expected.any(&mut self.choice) else { return };
        if parent.line.len() >= 8 {
            return;
        }
        let surely_revoked = self.expected.covered(&parent) == Coverage::Revoked;
        match self.nodes[node].mint(parent.id, Grant::new(Kind::Access).scope("read")).await {
            Ok(issued) => {
                assert!(
                    !surely_revoked,
                    "{} was minted from the revoked {}",
                    issued.token.id, parent.id
                );
                self.count(|counts| &counts.minted);
                let mut line = parent.line.clone();
                line.push(issued.token.id);
                // A minted token has the stamp of its root, so a revocation that covers the root
                // also covers it.
                let (id, bearer) = (issued.token.id, issued.bearer);
                self.expected.issued(IssuedToken { id, bearer, line, ..parent });
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { .. }) => {}
            Err(error) => panic!("a mint failed: {error}"),
        }
    }

    async fn validate(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let covered = self.expected.covered_for(node, &token);
        match self.nodes[node].validate_active(&token.bearer).await {
            Ok(_) => {
                assert_ne!(
                    covered,
                    Coverage::Revoked,
                    "{} is still active after its revocation",
                    token.id
                );
                self.count(|counts| &counts.active);
            }
            Err(Error::Refused(_)) => self.count(|counts| &counts.refused),
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("a validation failed: {error}"),
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
                assert_ne!(covered, Coverage::Revoked, "the revoked {} was updated", token.id);
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { state, .. }) => assert_eq!(state, TokenState::Revoked),
            Err(Error::Contended { .. }) => {}
            Err(error) => panic!("an update failed: {error}"),
        }
    }

    async fn touch(&mut self, node: usize) {
        let Some(token) = self.expected.any(&mut self.choice) else { return };
        let covered = self.expected.covered(&token);
        match self.nodes[node].touch(token.id).await {
            Ok(()) => {
                assert_ne!(covered, Coverage::Revoked, "the revoked {} was touched", token.id);
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { .. }) => {}
            Err(error) => panic!("a touch failed: {error}"),
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
            Err(error) => panic!("a revocation failed: {error}"),
        }
    }
}
