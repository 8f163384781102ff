//! How many tokens there are, from counts that the store keeps.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use crate::codec::{self, Record};
use crate::error::Error;
use crate::id::TokenId;
use crate::manager::TokenManager;
use crate::metrics::CountedState;
use crate::namespace::EpochField;
use crate::stats::Stats;
use crate::store::BucketCounts;
use crate::text::ClientId;
use crate::time::Timestamp;

/// How many clients are named at most: those with the most tokens.
const NAMED: usize = 1_000;
const AT_ONCE: usize = 64;
/// How many tokens of a client are tried.
const SAMPLES: usize = 3;

impl TokenManager {
    /// How many tokens there are by kind, state and client, from counts that are kept as tokens are
    /// written: it costs the same however many there are. What is counted when, and what the counts
    /// leave out, is told by [`CountedAs`](crate::store::CountedAs).
    ///
    /// A token is counted until its end. Where the present lies within a span that ends are counted
    /// by, an eighth of a life at most, the numbers are estimates: [`Stats::unsure`] bounds by how
    /// much they may be off. Tokens that were issued by a keyfob which did not count are left out.
    ///
    /// The store knows a client by a digest alone. So one token of each is loaded to name it, of the
    /// thousand clients with the most tokens. The gauge `keyfob_tokens` is set by this: call it now and
    /// then on one node.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager, RevokeRequest};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.issue(Grant::new(Kind::Session).client("web")).await?;
    /// let second = manager.issue(Grant::new(Kind::Session).client("web")).await?;
    /// manager.revoke(second.token.id, RevokeRequest::reason("user logout")).await?;
    ///
    /// let sessions = manager.stats().await?.by_kind[&Kind::Session];
    /// assert_eq!((sessions.active, sessions.revoked), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn stats(&self) -> Result<Stats, Error> {
        let mut tallies = self.inner.store.tallies().await?;
        let now = self.now();
        tallies.retain(|tally| now < tally.span.to());
        let names = self.names(&tallies).await;
        let stats = Stats::of(&tallies, now, |field| names.get(&field).cloned());
        self.publish_stats(&stats);
        Ok(stats)
    }

    fn publish_stats(&self, stats: &Stats) {
        for (kind, counts) in &stats.by_kind {
            let numbers = [
                (CountedState::Pending, counts.pending),
                (CountedState::Active, counts.active),
                (CountedState::Revoked, counts.revoked),
                (CountedState::Exhausted, counts.exhausted),
            ];
            for (state, number) in numbers {
                self.inner.metrics.handles.tokens.of(*kind).of(state).set(number as f64);
            }
        }
    }

    /// The names of the clients that can be named.
    async fn names(&self, tallies: &[BucketCounts]) -> HashMap<EpochField, ClientId> {
        let mut clients: HashMap<EpochField, (u64, Vec<(Timestamp, TokenId)>)> = HashMap::new();
        for tally in tallies {
            let Some(field) = tally.client else { continue };
            let (stored, samples) = clients.entry(field).or_default();
            *stored += tally.stored;
            samples.extend(tally.sample.map(|id| (tally.span.from(), id)));
        }
        let mut clients: Vec<_> = clients.into_iter().collect();
        clients.sort_by_key(|(_, (stored, _))| std::cmp::Reverse(*stored));
        clients.truncate(NAMED);
        let named = stream::iter(clients).map(async |(field, (_, mut samples))| {
            // One that ends late is the likeliest to be there.
            samples.sort_unstable_by(|one, other| other.cmp(one));
            for (_, sample) in samples.into_iter().take(SAMPLES) {
                if let Some(name) = self.client_of(sample, field).await {
                    return Some((field, name));
                }
            }
            None
        });
        named.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    /// The client of a token, if its epoch is `field`. Without a name it is still counted.
    async fn client_of(&self, sample: TokenId, field: EpochField) -> Option<ClientId> {
        let store = &self.inner.store;
        let loaded = match store.load(sample).await {
            Ok(loaded) => loaded?,
            Err(error) => {
                tracing::debug!(token = %sample, %error, "a client is not named");
                return None;
            }
        };
        let record: Record = codec::decode(&loaded.body).ok()?;
        record.client.filter(|client| store.namespace().client_epoch(client) == field)
    }
}
