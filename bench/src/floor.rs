//! The floor: the shortest code that does what a cached check does. It checks the text, hashes one
//! block with SHA-256, probes a table once, compares, and reads the clock. It cannot revoke, has no
//! limits, and one thread fills it. V1 and V2 are compared with it.

use std::hint::black_box;

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};

use crate::contender::{Bearers, next};
use crate::measure::{coarse_millis, cpu_each};

const PREFIX: &[u8] = b"fob_";
/// The text before the body: the prefix, and the kind between two underscores.
const BEFORE: usize = 7;
const BODY: usize = 55;
const CHECK: usize = 6;
const LENGTH: usize = BEFORE + BODY + CHECK;

/// One entry, in a cache line of its own.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Slot {
    digest: [u8; 32],
    end: u64,
    is_taken: bool,
}

/// A table with free space, without indirection to its entries.
#[derive(Debug)]
pub(crate) struct Floor {
    slots: Vec<Slot>,
    mask: usize,
}

impl Floor {
    pub(crate) fn new(bearers: &Bearers) -> Self {
        let size = (bearers.len() * 2).next_power_of_two();
        let free = Slot { digest: [0; 32], end: 0, is_taken: false };
        let mut floor = Self { slots: vec![free; size], mask: size - 1 };
        for place in 0..bearers.len() {
            let digest = digest(bearers.at(place).as_bytes()).unwrap_or_default();
            let mut at = home(&digest) & floor.mask;
            while floor.slots.get(at).is_some_and(|slot| slot.is_taken) {
                at = (at + 1) & floor.mask;
            }
            if let Some(slot) = floor.slots.get_mut(at) {
                *slot = Slot { digest, end: u64::MAX >> 1, is_taken: true };
            }
        }
        floor
    }

    #[inline]
    fn find(&self, digest: &[u8; 32]) -> Option<&Slot> {
        let mut at = home(digest) & self.mask;
        loop {
            let slot = self.slots.get(at)?;
            if slot.digest == *digest {
                return Some(slot);
            }
            if !slot.is_taken {
                return None;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The whole check. Returns the token's end if it is active.
    #[inline]
    fn check(&self, text: &[u8]) -> Option<u64> {
        if text.len() != LENGTH || !text.starts_with(PREFIX) {
            return None;
        }
        let (checked, check) = text.split_at(LENGTH - CHECK);
        if number(check)? != u64::from(crc32fast::hash(checked)) {
            return None;
        }
        let slot = self.find(&digest(text)?)?;
        (coarse_millis() < slot.end).then_some(slot.end)
    }

    /// The digest and the probe alone.
    #[inline]
    fn probe(&self, text: &[u8]) -> Option<u64> {
        self.find(&digest(text)?).map(|slot| slot.end)
    }

    /// Returns nanoseconds of this thread for the whole check, over all bearer tokens in turn.
    pub(crate) fn check_each(&self, bearers: &Bearers, count: usize) -> Result<f64> {
        each(bearers, count, |text| self.check(text))
    }

    /// The same for the digest and the probe alone.
    pub(crate) fn probe_each(&self, bearers: &Bearers, count: usize) -> Result<f64> {
        each(bearers, count, |text| self.probe(text))
    }
}

#[inline]
fn each(bearers: &Bearers, count: usize, check: impl Fn(&[u8]) -> Option<u64>) -> Result<f64> {
    let (mut place, mut refused) = (0, 0);
    let nanos = cpu_each(count, || {
        for _ in 0..count {
            let end = black_box(check(bearers.at(place).as_bytes()));
            refused += usize::from(end.is_none());
            place = next(place, end.unwrap_or_default(), bearers.len());
        }
    });
    ensure!(refused == 0, "the floor refused {refused} of {count}");
    Ok(nanos)
}

#[inline]
fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let body: &[u8; BODY] = text.get(BEFORE..)?.first_chunk()?;
    Some(Sha256::digest(body).into())
}

#[inline]
fn home(digest: &[u8; 32]) -> usize {
    digest.first_chunk().map_or(0, |first| usize::from_ne_bytes(*first))
}

#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    let mut number = 0;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        number = number * 62 + u64::from(value);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender;

    #[test]
    fn it_finds_what_was_issued_and_nothing_else() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let contender = Contender::new(&runtime, 100).unwrap();
        let floor = Floor::new(&contender.bearers);
        for place in 0..100 {
            let mut text = contender.bearers.at(place).as_bytes().to_vec();
            assert!(floor.check(&text).is_some());
            text[20] ^= 1;
            assert!(floor.check(&text).is_none(), "a wrong checksum was accepted");
            assert!(floor.probe(&text).is_none(), "an unknown token was found");
        }
        assert!(floor.check(b"fob_at_short").is_none());
    }
}
