//! A storm: many tasks that do everything at once on several nodes of one namespace, while the
//! caller cuts connections and kills servers, and a ledger that knows what must be dead.
//!
//! What it holds the nodes to:
//!
//! - once a revocation was acknowledged, no later look at what it covers says active: at once on the
//!   node that revoked, and on the others once the storm's grace is over;
//! - and whatever changes a token or mints from it knows at once, wherever;
//! - nothing that was minted from what was revoked lives, whenever it was minted;
//! - and what nothing was done to lives: refusing everything would be too easy.
//!
//! A write whose outcome is unknown may have happened or not; the ledger holds neither against the
//! nodes.

mod dice;
mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob::{
    ClientId, Error, Grant, Kind, RevokeRequest, Subject, TokenManager, TokenState, UpdateRequest,
};

use dice::Dice;
use ledger::{Covered, Known, Ledger, Reach};

/// How a storm blows.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
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

/// What happened in a storm. A test asserts that all of it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StormReport {
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
struct Counts {
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
pub async fn blow(
    nodes: &[TokenManager],
    storm: Storm,
    healed: impl Future<Output = ()>,
) -> StormReport {
    let ledger = Arc::new(Ledger::new(storm.grace));
    let counts = Arc::new(Counts::default());
    let end = tokio::time::Instant::now() + storm.length;
    let tasks: Vec<_> = (0..storm.tasks)
        .map(|task| {
            let actor = Actor {
                nodes: nodes.to_vec(),
                ledger: ledger.clone(),
                counts: counts.clone(),
                dice: Dice::new(storm.seed.wrapping_mul(1000).wrapping_add(task as u64)),
            };
            tokio::spawn(actor.act_until(end))
        })
        .collect();
    for task in tasks {
        task.await.expect("a task of the storm found a broken promise");
    }
    healed.await;
    // The storm may have ended with a revocation of everything: these come after it.
    for node in 0..nodes.len() {
        let dice = Dice::new(storm.seed);
        let (ledger, counts) = (ledger.clone(), counts.clone());
        let mut actor = Actor { nodes: nodes.to_vec(), ledger, counts, dice };
        for _ in 0..8 {
            actor.issue(node).await;
        }
    }
    let mut report = StormReport {
        issued: counts.issued.load(Ordering::Relaxed),
        minted: counts.minted.load(Ordering::Relaxed),
        active: counts.active.load(Ordering::Relaxed),
        refused: counts.refused.load(Ordering::Relaxed),
        revoked: counts.revoked.load(Ordering::Relaxed),
        failed: counts.failed.load(Ordering::Relaxed),
        ..StormReport::default()
    };
    tokio::time::sleep(storm.grace).await;
    look_at_all(nodes, &ledger, &mut report).await;
    report
}

async fn look_at_all(nodes: &[TokenManager], ledger: &Ledger, report: &mut StormReport) {
    for known in ledger.all() {
        let covered = ledger.covered(&known);
        for (place, node) in nodes.iter().enumerate() {
            match (node.validate_active(&known.bearer).await, covered) {
                (Ok(_), Covered::Surely) => panic!("{} lives on node {place}", known.id),
                (Err(Error::Refused(refusal)), Covered::No) => {
                    panic!("{} is refused on node {place} for nothing: {refusal}", known.id)
                }
                (Ok(_), _) => report.alive += u64::from(place == 0),
                (Err(Error::Refused(_)), _) => report.dead += u64::from(place == 0),
                (Err(error), _) => panic!("node {place} does not answer after the storm: {error}"),
            }
        }
    }
}

/// One task of a storm.
struct Actor {
    nodes: Vec<TokenManager>,
    ledger: Arc<Ledger>,
    counts: Arc<Counts>,
    dice: Dice,
}

impl Actor {
    async fn act_until(mut self, end: tokio::time::Instant) {
        while tokio::time::Instant::now() < end {
            let node = self.dice.below(self.nodes.len() as u64) as usize;
            match self.dice.below(1000) {
                0..250 => self.issue(node).await,
                250..400 => self.mint(node).await,
                400..800 => self.look(node).await,
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
        Subject::new(format!("user{}", self.dice.below(SUBJECTS))).expect("a name is a subject")
    }

    fn client(&mut self) -> ClientId {
        ClientId::new(format!("client{}", self.dice.below(CLIENTS))).expect("a name is a client")
    }

    fn count(&self, which: impl Fn(&Counts) -> &AtomicU64) {
        which(&self.counts).fetch_add(1, Ordering::Relaxed);
    }

    async fn issue(&mut self, node: usize) {
        let (subject, client) = (self.subject(), self.client());
        let began = self.ledger.tick();
        let grant = Grant::new(Kind::Session).subject(subject.clone()).client(client.clone());
        match self.nodes[node].issue(grant.scope("read")).await {
            Ok(issued) => {
                self.count(|counts| &counts.issued);
                self.ledger.issued(Known {
                    id: issued.token.id,
                    bearer: issued.bearer,
                    line: vec![issued.token.id],
                    subject,
                    client,
                    began,
                    acknowledged: self.ledger.tick(),
                });
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("a token was not issued: {error}"),
        }
    }

    async fn mint(&mut self, node: usize) {
        let Some(parent) = self.ledger.any(&mut self.dice) else { return };
        if parent.line.len() >= 8 {
            return;
        }
        let surely_dead = self.ledger.covered(&parent) == Covered::Surely;
        match self.nodes[node].mint(parent.id, Grant::new(Kind::Access).scope("read")).await {
            Ok(issued) => {
                assert!(!surely_dead, "{} was minted from dead {}", issued.token.id, parent.id);
                self.count(|counts| &counts.minted);
                let mut line = parent.line.clone();
                line.push(issued.token.id);
                // It has its root's stamp, so what covers the root covers it, whenever it was
                // minted.
                let (id, bearer) = (issued.token.id, issued.bearer);
                self.ledger.issued(Known { id, bearer, line, ..parent });
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { .. }) => {}
            Err(error) => panic!("nothing was minted: {error}"),
        }
    }

    async fn look(&mut self, node: usize) {
        let Some(known) = self.ledger.any(&mut self.dice) else { return };
        let covered = self.ledger.covered_for(node, &known);
        match self.nodes[node].validate_active(&known.bearer).await {
            Ok(_) => {
                assert_ne!(covered, Covered::Surely, "{} lives after its revocation", known.id);
                self.count(|counts| &counts.active);
            }
            Err(Error::Refused(_)) => self.count(|counts| &counts.refused),
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("a bearer was not judged: {error}"),
        }
    }

    async fn update(&mut self, node: usize) {
        let Some(known) = self.ledger.any(&mut self.dice) else { return };
        let covered = self.ledger.covered(&known);
        let tag = format!("t{}", self.dice.below(40));
        let change =
            |metadata: &mut keyfob::Metadata| metadata.tags.insert(tag.as_str().try_into()?);
        match self.nodes[node].update(known.id, UpdateRequest::new(), change).await {
            Ok(token) => {
                assert_ne!(covered, Covered::Surely, "dead {} was updated", token.id);
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { state, .. }) => assert_eq!(state, TokenState::Revoked),
            Err(Error::Contended { .. }) => {}
            Err(error) => panic!("a token was not updated: {error}"),
        }
    }

    async fn touch(&mut self, node: usize) {
        let Some(known) = self.ledger.any(&mut self.dice) else { return };
        let covered = self.ledger.covered(&known);
        match self.nodes[node].touch(known.id).await {
            Ok(()) => assert_ne!(covered, Covered::Surely, "dead {} was touched", known.id),
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(Error::Ended { .. }) => {}
            Err(error) => panic!("a token was not touched: {error}"),
        }
    }

    async fn revoke_one(&mut self, node: usize) {
        let Some(known) = self.ledger.any(&mut self.dice) else { return };
        let attempt = self.ledger.begin(node, Reach::Line(known.id));
        let outcome =
            self.nodes[node].revoke(known.id, RevokeRequest::reason("storm")).await.map(drop);
        self.end(attempt, outcome);
    }

    async fn revoke_family(&mut self, node: usize) {
        let Some(known) = self.ledger.any(&mut self.dice) else { return };
        let attempt = self.ledger.begin(node, Reach::Line(known.line[0]));
        let family = keyfob::FamilyId::from_root(known.line[0]);
        let outcome = self.nodes[node].revoke_family(family, RevokeRequest::reason("storm")).await;
        self.end(attempt, outcome);
    }

    async fn revoke_subject(&mut self, node: usize) {
        let subject = self.subject();
        let attempt = self.ledger.begin(node, Reach::Subject(subject.clone()));
        let outcome =
            self.nodes[node].revoke_subject(&subject, RevokeRequest::reason("storm")).await;
        self.end(attempt, outcome);
    }

    async fn revoke_client(&mut self, node: usize) {
        let client = self.client();
        let attempt = self.ledger.begin(node, Reach::Client(client.clone()));
        let outcome = self.nodes[node].revoke_client(&client, RevokeRequest::reason("storm")).await;
        self.end(attempt, outcome);
    }

    async fn revoke_all(&mut self, node: usize) {
        let attempt = self.ledger.begin(node, Reach::All);
        let outcome = self.nodes[node].revoke_all(RevokeRequest::reason("storm")).await;
        self.end(attempt, outcome);
    }

    fn end(&self, attempt: usize, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => {
                self.ledger.acknowledged(attempt);
                self.count(|counts| &counts.revoked);
            }
            Err(Error::Store(_)) => self.count(|counts| &counts.failed),
            Err(error) => panic!("nothing was revoked: {error}"),
        }
    }
}
