//! The queue of loads that presented bearer tokens cause, so that no caller waits behind the guesses of
//! another.
//!
//! A load is for an id of this namespace, but the token may be invalid: a client can present a
//! token that was purged, or a token id that it saw with a secret that it made up. So the loads
//! have a budget:
//!
//! - A limited number run at the same time, and a limited number of them for one client address.
//! - While there is no room, callers wait by address, and the addresses take turns.
//! - An address with many unknown tokens in the last second is **suspect**. So is, during a flood of
//!   unknown tokens, an id that does not prove its namespace. Suspects have a small room of their own.
//!
//! Callers whose address is not known take turns as if they were one address, without its limit. So do ids
//! that prove their namespace and ids that do not.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyfob_core::time::Timestamp;
use keyfob_limit::Network;
use keyfob_metrics::Metrics;
use tokio::sync::oneshot;

/// Maximum number of loads at the same time.
const MAX_LOADS: usize = 256;
/// Maximum number of loads at the same time for one address, while others may need room.
const MAX_LOADS_OF_ADDRESS: usize = 64;
/// Maximum number of loads at the same time for suspects.
const MAX_SUSPECT_LOADS: usize = 16;
/// This number of unknown tokens in a second is a flood.
const FLOOD: u64 = 1_000;
/// This number of unknown tokens in a second makes an address suspect.
const MAX_UNKNOWN_OF_ADDRESS: u64 = 16;
/// The number of cells in which unknown tokens are counted by address.
const CELLS: usize = 4_096;

/// The queue. A clone is the same queue.
#[derive(Clone)]
pub(super) struct LoadQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    unknown: PerSecond,
    unknown_by_address: Box<[PerSecond]>,
    hasher: RandomState,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    running: usize,
    running_suspects: usize,
    /// The running loads of each address, without those that began while there was much room.
    running_of: HashMap<Source, usize>,
    regular: Line,
    suspects: Line,
}

/// Callers that wait, by address.
#[derive(Default)]
struct Line {
    /// The addresses with callers, in the order of their turns.
    turns: VecDeque<Source>,
    callers: HashMap<Source, VecDeque<oneshot::Sender<LoadPermit>>>,
}

/// Who causes a load. What proves its namespace and what does not take turns too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Source {
    /// The network of the client, or `None` if the application does not name the address.
    pub(super) network: Option<Network>,
    /// Whether the id proves its namespace.
    pub(super) is_proven: bool,
}

/// The right to load. Dropping it makes room for the next caller.
pub(super) struct LoadPermit {
    shared: Arc<Shared>,
    is_suspect: bool,
    /// The address that the load counts for.
    counted_for: Option<Source>,
    has_waited: bool,
}

/// A number of events in the present second.
#[derive(Debug, Default)]
struct PerSecond(AtomicU64);

impl LoadQueue {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            unknown: PerSecond::default(),
            unknown_by_address: (0..CELLS).map(|_| PerSecond::default()).collect(),
            hasher: RandomState::new(),
            metrics: metrics.clone(),
        }))
    }

    /// Waits until there is room for a load.
    pub(super) async fn begin(&self, source: Source, now: Timestamp) -> LoadPermit {
        let is_suspect = self.0.is_suspect(source, now);
        let granted = {
            let mut state = self.0.state();
            // Others that wait while there is room are those that have used up their own part of it.
            let is_next = !state.line(is_suspect).callers.contains_key(&source);
            if is_next && state.has_room(is_suspect, source) {
                return state.grant(&self.0, is_suspect, source, false);
            }
            let (grant, granted) = oneshot::channel();
            state.line(is_suspect).join(source, grant);
            granted
        };
        if is_suspect {
            self.0.metrics.handles.cache_flood_holds.increment(1);
        }
        match granted.await {
            Ok(permit) => permit,
            // The queue lives as long as this borrow, so a grant is never lost.
            Err(_) => self.0.state().grant(&self.0, is_suspect, source, true),
        }
    }

    /// Counts a presented token that the store did not know.
    pub(super) fn count_unknown(&self, network: Option<Network>, now: Timestamp) {
        self.0.unknown.add(now);
        if let Some(cell) = network.and_then(|network| self.0.cell(network)) {
            cell.add(now);
        }
    }
}

impl fmt::Debug for LoadQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadQueue")
            .field("running", &self.0.state().running)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_suspect(&self, source: Source, now: Timestamp) -> bool {
        if !source.is_proven && self.unknown.recent(now) >= FLOOD {
            return true;
        }
        let cell = source.network.and_then(|network| self.cell(network));
        cell.is_some_and(|cell| cell.recent(now) >= MAX_UNKNOWN_OF_ADDRESS)
    }

    fn cell(&self, network: Network) -> Option<&PerSecond> {
        self.unknown_by_address.get(self.hasher.hash_one(network) as usize % CELLS)
    }

    /// Gives free room to callers that wait.
    fn admit_waiting(self: &Arc<Self>) {
        let mut undelivered = Vec::new();
        {
            let mut state = self.state();
            while let Some((is_suspect, source, grant)) = state.next_waiting() {
                if let Err(permit) = grant.send(state.grant(self, is_suspect, source, true)) {
                    undelivered.push(permit);
                }
            }
        }
        // Their callers have just given up. Dropped without the lock, which they take.
        drop(undelivered);
    }
}

impl State {
    fn line(&mut self, is_suspect: bool) -> &mut Line {
        if is_suspect { &mut self.suspects } else { &mut self.regular }
    }

    fn has_room(&self, is_suspect: bool, source: Source) -> bool {
        self.running < MAX_LOADS
            && (!is_suspect || self.running_suspects < MAX_SUSPECT_LOADS)
            && (!source.is_limited() || self.of(source) < MAX_LOADS_OF_ADDRESS)
    }

    fn of(&self, source: Source) -> usize {
        self.running_of.get(&source).copied().unwrap_or_default()
    }

    fn grant(
        &mut self,
        shared: &Arc<Shared>,
        is_suspect: bool,
        source: Source,
        has_waited: bool,
    ) -> LoadPermit {
        // While there is much room, loads are not counted by address, which is cheaper.
        let is_counted = source.is_limited() && self.running >= MAX_LOADS_OF_ADDRESS;
        let counted_for = is_counted.then_some(source);
        if counted_for.is_some() {
            *self.running_of.entry(source).or_default() += 1;
        }
        self.running += 1;
        self.running_suspects += usize::from(is_suspect);
        LoadPermit { shared: Arc::clone(shared), is_suspect, counted_for, has_waited }
    }

    /// Takes the next caller from the lines that there is room for.
    fn next_waiting(&mut self) -> Option<(bool, Source, oneshot::Sender<LoadPermit>)> {
        if self.running >= MAX_LOADS {
            return None;
        }
        // At least one suspect always makes progress.
        let suspects_first = self.running_suspects == 0;
        for is_suspect in [suspects_first, !suspects_first] {
            for _ in 0..self.line(is_suspect).turns.len() {
                let Some(source) = self.line(is_suspect).turns.pop_front() else { break };
                if !self.has_room(is_suspect, source) {
                    self.line(is_suspect).turns.push_back(source);
                    continue;
                }
                if let Some(grant) = self.line(is_suspect).take(source) {
                    return Some((is_suspect, source, grant));
                }
            }
        }
        None
    }
}

impl Source {
    /// Callers with proven ids and without an address are many clients, not one.
    fn is_limited(self) -> bool {
        self.network.is_some() || !self.is_proven
    }
}

impl Line {
    fn join(&mut self, source: Source, grant: oneshot::Sender<LoadPermit>) {
        let callers = self.callers.entry(source).or_default();
        if callers.is_empty() {
            self.turns.push_back(source);
        }
        callers.push_back(grant);
    }

    /// Takes the first caller of an address that has not given up. If more wait, the address gets
    /// another turn.
    fn take(&mut self, source: Source) -> Option<oneshot::Sender<LoadPermit>> {
        let callers = self.callers.get_mut(&source)?;
        let grant = std::iter::from_fn(|| callers.pop_front()).find(|grant| !grant.is_closed());
        if callers.is_empty() {
            self.callers.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        grant
    }
}

impl LoadPermit {
    /// Returns whether the caller had to wait, so that what it looked up before may be out of date.
    pub(super) fn has_waited(&self) -> bool {
        self.has_waited
    }
}

impl Drop for LoadPermit {
    fn drop(&mut self) {
        let has_waiting = {
            let mut state = self.shared.state();
            state.running -= 1;
            state.running_suspects -= usize::from(self.is_suspect);
            if let Some(source) = self.counted_for
                && let Some(count) = state.running_of.get_mut(&source)
            {
                *count -= 1;
                if *count == 0 {
                    state.running_of.remove(&source);
                }
            }
            !state.regular.turns.is_empty() || !state.suspects.turns.is_empty()
        };
        if has_waiting {
            self.shared.admit_waiting();
        }
    }
}

impl PerSecond {
    fn add(&self, now: Timestamp) {
        let second = now.as_secs() << 32;
        let counted = |word: u64| if word >> 32 == second >> 32 { word + 1 } else { second + 1 };
        let _was = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |w| Some(counted(w)));
    }

    /// Returns the number in the present second, or in the one before if there was none since.
    fn recent(&self, now: Timestamp) -> u64 {
        let word = self.0.load(Ordering::Relaxed);
        if now.as_secs().abs_diff(word >> 32) <= 1 { word & 0xffff_ffff } else { 0 }
    }
}

#[cfg(test)]
mod tests;
