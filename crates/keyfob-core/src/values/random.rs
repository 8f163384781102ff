//! Sources of randomness: the operating system, or a seed in tests.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::digest;

/// A source of random bytes.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `bytes` with random bytes.
    ///
    /// # Errors
    /// If the source fails. Then nothing may be issued.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable>;

    /// Returns a number from 0 to 1, for the random part of a wait. If the source fails it is 1, so that the whole wait is
    /// made.
    fn fraction(&self) -> f64 {
        let mut bytes = u32::MAX.to_le_bytes();
        let drawn = self.fill(&mut bytes).map_or(u32::MAX, |()| u32::from_le_bytes(bytes));
        f64::from(drawn) / f64::from(u32::MAX)
    }
}

/// The error of a source of randomness that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes: nothing can be issued safely")]
pub struct RandomUnavailable;

/// The random generator of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        getrandom::fill(bytes).map_err(|_| RandomUnavailable)
    }
}

/// A pseudorandom source that gives the same bytes for the same inputs, so that a retry draws the
/// same id and the same secret.
pub struct DerivedRandom {
    keyed: Hmac<Sha256>,
    block: AtomicU64,
}

impl DerivedRandom {
    /// Creates the source that `key` determines.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { keyed: digest::keyed(key), block: AtomicU64::new(0) }
    }
}

impl Random for DerivedRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        for chunk in bytes.chunks_mut(32) {
            let mut mac = self.keyed.clone();
            mac.update(&self.block.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&mac.finalize().into_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl std::fmt::Debug for DerivedRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DerivedRandom([redacted])")
    }
}

/// A reproducible source for tests and fuzzing: SHA-256 of a seed and a counter.
///
/// Never use it where a secret matters.
pub struct SeededRandom(Mutex<(u64, u64)>);

impl SeededRandom {
    /// Creates the source that `seed` determines.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        let mut state = self.0.lock().map_err(|_| RandomUnavailable)?;
        for chunk in bytes.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(state.0.to_le_bytes());
            hash.update(state.1.to_le_bytes());
            state.1 += 1;
            chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
        }
        Ok(())
    }
}

impl<T: Random + ?Sized> Random for Arc<T> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        (**self).fill(bytes)
    }
}

/// Returns `N` random bytes.
///
/// # Errors
/// If the source fails.
pub fn array<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomUnavailable> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}
