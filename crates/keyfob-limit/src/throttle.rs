//! Addresses with too many failed attempts, remembered in this process, so that they are refused before
//! any store is asked.
//!
//! The debt is in the store of the limits, and is charged after an attempt has failed. A successful
//! attempt costs nothing. A node learns that an address is exhausted when it charges. So in addition to
//! what the policy admits, the token store sees at most the attempts of one address that were in
//! progress when a node learnt it, and one more from each other node.

use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Network;
use super::table::Table;
use keyfob_core::time::{Timestamp, Ttl};

/// About how many addresses are remembered.
const SLOTS: usize = 16_384;

/// A clock that went back by more than this was set.
const SET_BACK: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Throttle {
    /// For each address, the wait that was imposed, in milliseconds.
    table: Table<u64>,
    hasher: RandomState,
    /// When the last wait ends, so that without any throttled address nothing is looked up.
    last: AtomicU64,
}

impl Default for Throttle {
    fn default() -> Self {
        let (hasher, last) = (RandomState::new(), AtomicU64::new(0));
        Self { table: Table::new(SLOTS), hasher, last }
    }
}

impl Throttle {
    /// Returns how long an address still has to wait, or `None`.
    pub(super) fn wait(&self, network: Network, now: Timestamp) -> Option<Ttl> {
        let now = now.as_millis();
        if self.last.load(Ordering::Relaxed) <= now {
            return None;
        }
        let key = network.local_key(&self.hasher);
        let (told, ends) = self.table.hold([&key]).get_with_end(&key)?;
        let left = ends.checked_sub(now)?;
        // After the clock was set back, no address waits for as long as the clock was ahead.
        if left > told.saturating_add(SET_BACK) {
            return None;
        }
        Ttl::from_millis(left).ok()
    }

    /// Makes an address wait.
    pub(super) fn block(&self, network: Network, wait: Ttl, now: Timestamp) {
        let key = network.local_key(&self.hasher);
        let ends = (now + wait).as_millis();
        self.table.hold([&key]).put(&key, wait.as_millis(), ends, now.as_millis());
        self.last.fetch_max(ends, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(ip: &str) -> Network {
        crate::Ipv6Prefix::DEFAULT.network_of(ip.parse().unwrap())
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + secs * 1_000)
    }

    #[test]
    fn an_address_is_admitted_after_the_reported_wait() {
        let throttle = Throttle::default();
        let (one, other) = (network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(throttle.wait(one, at(0)), None);
        throttle.block(one, Ttl::from_secs(60), at(0));
        assert_eq!(throttle.wait(one, at(20)), Some(Ttl::from_secs(40)));
        assert_eq!(throttle.wait(other, at(20)), None);
        assert_eq!(throttle.wait(one, at(60)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_no_address() {
        let throttle = Throttle::default();
        let ip = network("2001:db8::1");
        throttle.block(ip, Ttl::from_secs(60), at(86_400));
        assert_eq!(throttle.wait(ip, at(0)), None);
        throttle.block(ip, Ttl::from_secs(60), at(0));
        assert_eq!(throttle.wait(ip, at(1)), Some(Ttl::from_secs(59)));
    }
}
