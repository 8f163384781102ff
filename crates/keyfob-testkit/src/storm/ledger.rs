//! What is known of every token and of every attempt to revoke, in the order of a logical clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyfob::{BearerToken, ClientId, Subject, TokenId};

use super::dice::Dice;

/// A token that was issued.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) id: TokenId,
    pub(super) bearer: BearerToken,
    /// Its ancestors, the oldest first, and itself.
    pub(super) line: Vec<TokenId>,
    pub(super) subject: Subject,
    pub(super) client: ClientId,
    /// When the issue of its root was begun, and when it was acknowledged.
    pub(super) began: u64,
    pub(super) acknowledged: u64,
}

/// What a revocation covers.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// A token and all that descends from it, whenever that was minted.
    Line(TokenId),
    Subject(Subject),
    Client(ClientId),
    All,
}

struct Attempt {
    reach: Reach,
    /// On which node.
    node: usize,
    began: u64,
    /// `None` as long as it is under way, and for ever if its outcome is unknown.
    acknowledged: Option<Acknowledged>,
}

#[derive(Clone, Copy)]
struct Acknowledged {
    tick: u64,
    at: Instant,
}

/// Whether a token is covered by a revocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Covered {
    /// By none that was so much as tried.
    No,
    /// By one that is under way, whose outcome is unknown, or that ran while it was issued.
    Perhaps,
    /// By one that was acknowledged.
    Surely,
}

pub(super) struct Ledger {
    /// How long after its acknowledgement a revocation may be news to another node.
    grace: Duration,
    clock: AtomicU64,
    tokens: Mutex<Vec<Known>>,
    attempts: Mutex<Vec<Attempt>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            clock: AtomicU64::new(0),
            tokens: Mutex::default(),
            attempts: Mutex::default(),
        }
    }

    pub(super) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn issued(&self, known: Known) {
        lock(&self.tokens).push(known);
    }

    /// One of the tokens: half of the time one of the newest, for the others are mostly dead.
    pub(super) fn any(&self, dice: &mut Dice) -> Option<Known> {
        let tokens = lock(&self.tokens);
        let count = tokens.len() as u64;
        let newest = count.min(64);
        let place = match dice.below(2) {
            0 => count.checked_sub(1)?.checked_sub(dice.below(newest))?,
            _ => dice.below(count),
        };
        tokens.get(place as usize).cloned()
    }

    pub(super) fn all(&self) -> Vec<Known> {
        lock(&self.tokens).clone()
    }

    pub(super) fn begin(&self, node: usize, reach: Reach) -> usize {
        let mut attempts = lock(&self.attempts);
        attempts.push(Attempt { reach, node, began: self.tick(), acknowledged: None });
        attempts.len() - 1
    }

    pub(super) fn acknowledged(&self, attempt: usize) {
        let at = Instant::now();
        lock(&self.attempts)[attempt].acknowledged = Some(Acknowledged { tick: self.tick(), at });
    }

    /// What a node must know that asks the store.
    pub(super) fn covered(&self, known: &Known) -> Covered {
        self.most(known, |attempt| attempt.covers(known))
    }

    /// What a node must know that may answer from memory, of whatever it decides from now on.
    pub(super) fn covered_for(&self, node: usize, known: &Known) -> Covered {
        let now = Instant::now();
        self.most(known, |attempt| match attempt.covers(known) {
            Covered::Surely if attempt.may_be_news_to(node, now, self.grace) => Covered::Perhaps,
            covered => covered,
        })
    }

    fn most(&self, known: &Known, covers: impl Fn(&Attempt) -> Covered) -> Covered {
        let attempts = lock(&self.attempts);
        let concerning = attempts.iter().filter(|attempt| attempt.concerns(known));
        concerning.map(covers).max().unwrap_or(Covered::No)
    }
}

impl Attempt {
    fn concerns(&self, known: &Known) -> bool {
        match &self.reach {
            Reach::Line(id) => known.line.contains(id),
            Reach::Subject(subject) => *subject == known.subject,
            Reach::Client(client) => *client == known.client,
            Reach::All => true,
        }
    }

    fn covers(&self, known: &Known) -> Covered {
        match (&self.reach, self.acknowledged) {
            (_, None) => Covered::Perhaps,
            (Reach::Line(_), Some(_)) => Covered::Surely,
            (_, Some(_)) if known.acknowledged < self.began => Covered::Surely,
            // Both ran at once, or the revocation was over before the token was asked for.
            (_, Some(end)) if end.tick < known.began => Covered::No,
            (_, Some(_)) => Covered::Perhaps,
        }
    }
    /// Whether it was done on another node, and so lately that this one need not have heard of it.
    fn may_be_news_to(&self, node: usize, now: Instant, grace: Duration) -> bool {
        self.node != node && self.acknowledged.is_some_and(|end| now < end.at + grace)
    }
}
