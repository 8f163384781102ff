//! How large the cache is, and for how long silence is trusted.

use super::slots::Slots;
use crate::time::Ttl;

/// How many words there are for each token in the ring of what does not fit into an entry.
pub(super) const TAIL_WORDS: usize = 16;
/// What the cache takes however little it holds: the cells of the watcher and the unknown ids.
pub(super) const FIXED_BYTES: u64 = 8 * ((1 << 16) + 4096);
/// The last page of the table may be a page for little.
const PAGE: u64 = 4096;

/// How many tokens a manager keeps, and for how long it trusts that no news is good news.
///
/// ```
/// use keyfob::{CacheConfig, Ttl};
///
/// let settings = CacheConfig::default().max_tokens(1_000_000).with_bound(Ttl::from_secs(1));
/// assert!(settings.max_bytes() < 320_000_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheConfig {
    tokens: usize,
    bound: Ttl,
}

impl CacheConfig {
    /// No cache: every token is loaded from the store. The bound holds for what is loaded too.
    pub const OFF: Self = Self { tokens: 0, ..Self::DEFAULT };
    const LEAST_BOUND: Ttl = Ttl::saturating_from_millis(5);
    const DEFAULT: Self = Self { tokens: 100_000, bound: Ttl::saturating_from_millis(250) };

    /// Keeps at most so many tokens: 100,000 unless it is set. Memory is taken as they come.
    pub const fn max_tokens(self, tokens: usize) -> Self {
        Self { tokens, ..self }
    }

    /// How long after a revocation has returned a node may still decide "active": 250 ms unless it
    /// is set, and at least 5 ms. It cannot be shorter than a few round trips to the store, or
    /// nothing is decided without asking the store, and what the store says comes too late.
    pub fn with_bound(self, bound: Ttl) -> Self {
        Self { bound: bound.max(Self::LEAST_BOUND), ..self }
    }

    /// How many tokens are kept at most.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// How long after a revocation has returned a node may still decide "active".
    pub const fn bound(&self) -> Ttl {
        self.bound
    }

    /// The most memory that the cache takes, in bytes: half a mebibyte, about 180 for each token,
    /// and up to 128 more for each that says more than the usual.
    pub const fn max_bytes(&self) -> u64 {
        FIXED_BYTES + PAGE + Slots::max_bytes(self.tokens) + (self.tokens * TAIL_WORDS * 8) as u64
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a cache holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CacheReport {
    /// How many places are taken: each by a token that was active when it was last looked at.
    pub tokens: u64,
    /// How many there may be.
    pub most_tokens: u64,
    /// How many bytes they take, all told.
    pub bytes: u64,
    /// How often a bearer that was validated was found active in the cache.
    pub hits: u64,
    /// How often it had nothing that may be believed, and the store was asked.
    pub misses: u64,
}

impl CacheReport {
    pub(super) fn new(tokens: u64, most_tokens: u64, bytes: u64) -> Self {
        Self { tokens, most_tokens, bytes, hits: 0, misses: 0 }
    }
}
