//! The contract with a store that keeps debts.
//!
//! It is separate from the contract for tokens: the two may use different stores, and the author of
//! a token store does not have to count anything.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Level, Meter};
use keyfob_core::store_error::StoreError;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_metrics::Metrics;

/// The key of what is counted: a keyed digest that does not reveal whose it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey([u8; 16]);

/// Permits to take from a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge {
    /// The key.
    pub key: LimitKey,
    /// Its meter. It may be another one than that of the last charge, by this process or by another one: a
    /// rate may be changed, and then nodes have different rates for a while. The permits that were used
    /// stay used; see [`Meter::from_stored`].
    pub meter: Meter,
    /// With room for fewer permits than this, the charge is refused. At most the burst of the meter.
    pub min_permits: u32,
    /// Up to this many permits are taken if there is room. At least `min_permits`.
    pub max_permits: u32,
}

/// The result of charges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Charged {
    /// Whether all were admitted. If not, nothing was charged.
    pub admitted: bool,
    /// The state of each key, in the order of the charges.
    pub tallies: Vec<ChargeOutcome>,
    /// When the store that was charged began without a debt, if it lives no longer than its process. What happened before
    /// is not in it.
    pub began_at: Option<Timestamp>,
}

/// The state of a key after a charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChargeOutcome {
    /// How many permits were taken.
    pub taken: u32,
    /// Permits that this process holds in addition to the debt.
    pub in_hand: u32,
    /// The debt, after the charge if it was admitted.
    pub level: Level,
    /// The time of that debt.
    pub now: Timestamp,
    /// How long this process will not ask again, if that is why the charge was refused.
    pub pause: Option<Ttl>,
}

/// A store that keeps debts.
#[async_trait]
pub trait LimitStore: Send + Sync + fmt::Debug + 'static {
    /// Takes the permits of all charges, or of none. At most [`Charge::MAX_KEYS`] keys, each once.
    ///
    /// It never admits more than the meters allow, however many calls run at the same time and whatever
    /// fails. It may admit fewer for a while, when a call fails in the middle. A key without debt is
    /// forgotten.
    ///
    /// # Errors
    /// [`StoreError`]. The permits may have been taken or not. They drain with time.
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
    /// Returns the key with this digest.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns a number that distributes keys evenly.
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
    /// The maximum number of charges in one call.
    pub const MAX_KEYS: usize = 8;

    /// Creates a charge of exactly this many permits.
    pub const fn exactly(key: LimitKey, meter: Meter, permits: u32) -> Self {
        Self { key, meter, min_permits: permits, max_permits: permits }
    }

    /// Creates a charge of nothing, which returns the state of the key.
    pub const fn look(key: LimitKey, meter: Meter) -> Self {
        Self::exactly(key, meter, 0)
    }

    /// Returns the state of the key at `now` with this debt, when nothing was taken.
    pub const fn tally(&self, level: Level, now: Timestamp) -> ChargeOutcome {
        let level = self.meter.drained(level, now);
        ChargeOutcome { taken: 0, in_hand: 0, level, now, pause: None }
    }

    /// Returns whether the debt of a key leaves room for the least of the charge.
    pub const fn fits(&self, tally: &ChargeOutcome) -> bool {
        self.min_permits <= self.meter.room(tally.level)
    }

    /// Checks that there are no more than [`Charge::MAX_KEYS`] charges.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`].
    pub fn check(charges: &[Self]) -> Result<(), StoreError> {
        if charges.len() <= Self::MAX_KEYS {
            return Ok(());
        }
        Err(StoreError::Misconfigured(format!(
            "{} limits in one call are too many: have at most {}",
            charges.len(),
            Self::MAX_KEYS
        )))
    }
}
