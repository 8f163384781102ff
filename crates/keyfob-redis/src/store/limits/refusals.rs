//! Keys that refused recently.
//!
//! If a key has no room, it is known until when. Until then the key does not have to be asked.
//! Above all, no other key need hold permits that are then given back. What those keys drain while
//! they hold permits is lost to them, so a client that is refused ten thousand times a second would
//! use up the limits of others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyfob_limit::{Charge, ChargeOutcome, Charged, LimitKey, Meter};
use keyfob_store::{Timestamp, Ttl};

/// The maximum number of keys that are remembered. With more, all are forgotten and asked again.
const MAX_KEYS: usize = 16_384;

/// The maximum time that a refusal is remembered, so that a limit that is reset is soon noticed.
const MAX_RETENTION: Duration = Duration::from_secs(1);

/// The recent refusal of each key.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<LimitKey, Refusal>>);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// A charge of this number of permits or more is refused.
    permits: u32,
    /// The debt is in its units, and its burst was used up.
    meter: Meter,
    tally: ChargeOutcome,
    received_at: Instant,
    ends_at: Instant,
}

impl Refusals {
    /// Returns the answer to charges if one of them was refused recently. Nothing is known of the others.
    pub(super) fn answer(&self, charges: &[Charge]) -> Option<Charged> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return None;
        }
        let now = Instant::now();
        let refusal = |charge: &Charge| {
            let refusal = known.get(&charge.key)?;
            let is_same = charge.meter == refusal.meter && charge.min_permits >= refusal.permits;
            (refusal.ends_at > now && is_same).then_some(refusal)
        };
        charges.iter().find_map(refusal)?;
        let tally = |charge: &Charge| match refusal(charge) {
            Some(refusal) => {
                let passed = Ttl::from_millis(refusal.received_at.elapsed().as_millis() as u64);
                let store_now = refusal.tally.now;
                let store_now = passed.map_or(store_now, |passed| store_now + passed);
                charge.tally(refusal.tally.level, store_now)
            }
            None => charge.tally(Default::default(), Timestamp::default()),
        };
        Some(Charged {
            admitted: false,
            tallies: charges.iter().map(tally).collect(),
            began_at: None,
        })
    }

    /// Remembers the refusal of a key, if it refused. The refusal is forgotten a millisecond early, so a
    /// caller that waits for the time it was given is not refused from memory.
    pub(super) fn remember(&self, charge: &Charge, tally: &ChargeOutcome) {
        let wait = charge.meter.wait(tally.level, charge.min_permits, tally.now).ok().flatten();
        let Some(wait) = wait.filter(|wait| wait.as_millis() > 1) else { return };
        let received_at = Instant::now();
        let ends_at =
            received_at + wait.as_duration().min(MAX_RETENTION) - Duration::from_millis(1);
        let (permits, meter) = (charge.min_permits, charge.meter);
        let refusal = Refusal { permits, meter, tally: *tally, received_at, ends_at };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEYS {
            known.clear();
        }
        known.insert(charge.key, refusal);
    }
}
