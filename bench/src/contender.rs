//! keyfob as a contender: a manager whose cache holds every token, and the bearer tokens.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use keyfob::cache::ActiveToken;
use keyfob::clock::SystemClock;
use keyfob::random::OsRandom;
use keyfob::store::LaneCount;
use keyfob::{CacheConfig, MemoryStore};
use keyfob::{TokenManager, ValidationChain};
use tokio::runtime::Runtime;

use crate::measure::cpu_each;
use crate::population::{self, Dice};

/// A manager, and bearer tokens in random order.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) manager: TokenManager,
    pub(crate) bearers: Bearers,
    chain: ValidationChain,
}

/// The texts of bearer tokens, all of one length, side by side. So reading the next one costs as much
/// as reading a request.
#[derive(Clone, Debug)]
pub(crate) struct Bearers {
    text: String,
    length: usize,
}

impl Bearers {
    /// Returns the bearer tokens in another order.
    pub(crate) fn shuffled(mut texts: Vec<String>) -> Self {
        Dice::new(5).shuffle(&mut texts);
        let length = texts.first().map_or(1, String::len);
        Self { text: texts.concat(), length }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len() / self.length
    }

    #[inline]
    pub(crate) fn at(&self, place: usize) -> &str {
        let start = place * self.length;
        self.text.get(start..start + self.length).unwrap_or_default()
    }
}

impl Contender {
    /// Issues `tokens` tokens, all of them in the cache.
    pub(crate) fn new(runtime: &Runtime, tokens: u64) -> Result<Self> {
        let store = MemoryStore::with(LaneCount::DEFAULT, Arc::new(SystemClock), &OsRandom)?;
        // A full cache drops a few in a hundred.
        let settings = CacheConfig::default().with_max_tokens(tokens as usize * 5 / 4 + 1_000);
        let manager = population::caching_manager(Arc::new(store), settings);
        let issued =
            runtime.block_on(population::issue(&manager, 0..tokens, 1, 1, population::indexed))?;
        let texts = issued.iter().map(|issued| issued.bearer.expose().to_owned());
        let bearers = Bearers::shuffled(texts.collect());
        let contender = Self { manager, bearers, chain: ValidationChain::new() };
        contender.check(runtime, tokens as usize)?;
        let kept = contender.manager.cache_report().context("there is no cache")?.tokens;
        ensure!(kept * 100 >= tokens * 99, "the cache kept {kept} of {tokens} tokens");
        Ok(contender)
    }

    /// Returns nanoseconds of this thread per check, over all tokens in turn. Each check begins when the
    /// previous one has its answer, as with requests: the position of the next text depends on it.
    pub(crate) fn check(&self, runtime: &Runtime, count: usize) -> Result<f64> {
        let mut outcome = Ok(());
        let nanos = cpu_each(count, || {
            outcome = runtime.block_on(async {
                let mut place = 0;
                for _ in 0..count {
                    let text = self.bearers.at(place);
                    let end = match self.manager.validate_cached(text, &self.chain, end_of) {
                        Some(end) => end,
                        None => self.manager.validate_with(text, &self.chain, end_of).await?,
                    };
                    place = next(place, end, self.bearers.len());
                }
                anyhow::Ok(())
            });
        });
        outcome.map(|()| nanos)
    }

    /// The same with a future for each check.
    pub(crate) fn check_by_future(&self, runtime: &Runtime, count: usize) -> Result<f64> {
        let mut outcome = Ok(());
        let nanos = cpu_each(count, || {
            outcome = runtime.block_on(async {
                let mut place = 0;
                for _ in 0..count {
                    let text = self.bearers.at(place);
                    let end = self.manager.validate_with(text, &self.chain, end_of).await?;
                    place = next(place, end, self.bearers.len());
                }
                anyhow::Ok(())
            });
        });
        outcome.map(|()| nanos)
    }
}

fn end_of(token: &ActiveToken<'_>) -> u64 {
    token.expires_at().map_or(0, |end| end.as_millis())
}

/// Returns the next position. The processor cannot guess it before `end` is known.
#[inline]
pub(crate) fn next(place: usize, end: u64, count: usize) -> usize {
    let next = place + 1 + (end >> 63) as usize;
    if next < count { next } else { 0 }
}
