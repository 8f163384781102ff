//! How often one address may try to sign in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use keyfob_core::Timestamp;

/// How many attempts an address has in one window.
const MAX_ATTEMPTS: u32 = 10;
/// The length of a window, in milliseconds.
const WINDOW_MS: u64 = 60_000;
/// The maximum number of addresses that are counted. If there are more, all share one count.
const MAX_ADDRESSES: usize = 10_000;

/// Counts attempts to sign in, by address. The API counts attempts that failed beside this.
#[derive(Debug)]
pub(crate) struct Throttle {
    attempts: Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    window: u64,
    by_address: HashMap<Option<IpAddr>, u32>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self { attempts: Mutex::default() }
    }

    /// Counts an attempt. Returns how many seconds to wait, if it is one too many.
    pub(crate) fn attempt(&self, address: Option<&IpAddr>, now: Timestamp) -> Option<u64> {
        let address = address.map(network);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_millis();
        let window = now / WINDOW_MS;
        if attempts.window != window {
            attempts.window = window;
            attempts.by_address.clear();
        }
        let is_known = attempts.by_address.contains_key(&address);
        let is_full = attempts.by_address.len() >= MAX_ADDRESSES;
        let counted = if is_known || !is_full { address } else { None };
        let count = attempts.by_address.entry(counted).or_default();
        *count = count.saturating_add(1);
        (*count > MAX_ATTEMPTS).then(|| (WINDOW_MS - now % WINDOW_MS).div_ceil(1_000))
    }
}

/// Returns the address, or of IPv6 the network of 64 bits that one subscriber usually has.
fn network(address: &IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_a_count() {
        let throttle = Throttle::new();
        let now = Timestamp::from_millis(600_000);
        for n in 0..MAX_ATTEMPTS {
            let one = address(&format!("2001:db8:0:1::{n:x}"));
            assert_eq!(throttle.attempt(Some(&one), now), None);
        }
        assert!(throttle.attempt(Some(&address("2001:db8:0:1:ffff::1")), now).is_some());
        assert_eq!(throttle.attempt(Some(&address("2001:db8:0:2::1")), now), None);
        assert_eq!(throttle.attempt(Some(&address("::ffff:192.0.2.1")), now), None);
    }

    #[test]
    fn an_address_waits_for_the_next_window() {
        let throttle = Throttle::new();
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let (one, other) = (Some(&one), Some(&other));
        let start = Timestamp::from_millis(600_000);
        for _ in 0..MAX_ATTEMPTS {
            assert_eq!(throttle.attempt(one, start), None);
        }
        assert_eq!(throttle.attempt(one, Timestamp::from_millis(601_500)), Some(59));
        assert_eq!(throttle.attempt(other, start), None);
        assert_eq!(throttle.attempt(one, Timestamp::from_millis(660_000)), None);
    }

    #[test]
    fn many_addresses_share_one_count_in_the_end() {
        let throttle = Throttle::new();
        let now = Timestamp::from_millis(600_000);
        for n in 0..MAX_ADDRESSES {
            let address = IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
            assert_eq!(throttle.attempt(Some(&address), now), None);
        }
        let more =
            (0..=MAX_ATTEMPTS).map(|n| throttle.attempt(Some(&[203, 0, 113, n as u8].into()), now));
        assert!(more.last().flatten().is_some());
    }
}
