//! Addresses that had too many failed attempts, known to this process, so that they are refused
//! before anything is asked of a store.
//!
//! What is owed lies in the store of the limits and is charged after an attempt has failed; an
//! attempt that succeeds costs nothing. A node learns that an address is exhausted when it charges.
//! So beyond what the policy admits, a store of tokens sees of one address at most the attempts that
//! were under way when a node learnt it, and one more from each other node.

use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::request::key_of_origin;
use super::table::Table;
use keyfob_core::time::{Timestamp, Ttl};

/// How many addresses are known at once, about.
const PLACES: usize = 16_384;

/// A clock that went back by more than this was set.
const SET_BACK: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Throttle {
    /// For each address, for how long it was to wait when it was told.
    table: Table<u64>,
    hasher: RandomState,
    /// When the last of them ends, so that in peace nothing is looked up.
    last: AtomicU64,
}

impl Default for Throttle {
    fn default() -> Self {
        let (hasher, last) = (RandomState::new(), AtomicU64::new(0));
        Self { table: Table::new(PLACES), hasher, last }
    }
}

impl Throttle {
    /// How long an address still has to wait; nothing if it need not.
    pub(super) fn wait(&self, ip: IpAddr, now: Timestamp) -> Option<Ttl> {
        let now = now.as_millis();
        if self.last.load(Ordering::Relaxed) <= now {
            return None;
        }
        let key = key_of_origin(ip, &self.hasher);
        let (told, ends) = self.table.hold([&key]).get_with_end(&key)?;
        let left = ends.checked_sub(now)?;
        // With a clock that was set back nobody waits for as long as it was ahead.
        if left > told.saturating_add(SET_BACK) {
            return None;
        }
        Ttl::from_millis(left).ok()
    }

    /// Has an address wait.
    pub(super) fn block(&self, ip: IpAddr, wait: Ttl, now: Timestamp) {
        let key = key_of_origin(ip, &self.hasher);
        let ends = (now + wait).as_millis();
        self.table.hold([&key]).put(&key, wait.as_millis(), ends, now.as_millis());
        self.last.fetch_max(ends, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + secs * 1_000)
    }

    #[test]
    fn an_address_waits_for_as_long_as_it_was_told() {
        let throttle = Throttle::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert_eq!(throttle.wait(one, at(0)), None);
        throttle.block(one, Ttl::from_secs(60), at(0));
        assert_eq!(throttle.wait(one, at(20)), Some(Ttl::from_secs(40)));
        assert_eq!(throttle.wait(other, at(20)), None);
        assert_eq!(throttle.wait(one, at(60)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let throttle = Throttle::default();
        let ip = "2001:db8::1".parse().unwrap();
        throttle.block(ip, Ttl::from_secs(60), at(86_400));
        assert_eq!(throttle.wait(ip, at(0)), None);
        throttle.block(ip, Ttl::from_secs(60), at(0));
        assert_eq!(throttle.wait(ip, at(1)), Some(Ttl::from_secs(59)));
    }
}
