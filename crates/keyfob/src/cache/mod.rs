//! The cache of active tokens. It answers without asking the store, as long as the store's invalidation
//! feed confirms that nothing has changed.
//!
//! | module | what |
//! |---|---|
//! | `table` | the table: fixed-size entries under sequence locks |
//! | `overflow` | the bytes that do not fit into an entry |
//! | `unknown` | ids that the store did not know a moment ago |
//! | `flight` | loads in progress |
//! | `config` | the size of the cache, and its maximum staleness |
//!
//! The [`InvalidationListener`] decides whether an entry is current. The read path writes nothing that two
//! cores share: no lock, no reference count, no list of recent uses. Each of these costs many times more
//! than the lookup itself when many cores use one token.

pub(crate) mod active;
mod config;
mod flight;
mod layout;
mod overflow;
mod table;
mod unknown;

use std::sync::{Arc, Mutex, PoisonError};

pub use active::ActiveToken;
pub(crate) use active::{ByOther, Other};
pub use config::{CacheConfig, CacheReport};
pub(crate) use flight::Flight;
use keyfob_core::bearer::{BearerDigest, ID_DIGITS, IdDigits, ParseBearerError, Presented};
use keyfob_core::id::{LaneCount, TokenId};
use keyfob_core::time::Timestamp;
use keyfob_core::token::Token;
use keyfob_metrics::Metrics;
use keyfob_store::atomic;
use keyfob_store::{Epochs, InvalidationListener, InvalidationSlot, LoadVersion};
use layout::CONTENT;
use overflow::Overflow;
use table::{Content, Priority, Slot, Table};

/// The layout of an entry's content: 16 bytes of the digest, then these words, then the token. If a
/// token is too large for its entry, the last word says where the rest of it is.
const END_AND_LENGTH: usize = 2;
const TICKET: usize = 3;
const TOKEN: usize = 4;
const TAIL: usize = CONTENT - 1;
/// How many words of a token fit into an entry.
const INLINE: usize = CONTENT - TOKEN;
/// How many words of a larger token are in its entry.
const INLINE_OF_LARGER: usize = INLINE - 1;
/// How many words hold a usual token. To clear a buffer for the longest token takes half as long as a
/// digest.
const USUAL_WORDS: usize = 32;
/// Maximum size of a token in words. A larger token is not cached.
const MAX_WORDS: usize = 256;

/// Tokens that were found active.
pub(crate) struct Cache {
    watcher: Arc<InvalidationListener>,
    table: Table,
    overflow: Overflow,
    unknown: unknown::Unknown,
    flights: flight::Flights,
    writing: Mutex<()>,
    max_tokens: usize,
    metrics: Metrics,
}

/// What the cache knows about a presented bearer token.
pub(crate) enum Found<R, C> {
    /// Its token is active. This is what was read of it.
    Active(R),
    /// No token has this bearer token.
    Unknown,
    /// Nothing that is current. Returns the context of the lookup.
    Nothing(C),
}

/// A use of a token that was found.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    slot: Slot<'a>,
    mark: u64,
}

/// An entry that was found under a presented id.
struct Entry<'a> {
    content: &'a Content,
    slot: Slot<'a>,
    /// The bytes of its token.
    token: &'a [u8],
}

/// What to store for a token.
pub(crate) struct Keep<'a> {
    /// The token. It is active.
    pub(crate) bytes: &'a [u8],
    /// The digest of its bearer token.
    pub(crate) digest: &'a BearerDigest,
    /// Until when it is active, unless it changes.
    pub(crate) end: Timestamp,
    /// When its next use has to be recorded.
    pub(crate) note_at: Timestamp,
    /// The current time.
    pub(crate) now: Timestamp,
}

impl Cache {
    pub(crate) fn new(config: CacheConfig, lanes: LaneCount, metrics: &Metrics) -> Option<Self> {
        let max_tokens = config.max_tokens();
        (max_tokens > 0).then(|| Self {
            watcher: InvalidationListener::measured(lanes, config.max_staleness(), metrics.clone()),
            table: Table::new(max_tokens),
            overflow: Overflow::new(max_tokens * config::OVERFLOW_WORDS),
            unknown: unknown::Unknown::new(),
            flights: flight::Flights::default(),
            writing: Mutex::default(),
            max_tokens,
            metrics: metrics.clone(),
        })
    }

    pub(crate) fn watcher(&self) -> &Arc<InvalidationListener> {
        &self.watcher
    }

    /// Looks up a presented bearer token, and calls `read` if its token is active at `now`.
    ///
    /// `read` is given `context`, which comes back if there was nothing to read.
    ///
    /// # Errors
    /// When the digits of the id are not those of an id.
    #[inline]
    pub(crate) fn look<R, C>(
        &self,
        bearer: &Presented<'_>,
        now: Timestamp,
        context: C,
        read: impl FnOnce(&ActiveToken<'_>, Use<'_>, C) -> R,
    ) -> Result<Found<R, C>, ParseBearerError> {
        let mut content = [0; CONTENT];
        let Some(slot) = self.table.read(fingerprint(bearer.id_digits()), &mut content) else {
            let id = bearer.id()?;
            let is_unknown = self.unknown.has(id, now) && self.watcher.is_trusted(id.lane());
            return Ok(if is_unknown { Found::Unknown } else { Found::Nothing(context) });
        };
        let (end, length) = end_and_length(&content);
        Ok(if end <= now.as_millis() {
            Found::Nothing(context)
        } else if length <= 8 * INLINE {
            let token: &[u8] = bytemuck::cast_slice(&content[TOKEN..]);
            let token = token.get(..length).unwrap_or_default();
            self.read_proven(bearer, &Entry { content: &content, slot, token }, now, context, read)
        } else if length <= 8 * USUAL_WORDS {
            self.look_at_overflow::<USUAL_WORDS, _, _>(
                bearer,
                (&content, slot, length),
                now,
                context,
                read,
            )
        } else {
            self.look_at_overflow::<MAX_WORDS, _, _>(
                bearer,
                (&content, slot, length),
                now,
                context,
                read,
            )
        })
    }

    #[inline(never)]
    fn look_at_overflow<const WORDS: usize, R, C>(
        &self,
        bearer: &Presented<'_>,
        (content, slot, length): (&Content, Slot<'_>, usize),
        now: Timestamp,
        context: C,
        read: impl FnOnce(&ActiveToken<'_>, Use<'_>, C) -> R,
    ) -> Found<R, C> {
        let mut words = [0; WORDS];
        let (inline, tail) = words.split_at_mut(INLINE_OF_LARGER);
        inline.copy_from_slice(&content[TOKEN..TAIL]);
        let tail = tail.get_mut(..length.div_ceil(8) - INLINE_OF_LARGER);
        if !tail.is_some_and(|tail| self.overflow.read(content[TAIL], tail)) {
            return Found::Nothing(context);
        }
        let token: &[u8] = bytemuck::cast_slice(&words);
        let token = token.get(..length).unwrap_or_default();
        self.read_proven(bearer, &Entry { content, slot, token }, now, context, read)
    }

    /// Calls `read` if the entry is current and the bearer token belongs to it.
    #[inline]
    fn read_proven<R, C>(
        &self,
        bearer: &Presented<'_>,
        entry: &Entry<'_>,
        now: Timestamp,
        context: C,
        read: impl FnOnce(&ActiveToken<'_>, Use<'_>, C) -> R,
    ) -> Found<R, C> {
        let Entry { content, slot, token } = *entry;
        let end = Timestamp::from_millis(end_and_length(content).0);
        let mut token = ActiveToken::over(bearer.id_digits(), end, token);
        let half = bearer.half_digest();
        let [first, second] = digest_words(half);
        // In constant time: the comparison covers all bytes before it decides.
        let is_proven = (first ^ content[0]) | (second ^ content[1]) == 0;
        let load_version = LoadVersion::from_number(content[TICKET]);
        if !self.watcher.is_current(token.lane(), load_version, token.cells()) {
            return Found::Nothing(context);
        }
        if bearer.kind() != token.kind() {
            return Found::Unknown;
        }
        if !is_proven {
            match token.by_other_secret(half, now) {
                ByOther::Proven(by_older) => token = by_older,
                ByOther::Unproven => return Found::Unknown,
                ByOther::AskStore => return Found::Nothing(context),
            }
        }
        let mark = slot.mark();
        if mark & 1 == 0 {
            slot.set_mark(mark, mark | 1);
        }
        Found::Active(read(&token, Use { slot, mark: mark | 1 }, context))
    }

    /// Stores a token that was loaded under `load_version`.
    pub(crate) fn keep(&self, load_version: LoadVersion, id: TokenId, keep: &Keep<'_>) {
        let Keep { bytes, digest, end, note_at, now } = keep;
        // A token that ends before its next use would only waste a slot.
        if bytes.len() > 8 * MAX_WORDS || !self.watcher.is_current(id.lane(), load_version, []) {
            return;
        }
        let mut content = [0; CONTENT];
        content[..2].copy_from_slice(&digest_words(digest.half()));
        content[END_AND_LENGTH] = end.as_millis() << 16 | bytes.len() as u64;
        content[TICKET] = load_version.number();
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() <= 8 * INLINE {
            put_words(&mut content[TOKEN..], bytes);
        } else {
            let (inline, rest) = bytes.split_at(8 * INLINE_OF_LARGER);
            put_words(&mut content[TOKEN..TAIL], inline);
            let mut tail = [0; MAX_WORDS - INLINE_OF_LARGER];
            let tail = &mut tail[..rest.len().div_ceil(8)];
            put_words(tail, rest);
            let Some(place) = self.overflow.write(tail) else { return };
            content[TAIL] = place;
        }
        let key = fingerprint(IdDigits::write(id, &mut [0; ID_DIGITS]));
        let mark = note_at.as_millis() << 1;
        let gone =
            self.table.write(key, &content, mark, |old, mark| self.priority(old, mark, *now));
        self.metrics.handles.cache_fills.increment(1);
        if gone.is_some_and(|gone| gone > Priority::Dead) {
            self.metrics.handles.cache_evictions.increment(1);
        }
    }

    fn priority(&self, content: &Content, mark: u64, now: Timestamp) -> Priority {
        let (end, length) = end_and_length(content);
        let has_tail = length <= 8 * INLINE || self.overflow.is_there(content[TAIL]);
        if end <= now.as_millis() || !has_tail {
            Priority::Dead
        } else if mark & 1 == 0 {
            Priority::Idle
        } else {
            Priority::Used
        }
    }

    /// Remembers that the store does not know an id.
    pub(crate) fn keep_unknown(&self, id: TokenId, now: Timestamp) {
        self.unknown.put(id, now);
    }

    /// Begins a load, unless another request is loading the same id.
    pub(crate) fn begin_load(&self, id: TokenId) -> Option<Flight<'_>> {
        self.flights.begin(id)
    }

    /// Waits while another request is loading the id. Returns whether one was.
    pub(crate) async fn wait_for_load(&self, id: TokenId) -> bool {
        self.flights.wait(id, &self.metrics).await
    }

    pub(crate) fn report(&self) -> CacheReport {
        let bytes = self.table.bytes() + self.overflow.bytes() + config::FIXED_BYTES;
        CacheReport::new(self.table.taken(), self.max_tokens as u64, bytes)
    }

    /// Updates the gauges: how full the cache is, and how many lanes are trusted.
    pub(crate) fn publish(&self) {
        let (report, handles) = (self.report(), &self.metrics.handles);
        handles.cache_entries.set(report.tokens as f64);
        handles.cache_most_entries.set(report.max_tokens as f64);
        handles.cache_bytes.set(report.bytes as f64);
        self.watcher.publish();
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("report", &self.report()).finish_non_exhaustive()
    }
}

impl Use<'_> {
    /// Claims the recording of this use among uses at the same time. The next use to be recorded is then at
    /// the time that `next` returns.
    pub(crate) fn is_due(self, now: Timestamp, next: impl FnOnce() -> Timestamp) -> bool {
        if now.as_millis() < self.mark >> 1 {
            return false;
        }
        self.slot.set_mark(self.mark, next().as_millis() << 1 | 1)
    }
}

/// Encodes a token for an entry that ends at `end`, with the slots that invalidate it and what is
/// known of its other secret.
pub(crate) fn bytes_of(token: &Token, end: Timestamp, epochs: &Epochs, other: Other) -> Vec<u8> {
    let fields = epochs.fields().filter_map(|(_, field)| field).map(InvalidationSlot::of_field);
    let record = InvalidationSlot::of_record(token.id.local());
    active::write(token, end, std::iter::once(record).chain(fields), other)
}

/// The key of an id in the table.
///
/// The digest proves the id too, so this only has to tell the ids of cached tokens apart. Two of a
/// million have the same with a probability of 1 to 37 million. Then one of them is refused while
/// the other is cached; no wrong one is accepted.
#[inline]
fn fingerprint(digits: IdDigits<'_>) -> u64 {
    let folded = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let [first, second, third] = digits.words();
    let random = folded(first ^ 0x9E37_79B9_7F4A_7C15, second ^ 0xD6E8_FEB8_6659_FD93);
    folded(random ^ third, 0xA076_1D64_78BD_642F)
}

/// Half of a digest: 128 bits are enough that no other secret of the same id can be found.
fn digest_words([a, b, c, d]: [u32; 4]) -> [u64; 2] {
    [u64::from(a) << 32 | u64::from(b), u64::from(c) << 32 | u64::from(d)]
}

/// Writes bytes into words that have room for them.
fn put_words(words: &mut [u64], bytes: &[u8]) {
    bytemuck::cast_slice_mut(words)[..bytes.len()].copy_from_slice(bytes);
}

fn end_and_length(content: &Content) -> (u64, usize) {
    let word = content[END_AND_LENGTH];
    (word >> 16, (word & 0xffff) as usize)
}

#[cfg(test)]
mod tests;
