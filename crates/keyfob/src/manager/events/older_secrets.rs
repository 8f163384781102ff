//! Paces the observations that keys were used by their older secret: one for each key and interval, however
//! often its newest secret is used.

use std::sync::atomic::{AtomicU64, Ordering};

use keyfob_core::id::TokenId;
use keyfob_core::time::{Timestamp, Ttl};

/// Keys that share a slot replace each other, and may then be observed more often.
const SLOTS: usize = 1 << 8;
/// The bits of a slot that have the time in milliseconds. The others tell keys apart.
const TIME_BITS: u32 = 48;
const TIME: u64 = (1 << TIME_BITS) - 1;

#[derive(Debug)]
pub(super) struct OlderSecretPace {
    /// For the key of each slot, when its next use is observed.
    slots: Box<[AtomicU64]>,
}

impl OlderSecretPace {
    pub(super) fn new() -> Self {
        Self { slots: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect() }
    }

    /// Returns whether this use is observed. Of several uses at the same time, one is.
    pub(super) fn is_due(&self, token: TokenId, now: Timestamp, interval: Ttl) -> bool {
        let hash = hash(token);
        let Some(slot) = self.slots.get(hash as usize % SLOTS) else { return true };
        let key = hash & !TIME;
        let known = slot.load(Ordering::Relaxed);
        if known & !TIME == key && now.as_millis() < known & TIME {
            return false;
        }
        let next = key | ((now + interval).as_millis() & TIME);
        slot.compare_exchange(known, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Mixes the bytes of an id that are unique in its lane.
fn hash(token: TokenId) -> u64 {
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = token.local().into_iter().fold(0xcbf2_9ce4_8422_2325, mix);
    hash ^ hash >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_due_once_in_an_interval() {
        let pace = OlderSecretPace::new();
        let (hour, at) = (Ttl::from_hours(1), Timestamp::from_millis);
        let token = |n: u8| TokenId::from_bytes([n; 16]);
        let start = 1_795_000_000_000;
        let end = start + hour.as_millis();
        assert!(pace.is_due(token(1), at(start), hour));
        assert!(!pace.is_due(token(1), at(start), hour));
        assert!(pace.is_due(token(2), at(start), hour), "another key has its own interval");
        assert!(!pace.is_due(token(1), at(end - 1), hour));
        assert!(pace.is_due(token(1), at(end), hour));
        assert!(!pace.is_due(token(1), at(end), hour));
        assert!(pace.is_due(token(3), Timestamp::MAX, hour));
    }
}
