//! Limits in this process: for a single node, or where each node may have its own limit.
//!
//! The usual crate for this, governor, decides one key at a time and cannot refund, so several limits
//! could not be charged all or none. It forgets keys only in a walk over all of them, and it has its own
//! clock. This is the same algorithm over a table of bounded size.

use std::sync::Arc;

use async_trait::async_trait;

use super::table::Table;
use super::{Charge, Charged, LimitStore, StoredLevel};
use keyfob_core::clock::{Clock, SystemClock};
use keyfob_core::store_error::StoreError;
use keyfob_core::time::Timestamp;

/// Keeps the debts in the memory of this process.
///
/// It has room for a fixed number of keys with a debt. When it is full, it forgets a key with little
/// debt. Give it room for four times as many keys as you expect.
#[derive(Debug)]
pub struct LocalLimits {
    table: Table<StoredLevel>,
    clock: Arc<dyn Clock>,
    began_at: Timestamp,
}

impl LocalLimits {
    /// The default number of slots: 65,536, of 40 bytes each.
    pub const SLOTS: usize = 65_536;

    /// Creates a table with [`LocalLimits::SLOTS`] slots, on the system's clock.
    pub fn new() -> Self {
        Self::with(Self::SLOTS, SystemClock)
    }

    /// Creates a table with about this many slots, on this clock.
    pub fn with(slots: usize, clock: impl Clock + 'static) -> Self {
        let began_at = clock.now();
        Self { table: Table::new(slots), clock: Arc::new(clock), began_at }
    }

    fn charge_now(&self, charges: &[Charge]) -> Charged {
        let mut held = self.table.hold(charges.iter().map(|charge| &charge.key));
        // The clock is read while the keys are locked, so that times never go backwards between calls.
        let now = self.clock.now();
        let mut look = |charge: &Charge| {
            let known = held.get(&charge.key).unwrap_or_default();
            let drained = known.drained(now);
            if drained.level.at < known.level.at {
                // The clock was set back. The debt drains from the new time on, whatever the result of the charge.
                held.put(&charge.key, drained, drained.end().as_millis(), now.as_millis());
            }
            charge.tally(charge.meter.from_stored(drained), now)
        };
        let mut tallies: Vec<_> = charges.iter().map(&mut look).collect();
        let admitted = charges.iter().zip(&tallies).all(|(charge, tally)| charge.fits(tally));
        if admitted {
            for (charge, tally) in charges.iter().zip(&mut tallies) {
                tally.taken = charge.meter.room(tally.level).min(charge.max_permits);
                if tally.taken > 0 {
                    tally.level = charge.meter.charged(tally.level, tally.taken);
                    let stored = charge.meter.to_stored(tally.level);
                    held.put(&charge.key, stored, stored.end().as_millis(), now.as_millis());
                }
            }
        }
        Charged { admitted, tallies, began_at: Some(self.began_at) }
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
