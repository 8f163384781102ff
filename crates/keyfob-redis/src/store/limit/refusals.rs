//! Keys that refused a moment ago.
//!
//! A key that has no room has none before a time that is known. Until then it need not be asked, and
//! above all no other key need hold permits that are given back: what these drain meanwhile is lost
//! to them, and whoever is refused ten thousand times a second would use up a limit of others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyfob_limit::{Charge, ChargeOutcome, Charged, LimitKey};
use keyfob_store::{Timestamp, Ttl};

/// So many are remembered. With more, all are asked again.
const MOST: usize = 16_384;

/// For so long at most, so that a limit that is reset is soon noticed.
const LONGEST: Duration = Duration::from_secs(1);

/// What is remembered of each key.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<LimitKey, Refusal>>);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// Who asks for so many or more is refused.
    permits: u32,
    tally: ChargeOutcome,
    heard: Instant,
    ends: Instant,
}

impl Refusals {
    /// The answer to charges of which one was refused a moment ago. Of the others nothing is known.
    pub(super) fn answer(&self, charges: &[Charge]) -> Option<Charged> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return None;
        }
        let now = Instant::now();
        let refusal = |charge: &Charge| {
            let refusal = known.get(&charge.key)?;
            (refusal.ends > now && charge.least >= refusal.permits).then_some(refusal)
        };
        charges.iter().find_map(refusal)?;
        let tally = |charge: &Charge| match refusal(charge) {
            Some(refusal) => {
                let passed = Ttl::from_millis(refusal.heard.elapsed().as_millis() as u64);
                let store_now = refusal.tally.now;
                let store_now = passed.map_or(store_now, |passed| store_now + passed);
                charge.tally(refusal.tally.level, store_now)
            }
            None => charge.tally(Default::default(), Timestamp::default()),
        };
        Some(Charged { admitted: false, tallies: charges.iter().map(tally).collect() })
    }

    /// Remembers that a key refused, if it did. Its time ends a millisecond early, so that whoever
    /// waits as they were told finds it over.
    pub(super) fn remember(&self, charge: &Charge, tally: &ChargeOutcome) {
        let wait = charge.meter.wait(tally.level, charge.least, tally.now).ok().flatten();
        let Some(wait) = wait.filter(|wait| wait.as_millis() > 1) else { return };
        let heard = Instant::now();
        let ends = heard + wait.as_duration().min(LONGEST) - Duration::from_millis(1);
        let refusal = Refusal { permits: charge.least, tally: *tally, heard, ends };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(charge.key, refusal);
    }
}
