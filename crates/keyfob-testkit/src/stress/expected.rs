//! Records all tokens and all attempts to revoke, in the order of a logical clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keyfob::{BearerToken, ClientId, Subject, TokenId};

use super::choice::SeededChoice;

/// A token that was issued.
#[derive(Clone)]
pub(super) struct IssuedToken {
    pub(super) id: TokenId,
    pub(super) bearer: BearerToken,
    /// Its ancestors, oldest first, and the token itself.
    pub(super) line: Vec<TokenId>,
    pub(super) subject: Subject,
    pub(super) client: ClientId,
    /// The logical times at which the issue of its root began and was acknowledged.
    pub(super) began: u64,
    pub(super) acknowledged: u64,
}

/// The tokens that a revocation covers.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum RevocationScope {
    /// A token and all its descendants, whenever they were minted.
    Line(TokenId),
    Subject(Subject),
    Client(ClientId),
    All,
}

struct Attempt {
    reach: RevocationScope,
    /// The node that revoked.
    node: usize,
    began: u64,
    /// `None` while it runs, and forever if its outcome is unknown.
    acknowledged: Option<Acknowledged>,
}

#[derive(Clone, Copy)]
struct Acknowledged {
    tick: u64,
    at: Instant,
}

/// Whether a token is covered by a revocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Coverage {
    /// No revocation of it was attempted.
    NotRevoked,
    /// A revocation runs, has an unknown outcome, or ran while the token was issued.
    MaybeRevoked,
    /// An acknowledged revocation covers it.
    Revoked,
}

pub(super) struct ExpectedStates {
    /// How long another node may not know of an acknowledged revocation.
    revocation_delay: Duration,
    clock: AtomicU64,
    tokens: Mutex<Vec<IssuedToken>>,
    attempts: Mutex<Vec<Attempt>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ExpectedStates {
    pub(super) fn new(revocation_delay: Duration) -> Self {
        Self {
            revocation_delay,
            clock: AtomicU64::new(0),
            tokens: Mutex::default(),
            attempts: Mutex::default(),
        }
    }

    pub(super) fn next_tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn issued(&self, token: IssuedToken) {
        lock(&self.tokens).push(token);
    }

    /// Returns a random token: half of the time one of the newest, because most others are revoked.
    pub(super) fn any(&self, choice: &mut SeededChoice) -> Option<IssuedToken> {
        let tokens = lock(&self.tokens);
        let count = tokens.len() as u64;
        let newest = count.min(64);
        let place = match choice.below(2) {
            0 => count.checked_sub(1)?.checked_sub(choice.below(newest))?,
            _ => choice.below(count),
        };
        tokens.get(place as usize).cloned()
    }

    pub(super) fn all(&self) -> Vec<IssuedToken> {
        lock(&self.tokens).clone()
    }

    pub(super) fn begin(&self, node: usize, reach: RevocationScope) -> usize {
        let mut attempts = lock(&self.attempts);
        attempts.push(Attempt { reach, node, began: self.next_tick(), acknowledged: None });
        attempts.len() - 1
    }

    pub(super) fn acknowledged(&self, attempt: usize) {
        let at = Instant::now();
        lock(&self.attempts)[attempt].acknowledged =
            Some(Acknowledged { tick: self.next_tick(), at });
    }

    /// Returns the coverage that a node must see if it asks the store.
    pub(super) fn covered(&self, token: &IssuedToken) -> Coverage {
        self.max_coverage(token, |attempt| attempt.covers(token))
    }

    /// Returns the coverage that a node must see if it may answer from its cache.
    pub(super) fn covered_for(&self, node: usize, token: &IssuedToken) -> Coverage {
        let now = Instant::now();
        self.max_coverage(token, |attempt| match attempt.covers(token) {
            Coverage::Revoked if attempt.may_be_unknown_to(node, now, self.revocation_delay) => {
                Coverage::MaybeRevoked
            }
            covered => covered,
        })
    }

    fn max_coverage(&self, token: &IssuedToken, covers: impl Fn(&Attempt) -> Coverage) -> Coverage {
        let attempts = lock(&self.attempts);
        let concerning = attempts.iter().filter(|attempt| attempt.concerns(token));
        concerning.map(covers).max().unwrap_or(Coverage::NotRevoked)
    }
}

impl Attempt {
    fn concerns(&self, token: &IssuedToken) -> bool {
        match &self.reach {
            RevocationScope::Line(id) => token.line.contains(id),
            RevocationScope::Subject(subject) => *subject == token.subject,
            RevocationScope::Client(client) => *client == token.client,
            RevocationScope::All => true,
        }
    }

    fn covers(&self, token: &IssuedToken) -> Coverage {
        match (&self.reach, self.acknowledged) {
            (_, None) => Coverage::MaybeRevoked,
            (RevocationScope::Line(_), Some(_)) => Coverage::Revoked,
            (_, Some(_)) if token.acknowledged < self.began => Coverage::Revoked,
            // Both ran concurrently, or the revocation ended before the issue began.
            (_, Some(end)) if end.tick < token.began => Coverage::NotRevoked,
            (_, Some(_)) => Coverage::MaybeRevoked,
        }
    }
    /// Returns whether another node revoked so recently that this node may not yet know.
    fn may_be_unknown_to(&self, node: usize, now: Instant, revocation_delay: Duration) -> bool {
        self.node != node && self.acknowledged.is_some_and(|end| now < end.at + revocation_delay)
    }
}
