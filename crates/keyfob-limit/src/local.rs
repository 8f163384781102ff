//! Limits in this process: for a single node, or where each node may have a limit of its own.
//!
//! governor, the usual crate for this, decides one key at a time and gives nothing back, so that
//! several limits could not be charged all or none; it forgets keys only when it is told to walk
//! over all of them, and brings a clock of its own. This is the same algorithm over a table that is
//! bounded.

use std::sync::Arc;

use async_trait::async_trait;

use super::table::Table;
use super::{Charge, Charged, Level, LimitStore};
use keyfob_core::clock::{Clock, SystemClock};
use keyfob_core::store_error::StoreError;

/// Keeps what is owed in the memory of this process.
///
/// It has places for so many keys that owe something. When they run out, it forgets a key that owes
/// little: have four times as many as you expect.
#[derive(Debug)]
pub struct LocalLimits {
    table: Table<Level>,
    clock: Arc<dyn Clock>,
}

impl LocalLimits {
    /// How many places there are unless it is said: 65,536, of 40 bytes.
    pub const PLACES: usize = 65_536;

    /// With places for [`LocalLimits::PLACES`] keys, on the system's clock.
    pub fn new() -> Self {
        Self::with(Self::PLACES, SystemClock)
    }

    /// With places for about so many keys, on this clock.
    pub fn with(places: usize, clock: impl Clock + 'static) -> Self {
        Self { table: Table::new(places), clock: Arc::new(clock) }
    }

    fn charge_now(&self, charges: &[Charge]) -> Charged {
        let mut held = self.table.hold(charges.iter().map(|charge| &charge.key));
        // Read while the keys are held, so that nobody comes with an older time after it.
        let now = self.clock.now();
        let mut look = |charge: &Charge| {
            let known = held.get(&charge.key).unwrap_or_default();
            let tally = charge.tally(known, now);
            if tally.level.at < known.at {
                // The clock was set back. Drain from the new time on, whatever comes of the charge.
                let end = charge.meter.end(tally.level).as_millis();
                held.put(&charge.key, tally.level, end, now.as_millis());
            }
            tally
        };
        let mut tallies: Vec<_> = charges.iter().map(&mut look).collect();
        let admitted = charges.iter().zip(&tallies).all(|(charge, tally)| charge.fits(tally));
        if admitted {
            for (charge, tally) in charges.iter().zip(&mut tallies) {
                tally.taken = charge.meter.room(tally.level).min(charge.most);
                if tally.taken > 0 {
                    tally.level = charge.meter.charged(tally.level, tally.taken);
                    let end = charge.meter.end(tally.level).as_millis();
                    held.put(&charge.key, tally.level, end, now.as_millis());
                }
            }
        }
        Charged { admitted, tallies }
    }
}

impl Default for LocalLimits {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl LimitStore for LocalLimits {
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        Charge::check(charges)?;
        Ok(self.charge_now(charges))
    }
}
