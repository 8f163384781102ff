//! What is known of every token and of every attempt to revoke, in the order of a logical clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyfob::{Bearer, ClientId, Subject, TokenId};

use super::dice::Dice;

/// A token that was issued.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) id: TokenId,
    pub(super) bearer: Bearer,
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
    began: u64,
    /// `None` as long as it is under way, and for ever if its outcome is unknown.
    acknowledged: Option<u64>,
}

/// Whether a token is covered by a revocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Covered {
    /// By none that was so much as tried.
    No,
    /// By one that is under way, whose outcome is unknown, or that ran while it was issued.
    Perhaps,
    /// By one that was acknowledged.
    Surely,
}

#[derive(Default)]
pub(super) struct Ledger {
    clock: AtomicU64,
    tokens: Mutex<Vec<Known>>,
    attempts: Mutex<Vec<Attempt>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
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

    pub(super) fn begin(&self, reach: Reach) -> usize {
        let mut attempts = lock(&self.attempts);
        attempts.push(Attempt { reach, began: self.tick(), acknowledged: None });
        attempts.len() - 1
    }

    pub(super) fn acknowledged(&self, attempt: usize) {
        lock(&self.attempts)[attempt].acknowledged = Some(self.tick());
    }

    pub(super) fn covered(&self, known: &Known) -> Covered {
        let attempts = lock(&self.attempts);
        let mut covered = Covered::No;
        for attempt in attempts.iter().filter(|attempt| attempt.concerns(known)) {
            match attempt.covers(known) {
                Covered::Surely => return Covered::Surely,
                Covered::Perhaps => covered = Covered::Perhaps,
                Covered::No => {}
            }
        }
        covered
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
            (_, Some(end)) if end < known.began => Covered::No,
            (_, Some(_)) => Covered::Perhaps,
        }
    }
}
