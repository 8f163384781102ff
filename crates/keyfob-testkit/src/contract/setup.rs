//! What a store under test is made of: the store, the time that it runs on, and what must stay
//! alive meanwhile.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyfob::{Clock, ManualClock, Store, SystemClock, Timestamp, Ttl};

/// A store to run scenarios on: fresh, empty, and nobody else's.
///
/// Give it more than one lane, if the store has lanes: some scenarios are about what happens
/// between two.
pub struct Setup {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The time that it runs on.
    pub time: Time,
    /// Whatever must live as long as the store: a server, a directory.
    pub guard: Option<Box<dyn Any + Send + Sync>>,
    /// Whether its watchers hear of changes. A store that tells nobody anything is correct too: it
    /// is never trusted.
    pub has_invalidations: bool,
}

/// The time that a store runs on.
#[derive(Clone, Debug)]
pub enum Time {
    /// A clock that the scenario moves: nothing waits.
    Manual(ManualClock),
    /// The time that passes: the scenario sleeps.
    Real,
}

/// How far past a moment the real time must be before a server with a clock of its own is held to
/// have seen it.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(25);

impl Setup {
    /// A setup with nothing but the store to keep.
    pub fn new(store: Arc<dyn Store>, time: Time) -> Self {
        Self { store, time, guard: None, has_invalidations: true }
    }

    /// The same, and `guard` lives as long.
    pub fn keeping(self, guard: impl Any + Send + Sync) -> Self {
        Self { guard: Some(Box::new(guard)), ..self }
    }

    /// The same of a store that does nothing with its watchers.
    pub fn without_invalidations(self) -> Self {
        Self { has_invalidations: false, ..self }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.time {
            Time::Manual(clock) => clock.now(),
            Time::Real => SystemClock.now(),
        }
    }

    /// Lets `ttl` pass.
    pub async fn wait(&self, ttl: Ttl) {
        self.wait_until(self.now() + ttl).await;
    }

    /// Lets time pass until `at`.
    pub async fn wait_until(&self, at: Timestamp) {
        match &self.time {
            Time::Manual(clock) => {
                if let Some(ttl) = at.since(clock.now()) {
                    clock.advance(ttl);
                }
            }
            Time::Real => {
                while let Some(ttl) = at.since(SystemClock.now()) {
                    tokio::time::sleep(ttl.as_duration()).await;
                }
                tokio::time::sleep(CLOCK_TOLERANCE).await;
            }
        }
    }

    /// A life that is long enough to look at a record and short enough to wait for its end.
    pub fn brief(&self) -> Ttl {
        match self.time {
            Time::Manual(_) => Ttl::from_mins(10),
            Time::Real => Ttl::from_secs(2),
        }
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("store", &self.store)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
