//! Limits whose permits this process takes in batches from a shared store.
//!
//! [`LocalPermits`] are the permits of one key that were taken and not yet given out. They expire at the
//! end of a **lease**, which starts when they are requested. So every admission was charged at most a
//! lease before, and charges obey the rate and the burst. In any time `w`, at most
//! `burst + rate × (w + lease)` are admitted, by however many processes.
//!
//! A batch is as large as the demand of the last lease. A cold key is asked for exactly the cost of a
//! call, a hot one for up to what the rate gives in a lease. Permits that expire are lost until they
//! drain, at most a batch for each process and lease. A key that refuses is not asked again before it has
//! room, and not much more often than eight times a lease.

mod local_permits;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::local_permits::LocalPermits;
use super::table::Table;
use super::{Charge, ChargeOutcome, Charged, IntoLimitStore, LimitKey, LimitStore};
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::store_error::StoreError;
use keyfob_core::time::Ttl;
use keyfob_metrics::Metrics;

/// About how many keys may be requested at the same time.
const TURNS: usize = 256;

/// How often a call tries to lease a batch before it asks for exactly its cost.
const LEASE_ATTEMPTS: usize = 4;

/// Takes permits from a store in batches, so that a hot key needs far fewer round trips than one for each
/// call.
///
/// ```
/// # fn with(shared: std::sync::Arc<dyn keyfob::limit::LimitStore>) -> Result<(), keyfob::InvalidValue> {
/// use keyfob::limit::LeasedLimits;
/// use keyfob::{Limits, Ttl};
///
/// let limits = Limits::new(LeasedLimits::new(shared, Ttl::from_millis(200)?)?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct LeasedLimits {
    store: Arc<dyn LimitStore>,
    lease: Ttl,
    hands: Table<LocalPermits>,
    /// Calls that need the same key send one request for it.
    turns: Box<[Mutex<()>]>,
    born: Instant,
    metrics: OnceLock<Metrics>,
}

/// What can be decided about charges without a request.
enum Known {
    Admitted(Charged),
    Refused(Charged),
    /// The positions of the keys to request, and the batch to ask for.
    Lacking(Vec<(usize, Charge)>),
}

impl LeasedLimits {
    /// The maximum lease.
    pub const MAX_LEASE: Ttl = Ttl::from_mins(1);

    /// Returns limits that take permits from `store`, each for the length of a lease. The store is
    /// given by value, or shared in an `Arc`.
    ///
    /// # Errors
    /// When the lease is longer than [`LeasedLimits::MAX_LEASE`].
    pub fn new(store: impl IntoLimitStore, lease: Ttl) -> Result<Self, InvalidValue> {
        if lease > Self::MAX_LEASE {
            return Err(InvalidValue::new(
                Field::Lease,
                InvalidReason::OutOfRange { allowed: "at most a minute" },
            ));
        }
        let turns = (0..TURNS).map(|_| Mutex::default()).collect();
        let (hands, born) = (Table::new(super::LocalLimits::SLOTS), Instant::now());
        let store = store.into_limit_store();
        Ok(Self { store, lease, hands, turns, born, metrics: OnceLock::new() })
    }

    /// Sets where it counts permits that are leased and that lapse. Default: the metrics of the
    /// first manager, or [`Limiter`](crate::Limiter), that uses it.
    #[must_use]
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics: OnceLock::from(metrics), ..self }
    }

    /// Nanoseconds of a monotonic clock.
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Gives out local permits, if they suffice for all charges.
    fn take(&self, charges: &[Charge]) -> Known {
        let mut held = self.hands.hold(charges.iter().map(|charge| &charge.key));
        let now = self.now();
        let mut look = |charge: &Charge| held.get(&charge.key).unwrap_or_default();
        let mut hands: Vec<_> = charges.iter().map(&mut look).collect();
        let both = || charges.iter().zip(&hands);
        if both().any(|(charge, hand)| hand.refuses(charge, now)) {
            let tallies = both().map(|(charge, hand)| hand.tally(charge, 0, now)).collect();
            return Known::Refused(Charged { admitted: false, tallies, began_at: None });
        }
        let lacking =
            both().enumerate().filter(|(_, (charge, hand))| !hand.has(charge.min_permits, now));
        let lacking: Vec<_> = lacking
            .map(|(place, (charge, hand))| (place, hand.batch(charge, self.lease, now)))
            .collect();
        if !lacking.is_empty() {
            return Known::Lacking(lacking);
        }
        let mut tallies = Vec::with_capacity(charges.len());
        for (charge, hand) in charges.iter().zip(&mut hands) {
            hand.give(charge.min_permits);
            tallies.push(hand.tally(charge, charge.min_permits, now));
            held.put(&charge.key, *hand, hand.kept_until(self.lease), now);
        }
        Known::Admitted(Charged { admitted: true, tallies, began_at: None })
    }

    /// Adds the permits that were requested at `sent`, and gives them out immediately if all charges are
    /// met, so that the caller that asked does not lose them to others.
    fn fill(
        &self,
        charges: &[Charge],
        lacking: &[(usize, Charge)],
        tallies: &[ChargeOutcome],
        sent: u64,
    ) -> Option<Charged> {
        let mut held = self.hands.hold(charges.iter().map(|charge| &charge.key));
        let now = self.now();
        let mut look = |charge: &Charge| held.get(&charge.key).unwrap_or_default();
        let mut hands: Vec<_> = charges.iter().map(&mut look).collect();
        let mut fresh = [false; Charge::MAX_KEYS];
        let uncounted = Metrics::none();
        let counts = &self.metrics.get().unwrap_or(&uncounted).handles;
        for ((place, charge), tally) in lacking.iter().zip(tallies) {
            if let (Some(hand), Some(fresh)) = (hands.get_mut(*place), fresh.get_mut(*place)) {
                let lapsed = hand.fill(charge, tally, sent, now, self.lease);
                counts.limit_leases.increment(1);
                counts.limit_leased_permits.increment(tally.taken.into());
                counts.limit_lapsed_permits.increment(lapsed.into());
                *fresh = true;
            }
        }
        let met = charges.iter().zip(&hands).zip(fresh).all(|((charge, hand), fresh)| {
            // A batch that has just arrived counts even if a lease is shorter than the round trip.
            fresh || hand.has(charge.min_permits, now)
        });
        let mut given = Vec::with_capacity(charges.len());
        for (charge, hand) in charges.iter().zip(&mut hands) {
            if met {
                hand.give(charge.min_permits);
                given.push(hand.tally(charge, charge.min_permits, now));
            }
            held.put(&charge.key, *hand, hand.kept_until(self.lease), now);
        }
        met.then_some(Charged { admitted: true, tallies: given, began_at: None })
    }

    /// Remembers which keys refuse, and for how long they are not asked again.
    fn refuse(
        &self,
        charges: &[Charge],
        lacking: &[(usize, Charge)],
        mut tallies: Vec<ChargeOutcome>,
    ) -> Charged {
        let mut held = self.hands.hold(charges.iter().map(|charge| &charge.key));
        let now = self.now();
        let mut all = Vec::with_capacity(charges.len());
        for (place, charge) in charges.iter().enumerate() {
            let mut hand = held.get(&charge.key).unwrap_or_default();
            let asked = lacking.iter().position(|(lacking, _)| *lacking == place);
            if let Some(tally) = asked.and_then(|asked| tallies.get_mut(asked)) {
                hand.refuse(charge, tally, self.lease, now);
                held.put(&charge.key, hand, hand.kept_until(self.lease), now);
            }
            all.push(hand.tally(charge, 0, now));
        }
        Charged { admitted: false, tallies: all, began_at: None }
    }

    async fn turns(&self, lacking: &[(usize, Charge)]) -> Vec<MutexGuard<'_, ()>> {
        let number = |key: &LimitKey| key.spread() as usize % TURNS;
        let mut numbers: Vec<_> = lacking.iter().map(|(_, charge)| number(&charge.key)).collect();
        // In one order, so that there is no deadlock.
        numbers.sort_unstable();
        numbers.dedup();
        let mut turns = Vec::with_capacity(numbers.len());
        for turn in numbers.into_iter().filter_map(|number| self.turns.get(number)) {
            turns.push(turn.lock().await);
        }
        turns
    }

    async fn look(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        let mut charged = self.store.charge(charges).await?;
        let mut held = self.hands.hold(charges.iter().map(|charge| &charge.key));
        let now = self.now();
        for (charge, tally) in charges.iter().zip(&mut charged.tallies) {
            let hand = held.get(&charge.key).unwrap_or_default();
            tally.in_hand = hand.tally(charge, 0, now).in_hand;
        }
        Ok(charged)
    }
}

#[async_trait]
impl LimitStore for LeasedLimits {
    fn use_metrics(&self, metrics: &Metrics) {
        self.store.use_metrics(metrics);
        let _kept = self.metrics.set(metrics.clone());
    }

    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        Charge::check(charges)?;
        if charges.iter().all(|charge| charge.max_permits == 0) {
            return self.look(charges).await;
        }
        for _ in 0..LEASE_ATTEMPTS {
            let lacking = match self.take(charges) {
                Known::Admitted(charged) | Known::Refused(charged) => return Ok(charged),
                Known::Lacking(lacking) => lacking,
            };
            let _turns = self.turns(&lacking).await;
            // Another call may have brought enough permits in the meantime.
            let lacking = match self.take(charges) {
                Known::Admitted(charged) | Known::Refused(charged) => return Ok(charged),
                Known::Lacking(lacking) => lacking,
            };
            let batches: Vec<_> = lacking.iter().map(|(_, batch)| *batch).collect();
            let sent = self.now();
            let Charged { admitted, tallies, began_at } = self.store.charge(&batches).await?;
            if !admitted {
                return Ok(Charged { began_at, ..self.refuse(charges, &lacking, tallies) });
            }
            if let Some(charged) = self.fill(charges, &lacking, &tallies, sent) {
                return Ok(Charged { began_at, ..charged });
            }
        }
        let exactly = |charge: &Charge| Charge { max_permits: charge.min_permits, ..*charge };
        self.store.charge(&charges.iter().map(exactly).collect::<Vec<_>>()).await
    }
}
