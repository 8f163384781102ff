//! Limits whose permits this process takes in batches from a store that others share.
//!
//! A **hand** holds the permits of one key that were taken and not yet given out. They lapse at the
//! end of a **lease**, counted from when they were asked for. So whatever is admitted at a time was
//! charged at most a lease before, and what was charged obeys the rate and the burst: in any time `w`
//! at most `burst + rate × (w + lease)` are admitted, by however many processes.
//!
//! A batch is as large as the demand of the last lease asked for: a cold key is asked for what a
//! call costs and no more, a hot one for up to what the rate gives in a lease. What lapses is lost
//! until it drains, at most a batch for each process and lease. A key that refuses is not asked again
//! before it has room, nor much more often than eight times a lease.

mod hand;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::hand::LocalPermits;
use super::table::Table;
use super::{Charge, ChargeOutcome, Charged, IntoLimitStore, LimitKey, LimitStore};
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::store_error::StoreError;
use keyfob_core::time::Ttl;
use keyfob_metrics::Metrics;

/// How many keys may be asked for at the same time, about.
const TURNS: usize = 256;

/// How often a call tries to get all it needs into the hand before it asks for exactly that.
const TRIES: usize = 4;

/// Takes permits from a store in batches, so that a hot key costs far less than a round trip for
/// each call.
///
/// ```
/// # fn with(shared: std::sync::Arc<dyn keyfob::limit::LimitStore>) -> Result<(), keyfob::InvalidValue> {
/// use keyfob::{LeasedLimits, Limits, Ttl};
///
/// let limits = Limits::new(LeasedLimits::new(shared, Ttl::from_millis(200)?)?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct LeasedLimits {
    store: Arc<dyn LimitStore>,
    lease: Ttl,
    hands: Table<LocalPermits>,
    /// Many who lack the same key ask for it once.
    turns: Box<[Mutex<()>]>,
    born: Instant,
    metrics: OnceLock<Metrics>,
}

/// What can be said of charges without asking.
enum Known {
    Admitted(Charged),
    Refused(Charged),
    /// The places of those that must be asked for, and the batch to ask for.
    Lacking(Vec<(usize, Charge)>),
}

impl LeasedLimits {
    /// The longest lease.
    pub const LONGEST: Ttl = Ttl::from_mins(1);

    /// Returns limits that take permits from `store`, each for the length of a lease. The store is
    /// given by value, or shared in an `Arc`.
    ///
    /// # Errors
    /// When the lease is longer than [`LeasedLimits::LONGEST`].
    pub fn new(store: impl IntoLimitStore, lease: Ttl) -> Result<Self, InvalidValue> {
        if lease > Self::LONGEST {
            return Err(InvalidValue::new(
                Field::Lease,
                InvalidReason::OutOfRange { allowed: "at most a minute" },
            ));
        }
        let turns = (0..TURNS).map(|_| Mutex::default()).collect();
        let (hands, born) = (Table::new(super::LocalLimits::PLACES), Instant::now());
        let store = store.into_limit_store();
        Ok(Self { store, lease, hands, turns, born, metrics: OnceLock::new() })
    }

    /// Sets where it counts permits that are leased and that lapse. Default: the metrics of the
    /// first manager, or [`Limiter`](crate::Limiter), that uses it.
    #[must_use]
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics: OnceLock::from(metrics), ..self }
    }

    /// Nanoseconds of a clock that never goes back.
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Gives out what is in the hand if that suffices for all charges.
    fn take(&self, charges: &[Charge]) -> Known {
        let mut held = self.hands.hold(charges.iter().map(|charge| &charge.key));
        let now = self.now();
        let mut look = |charge: &Charge| held.get(&charge.key).unwrap_or_default();
        let mut hands: Vec<_> = charges.iter().map(&mut look).collect();
        let both = || charges.iter().zip(&hands);
        if both().any(|(charge, hand)| hand.refuses(charge.least, now)) {
            let tallies = both().map(|(charge, hand)| hand.tally(charge, 0, now)).collect();
            return Known::Refused(Charged { admitted: false, tallies });
        }
        let lacking = both().enumerate().filter(|(_, (charge, hand))| !hand.has(charge.least, now));
        let lacking: Vec<_> = lacking
            .map(|(place, (charge, hand))| (place, hand.batch(charge, self.lease, now)))
            .collect();
        if !lacking.is_empty() {
            return Known::Lacking(lacking);
        }
        let mut tallies = Vec::with_capacity(charges.len());
        for (charge, hand) in charges.iter().zip(&mut hands) {
            hand.give(charge.least);
            tallies.push(hand.tally(charge, charge.least, now));
            held.put(&charge.key, *hand, hand.kept_until(self.lease), now);
        }
        Known::Admitted(Charged { admitted: true, tallies })
    }

    /// Puts what was asked for at `sent` into the hand, and gives out of it at once if all charges
    /// can be met: whoever asked does not lose to others what it was asked for.
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
        let mut fresh = [false; Charge::MOST];
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
            // What has just come counts even if a lease is shorter than the way to the store.
            fresh || hand.has(charge.least, now)
        });
        let mut given = Vec::with_capacity(charges.len());
        for (charge, hand) in charges.iter().zip(&mut hands) {
            if met {
                hand.give(charge.least);
                given.push(hand.tally(charge, charge.least, now));
            }
            held.put(&charge.key, *hand, hand.kept_until(self.lease), now);
        }
        met.then_some(Charged { admitted: true, tallies: given })
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
        Charged { admitted: false, tallies: all }
    }

    async fn turns(&self, lacking: &[(usize, Charge)]) -> Vec<MutexGuard<'_, ()>> {
        let number = |key: &LimitKey| key.spread() as usize % TURNS;
        let mut numbers: Vec<_> = lacking.iter().map(|(_, charge)| number(&charge.key)).collect();
        // In one order, so that nobody waits in a circle.
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
        if charges.iter().all(|charge| charge.most == 0) {
            return self.look(charges).await;
        }
        for _ in 0..TRIES {
            let lacking = match self.take(charges) {
                Known::Admitted(charged) | Known::Refused(charged) => return Ok(charged),
                Known::Lacking(lacking) => lacking,
            };
            let _turns = self.turns(&lacking).await;
            // Who had the turn meanwhile may have brought enough.
            let lacking = match self.take(charges) {
                Known::Admitted(charged) | Known::Refused(charged) => return Ok(charged),
                Known::Lacking(lacking) => lacking,
            };
            let batches: Vec<_> = lacking.iter().map(|(_, batch)| *batch).collect();
            let sent = self.now();
            let Charged { admitted, tallies } = self.store.charge(&batches).await?;
            if !admitted {
                return Ok(self.refuse(charges, &lacking, tallies));
            }
            if let Some(charged) = self.fill(charges, &lacking, &tallies, sent) {
                return Ok(charged);
            }
        }
        let exactly = |charge: &Charge| Charge { most: charge.least, ..*charge };
        self.store.charge(&charges.iter().map(exactly).collect::<Vec<_>>()).await
    }
}
