//! The setup of a scenario: the store under test, its clock, and the resources that it needs.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::{Clock, ManualClock, SystemClock};
use keyfob::{Store, Timestamp, Ttl};

/// A new, empty store that one scenario has for itself.
///
/// Use more than one lane if the store supports lanes: some scenarios need two.
pub struct Setup {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The store's source of time.
    pub time: Time,
    /// A resource that must live as long as the store, such as a server or a folder.
    pub guard: Option<Box<dyn Any + Send + Sync>>,
    /// Whether the store notifies its listeners. A store that does not is correct too: its cached
    /// entries are never trusted.
    pub has_invalidations: bool,
    /// Whether the store implements `Counting`. The scenarios about counts are skipped otherwise.
    pub has_counting: bool,
    /// Whether the store implements `Resealing`. The scenarios about resealing are skipped otherwise.
    pub has_resealing: bool,
    /// Whether the store implements `Documents`. The scenarios about documents are skipped otherwise.
    pub has_documents: bool,
}

/// A store's source of time.
#[derive(Clone, Debug)]
pub enum Time {
    /// A manual clock that the scenario moves. Nothing waits.
    Manual(ManualClock),
    /// The real time. The scenario sleeps.
    Real,
}

/// The extra wait after a point in time, because a server's own clock may be behind.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(25);

impl Setup {
    /// Creates a setup without further resources.
    pub fn new(store: Arc<dyn Store>, time: Time) -> Self {
        Self {
            store,
            time,
            guard: None,
            has_invalidations: true,
            has_counting: true,
            has_resealing: true,
            has_documents: true,
        }
    }

    /// Keeps `guard` alive as long as the store.
    pub fn keeping(self, guard: impl Any + Send + Sync) -> Self {
        Self { guard: Some(Box::new(guard)), ..self }
    }

    /// Says that the store does not notify its listeners.
    pub fn without_invalidations(self) -> Self {
        Self { has_invalidations: false, ..self }
    }

    /// Says that the store does not implement `Counting`.
    pub fn without_counting(self) -> Self {
        Self { has_counting: false, ..self }
    }

    /// Says that the store does not implement `Resealing`.
    pub fn without_resealing(self) -> Self {
        Self { has_resealing: false, ..self }
    }

    /// Says that the store does not implement `Documents`.
    pub fn without_documents(self) -> Self {
        Self { has_documents: false, ..self }
    }

    /// Returns whether the store has what the scenarios of a group are about.
    pub(super) fn supports(&self, group: &str) -> bool {
        match group {
            "counting" | "count_revocations" => self.has_counting,
            "reseal" => self.has_resealing,
            "documents" => self.has_documents,
            _ => true,
        }
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        match &self.time {
            Time::Manual(clock) => clock.now(),
            Time::Real => SystemClock.now(),
        }
    }

    /// Waits for `ttl`.
    pub async fn wait(&self, ttl: Ttl) {
        self.wait_until(self.now() + ttl).await;
    }

    /// Waits until `at`.
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

    /// Returns a lifetime that is long enough to read a record and short enough to wait for its end.
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
