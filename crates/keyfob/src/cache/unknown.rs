//! Ids that the store did not know a moment ago: a small table whose entries expire.
//!
//! It does not have to be notified of inserts. Ids are random, and a bearer token cannot be
//! presented before its insert was acknowledged. A load that was sent before the insert, and found
//! nothing, is forgotten within a second.

use super::atomic::{AtomicU64, Ordering, zeroed};
use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;

const PLACES: usize = 4096;
/// For how many steps of 16 ms an id is remembered.
const STEPS: u64 = 62;
const STEP_BITS: u32 = 20;
const STEP_MASK: u64 = (1 << STEP_BITS) - 1;

/// The table. Each entry is one word: 44 bits of an id, and when it was not found.
#[derive(Debug)]
pub(super) struct Unknown(Box<[AtomicU64]>);

impl Unknown {
    pub(super) fn new() -> Self {
        Self(zeroed(PLACES))
    }

    pub(super) fn put(&self, id: TokenId, now: Timestamp) {
        let (place, tag) = Self::place(id);
        if let Some(word) = self.0.get(place) {
            word.store(tag << STEP_BITS | step(now), Ordering::Relaxed);
        }
    }

    /// Returns whether the store did not know the id within the last second.
    pub(super) fn has(&self, id: TokenId, now: Timestamp) -> bool {
        let (place, tag) = Self::place(id);
        let word = self.0.get(place).map_or(0, |word| word.load(Ordering::Relaxed));
        let age = step(now).wrapping_sub(word & STEP_MASK) & STEP_MASK;
        word >> STEP_BITS == tag && age < STEPS
    }

    /// All random bits of an id go into the index or the entry.
    fn place(id: TokenId) -> (usize, u64) {
        let id = u128::from_be_bytes(*id.as_bytes());
        let (high, low) = ((id >> 64) as u64, id as u64);
        let mixed = low.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ high.rotate_left(29);
        ((mixed >> 52) as usize, (mixed & ((1 << 44) - 1)).max(1))
    }
}

fn step(now: Timestamp) -> u64 {
    (now.as_millis() / 16) & STEP_MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::time::Ttl;

    #[test]
    fn an_unknown_id_is_remembered_for_a_second() {
        let unknown = Unknown::new();
        let start = Timestamp::from_millis(1_795_000_000_000);
        let (id, other) = (TokenId::from_bytes([1; 16]), TokenId::from_bytes([2; 16]));
        assert!(!unknown.has(id, start) && !unknown.has(id, Timestamp::default()));
        unknown.put(id, start);
        assert!(unknown.has(id, start) && !unknown.has(other, start));
        assert!(unknown.has(id, start + Ttl::from_millis(900).unwrap()));
        assert!(!unknown.has(id, start + Ttl::from_secs(1)));
        assert!(
            !unknown.has(id, start.saturating_sub(Ttl::from_secs(1))),
            "an entry from the future is ignored"
        );
    }
}
