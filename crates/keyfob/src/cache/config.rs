//! The size of the cache, and its maximum staleness.

use super::table::Table;
use keyfob_core::time::Ttl;

/// Words in the overflow ring for each token.
pub(super) const OVERFLOW_WORDS: usize = 16;
/// The fixed size of the cache: the slots of the invalidation listener and the unknown ids.
pub(super) const FIXED_BYTES: u64 = 8 * ((1 << 16) + 4096);
/// The last memory page of the table may be almost empty.
const PAGE: u64 = 4096;

/// The size of a manager's cache, and for how long a cached answer may be stale.
///
/// ```
/// use keyfob::{CacheConfig, Ttl};
///
/// let config = CacheConfig::default().with_max_tokens(1_000_000).with_max_staleness(Ttl::from_secs(1));
/// assert!(config.max_bytes() < 320_000_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheConfig {
    tokens: usize,
    max_staleness: Ttl,
}

impl CacheConfig {
    /// No cache: every token is loaded from the store. The maximum staleness applies to loads too.
    pub const OFF: Self = Self { tokens: 0, ..Self::DEFAULT };
    const MIN_STALENESS: Ttl = Ttl::saturating_from_millis(5);
    const DEFAULT: Self = Self { tokens: 100_000, max_staleness: Ttl::saturating_from_millis(250) };

    /// Sets the maximum number of cached tokens. Default: 100,000. Memory is used as tokens are cached.
    pub const fn with_max_tokens(self, tokens: usize) -> Self {
        Self { tokens, ..self }
    }

    /// Sets the maximum staleness: for how long after a revocation has returned a node may still decide
    /// "active". Default: 250 ms; minimum: 5 ms. It should not be shorter than a few round trips to the
    /// store. Otherwise every check asks the store, and answers of the store arrive too late.
    pub fn with_max_staleness(self, max_staleness: Ttl) -> Self {
        Self { max_staleness: max_staleness.max(Self::MIN_STALENESS), ..self }
    }

    /// Returns the maximum number of cached tokens.
    pub const fn max_tokens(&self) -> usize {
        self.tokens
    }

    /// Returns the maximum staleness.
    pub const fn max_staleness(&self) -> Ttl {
        self.max_staleness
    }

    /// Returns the maximum memory of the cache in bytes: half a mebibyte, about 155 for each token,
    /// and up to 128 more for each token that is larger than usual.
    pub const fn max_bytes(&self) -> u64 {
        FIXED_BYTES
            + PAGE
            + Table::max_bytes(self.tokens)
            + (self.tokens * OVERFLOW_WORDS * 8) as u64
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The state of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CacheReport {
    /// Entries in use: each holds a token that was active at the last lookup.
    pub tokens: u64,
    /// Maximum number of entries.
    pub max_tokens: u64,
    /// Memory in use, in bytes.
    pub bytes: u64,
    /// How often a validation found the token active in the cache.
    pub hits: u64,
    /// How often the cache had nothing current, and the store was asked.
    pub misses: u64,
}

impl CacheReport {
    pub(super) fn new(tokens: u64, max_tokens: u64, bytes: u64) -> Self {
        Self { tokens, max_tokens, bytes, hits: 0, misses: 0 }
    }
}
