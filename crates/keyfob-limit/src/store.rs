//! The contract with whatever keeps what is owed.
//!
//! It is apart from the contract for tokens: the two may lie in different places, and whoever writes
//! a store for tokens need not count anything.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Level, Meter};
use keyfob_core::store_error::StoreError;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_metrics::Metrics;

/// The name of what is counted: a keyed digest, from which nobody can tell whose it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey([u8; 16]);

/// Permits to take from a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge {
    /// The key.
    pub key: LimitKey,
    /// Its meter. A key always comes with the same rate; another rate is another key.
    pub meter: Meter,
    /// With fewer than these the charge is refused; at most the meter's burst.
    pub least: u32,
    /// Up to so many are taken if there is room for them. Not fewer than `least`.
    pub most: u32,
}

/// What came of charges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Charged {
    /// Whether all were admitted. If not, nothing was taken.
    pub admitted: bool,
    /// For each of the charges, in their order, how the key stands.
    pub tallies: Vec<ChargeOutcome>,
}

/// How a key stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChargeOutcome {
    /// How many permits were taken.
    pub taken: u32,
    /// Permits that this process has in hand beside what is owed.
    pub in_hand: u32,
    /// What is owed, after the charge if it was admitted.
    pub level: Level,
    /// The time by which that is so.
    pub now: Timestamp,
    /// How long this process will not ask for more, if the charge was refused for that.
    pub pause: Option<Ttl>,
}

/// Whatever keeps what is owed.
#[async_trait]
pub trait LimitStore: Send + Sync + fmt::Debug + 'static {
    /// Takes the permits of all charges, or none of any. At most [`Charge::MOST`] keys, each once.
    ///
    /// Never more are admitted than the meters allow, however many call at once and whatever fails;
    /// fewer may be, for a while, when a call comes to nothing halfway. A key is forgotten when it
    /// owes nothing.
    ///
    /// # Errors
    /// [`StoreError`]. The permits may have been taken or not; they come back with time.
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError>;

    /// Gives the store the metrics of the limiter that uses it. A store that was given metrics
    /// before keeps those; one without metrics ignores them.
    fn use_metrics(&self, metrics: &Metrics) {
        let _ignored = metrics;
    }
}

/// A store of limits that is handed over, by value or in an [`Arc`] that others have too.
///
/// It is implemented for every [`LimitStore`], for an [`Arc`] of one, and for
/// `Arc<dyn LimitStore>`.
pub trait IntoLimitStore {
    /// Returns the store as one that can be shared.
    fn into_limit_store(self) -> Arc<dyn LimitStore>;
}

impl<S: LimitStore> IntoLimitStore for S {
    fn into_limit_store(self) -> Arc<dyn LimitStore> {
        Arc::new(self)
    }
}

impl<S: LimitStore> IntoLimitStore for Arc<S> {
    fn into_limit_store(self) -> Arc<dyn LimitStore> {
        self
    }
}

impl IntoLimitStore for Arc<dyn LimitStore> {
    fn into_limit_store(self) -> Self {
        self
    }
}

impl LimitKey {
    /// The key with this digest.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A number that spreads keys evenly.
    pub fn spread(&self) -> u64 {
        let mut number = [0; 8];
        number.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(number)
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKey({:016x}…)", self.spread())
    }
}

impl Charge {
    /// The most charges of one call.
    pub const MOST: usize = 8;

    /// Takes exactly so many permits.
    pub const fn exactly(key: LimitKey, meter: Meter, permits: u32) -> Self {
        Self { key, meter, least: permits, most: permits }
    }

    /// Takes nothing, and tells how the key stands.
    pub const fn look(key: LimitKey, meter: Meter) -> Self {
        Self::exactly(key, meter, 0)
    }

    /// How the key stands at `now`, owing this, with nothing taken.
    pub const fn tally(&self, level: Level, now: Timestamp) -> ChargeOutcome {
        let level = self.meter.drained(level, now);
        ChargeOutcome { taken: 0, in_hand: 0, level, now, pause: None }
    }

    /// Whether what a key owes leaves room for the least of the charge.
    pub const fn fits(&self, tally: &ChargeOutcome) -> bool {
        self.least <= self.meter.room(tally.level)
    }

    /// That no call has more than [`Charge::MOST`] charges.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] when it has.
    pub fn check(charges: &[Self]) -> Result<(), StoreError> {
        if charges.len() <= Self::MOST {
            return Ok(());
        }
        Err(StoreError::Misconfigured(format!(
            "{} limits in one call are too many: have at most {}",
            charges.len(),
            Self::MOST
        )))
    }
}
