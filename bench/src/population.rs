//! The tokens of all measurements: five per subject, fifty clients, five tags, three environments,
//! and lifetimes of 30 to 45 days. A record has about 200 bytes.

use std::sync::Arc;

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::{CacheConfig, Grant, Issued, Kind, Store, TokenManager, Ttl};

/// The number of tokens of a subject.
const PER_SUBJECT: u64 = 5;

/// A token that has index entries for subject, client, tag and label.
pub(crate) fn indexed(number: u64) -> Grant {
    described(Kind::Access, number)
}

/// The same for a refresh token.
pub(crate) fn rotating(number: u64) -> Grant {
    described(Kind::Refresh, number)
}

fn described(kind: Kind, number: u64) -> Grant {
    let environment = match number % 10 {
        0 => "dev",
        1..=3 => "stage",
        _ => "prod",
    };
    Grant::new(kind)
        .subject(subject(number))
        .client(format!("client-{:02}", number * 7 % 50))
        .audience("api.example")
        .scope("read")
        .scope("write")
        .tag(["mobile", "desktop", "partner", "batch", "beta"][(number % 5) as usize])
        .label("env", environment)
        .ttl(life(number))
}

/// A token that has only the index entry for *all tokens*.
pub(crate) fn bare(number: u64) -> Grant {
    Grant::new(Kind::Access).audience("api.example").scope("read").scope("write").ttl(life(number))
}

fn life(number: u64) -> Ttl {
    Ttl::from_hours(30 * 24 + number * 13 % (15 * 24))
}

fn subject(number: u64) -> String {
    format!("user-{:07}", number / PER_SUBJECT)
}

/// Returns a manager without a cache.
pub(crate) fn manager(store: Arc<dyn Store>) -> TokenManager {
    caching_manager(store, CacheConfig::OFF)
}

/// Returns a manager that neither samples nor writes last uses during a measurement.
pub(crate) fn caching_manager(store: Arc<dyn Store>, cache: CacheConfig) -> TokenManager {
    TokenManager::builder(store)
        .cache(cache)
        .last_use_precision(Ttl::from_days(1))
        .sample_uses(0)
        .observations_per_second(0)
        .build()
}

/// Issues the tokens of a range, with concurrent calls. Returns one of every `keep`.
pub(crate) async fn issue(
    manager: &TokenManager,
    range: std::ops::Range<u64>,
    concurrency: usize,
    keep: u64,
    grant: fn(u64) -> Grant,
) -> Result<Vec<Issued>> {
    let issued = stream::iter(range)
        .map(|number| async move { anyhow::Ok((number, manager.issue(grant(number)).await?)) })
        .buffered(concurrency);
    let kept = issued.try_filter_map(|(number, issued)| async move {
        Ok(number.is_multiple_of(keep).then_some(issued))
    });
    kept.try_collect().await
}

/// Runs `work` on each token, with concurrent calls.
pub(crate) async fn each(
    tokens: &[Issued],
    concurrency: usize,
    work: impl AsyncFn(&Issued) -> Result<()>,
) -> Result<()> {
    let work = &work;
    stream::iter(tokens)
        .map(Ok)
        .try_for_each_concurrent(concurrency, move |issued| work(issued))
        .await
}

/// Pseudo-random numbers, the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number, by SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Shuffles a list.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            list.swap(place, self.below(place + 1));
        }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.next().to_be_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}
