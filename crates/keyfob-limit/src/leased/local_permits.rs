//! The permits of one key that this process has leased and not yet given out. Times are nanoseconds of a
//! monotonic clock. The store's own time is known from its last answer.

use crate::{Charge, ChargeOutcome, Meter, StoredLevel};
use keyfob_core::time::{Timestamp, Ttl};

const NANOS: u64 = 1_000_000;

/// For how many leases the useful size of a batch is remembered.
const REMEMBERED: u64 = 8;

/// A key that refuses is asked again at the earliest after this fraction of a lease.
const PARTS: u64 = 8;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LocalPermits {
    left: u32,
    /// How many permits there were when they arrived.
    came: u32,
    /// When the remaining permits expire.
    lapses: u64,
    /// Requests for this many permits or more are refused until `paused`.
    refused: u32,
    paused: u64,
    /// The last answer of the store, by its own time, and when it arrived.
    level: StoredLevel,
    /// The meter of that answer.
    meter: Option<Meter>,
    said: Timestamp,
    heard: u64,
}

impl LocalPermits {
    pub(super) fn has(&self, permits: u32, now: u64) -> bool {
        permits <= self.good(now)
    }

    fn good(&self, now: u64) -> u32 {
        if self.lapses > now { self.left } else { 0 }
    }

    /// Returns whether there are too few permits, and asking for more does not help yet.
    pub(super) fn refuses(&self, charge: &Charge, now: u64) -> bool {
        let permits = charge.min_permits;
        // At another rate there may be room.
        let is_same_rate = self.meter == Some(charge.meter);
        self.paused > now && is_same_rate && permits >= self.refused && !self.has(permits, now)
    }

    pub(super) fn give(&mut self, permits: u32) {
        self.left = self.left.saturating_sub(permits);
    }

    /// Returns until when it is useful to keep.
    pub(super) fn kept_until(&self, lease: Ttl) -> u64 {
        self.lapses.saturating_add(lease.as_millis() * NANOS * REMEMBERED).max(self.paused)
    }

    /// Returns what to ask the store for.
    pub(super) fn batch(&self, charge: &Charge, lease: Ttl, now: u64) -> Charge {
        let wanted = if self.lapses > now {
            // The batch was used up before it expired.
            self.came.saturating_mul(2)
        } else if self.lapses.saturating_add(lease.as_millis() * NANOS) > now {
            self.came - self.left.min(self.came)
        } else {
            0
        };
        let max_permits = wanted.min(max_permits(charge.meter, lease)).max(charge.min_permits);
        Charge { max_permits, ..*charge }
    }

    /// Takes in the store's answer to a request that was sent at `sent`. Returns how many of the earlier
    /// permits expired unused.
    pub(super) fn fill(
        &mut self,
        asked: &Charge,
        tally: &ChargeOutcome,
        sent: u64,
        now: u64,
        lease: Ttl,
    ) -> u32 {
        let lapses = sent.saturating_add(lease.as_millis() * NANOS);
        let old = self.good(now);
        // The old permits are too few to be of use, or another call has just asked too.
        let (old, lapses) =
            if old < asked.min_permits { (0, lapses) } else { (old, lapses.min(self.lapses)) };
        let lapsed = self.left.saturating_sub(old);
        let came = tally.taken.saturating_add(old);
        *self = Self { left: came, came, lapses, refused: 0, paused: 0, ..*self };
        self.hear(asked, tally, now);
        if tally.taken < asked.max_permits {
            self.pause(asked, tally, lease, now);
        }
        lapsed
    }

    /// Takes in a refusal of the store.
    pub(super) fn refuse(&mut self, charge: &Charge, tally: &ChargeOutcome, lease: Ttl, now: u64) {
        self.hear(charge, tally, now);
        self.pause(charge, tally, lease, now);
    }

    /// There is more demand than permits: asking again immediately does not help.
    fn pause(&mut self, charge: &Charge, tally: &ChargeOutcome, lease: Ttl, now: u64) {
        let wait = |permits| {
            let wait = charge.meter.wait(tally.level, permits, tally.now).ok().flatten();
            wait.map_or(0, Ttl::as_millis) * NANOS
        };
        let needed = wait(charge.min_permits);
        if needed == 0 {
            // There was room for this key; another key refused.
            return;
        }
        // Wait a little longer, so that a batch is available, and never until the debt is gone,
        // after which permits would be lost.
        let max_permits = max_permits(charge.meter, lease);
        let batch = max_permits.min(charge.meter.burst() / 2).max(charge.min_permits);
        let lease = lease.as_millis() * NANOS;
        // Not longer than a lease, so that a limit that is raised or reset is noticed soon.
        let pause = wait(batch).min(lease / PARTS).max(needed).min(lease);
        (self.refused, self.paused) = (charge.min_permits, now.saturating_add(pause));
        // By then, any permits are of use.
        self.came = self.came.max(max_permits);
    }

    fn hear(&mut self, charge: &Charge, tally: &ChargeOutcome, now: u64) {
        let level = charge.meter.to_stored(tally.level);
        (self.level, self.said, self.heard) = (level, tally.now, now);
        self.meter = Some(charge.meter);
    }

    /// Returns the state of the key, as far as this process knows it.
    pub(super) fn tally(&self, charge: &Charge, taken: u32, now: u64) -> ChargeOutcome {
        let since = now.saturating_sub(self.heard) / NANOS;
        let store_now = Timestamp::from_millis(self.said.as_millis().saturating_add(since));
        let pause = self.paused.saturating_sub(now).div_ceil(NANOS);
        ChargeOutcome {
            taken,
            in_hand: self.good(now),
            level: charge.meter.from_stored(self.level.drained(store_now)),
            now: store_now,
            pause: if charge.min_permits >= self.refused {
                Ttl::from_millis(pause).ok()
            } else {
                None
            },
        }
    }
}

/// The maximum batch: what the rate gives in a lease, within the burst.
fn max_permits(meter: Meter, lease: Ttl) -> u32 {
    let given = lease.as_millis().saturating_mul(meter.drain()) / meter.permit();
    u32::try_from(given).unwrap_or(u32::MAX).min(meter.burst())
}
