//! How many tokens there are, from counts that the store keeps.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use crate::codec::{self, Record};
use crate::error::Error;
use crate::manager::TokenManager;
use crate::stats::Stats;
use keyfob_core::id::TokenId;
use keyfob_core::namespace::EpochField;
use keyfob_core::text::ClientId;
use keyfob_core::time::Timestamp;
use keyfob_metrics::CountedState;
use keyfob_store::{BucketCounts, Tallies};

/// The maximum number of clients that are named: those with the most tokens.
const MAX_NAMED: usize = 1_000;
/// How many clients are looked up at the same time.
const MAX_CONCURRENT: usize = 64;
/// How many tokens of a client are loaded at most, to find its name.
const MAX_SAMPLES: usize = 3;

/// # Reading
impl TokenManager {
    /// Returns the number of tokens by kind, state and client, from counts that the store keeps as
    /// tokens are written. The cost does not depend on the number of tokens.
    /// [`CountedAs`](keyfob_store::CountedAs) says what is counted when, and what is not counted.
    ///
    /// A token is counted until its end. Ends are counted by spans of time, each at most an eighth of
    /// a token's lifetime. For the span that the present lies in, the numbers are estimates:
    /// [`Stats::unsure`] says by how much they may be wrong. Tokens that were issued by a version of
    /// keyfob without counts are not counted.
    ///
    /// The store knows a client only by a digest. So one token of each client is loaded to name it,
    /// for the thousand clients with the most tokens. This sets the gauge `keyfob_tokens`: call it
    /// regularly on one node. While some servers of the store cannot be reached, the numbers are those of
    /// the others, [`Stats::missing_lanes`] says so, and the gauge stays as it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.issue(Grant::new(Kind::Session).client("web")).await?;
    /// let second = manager.issue(Grant::new(Kind::Session).client("web")).await?;
    /// manager.revoke(second.token.id, "user logout").await?;
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
        let Tallies { counts: mut tallies, missing } = self.inner.store.tallies().await?;
        let now = self.now();
        tallies.retain(|tally| now < tally.span.to());
        let names = self.names(&tallies).await;
        let mut stats = Stats::of(&tallies, now, |field| names.get(&field).cloned());
        // A gauge that falls because a server is away would tell of tokens that ended.
        if missing.is_empty() {
            self.publish_stats(&stats);
        }
        stats.missing_lanes = missing;
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

    /// The names of the clients, as far as they are found.
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
        clients.truncate(MAX_NAMED);
        let named = stream::iter(clients).map(async |(field, (_, mut samples))| {
            // A token that ends late is the most likely to exist still.
            samples.sort_unstable_by(|one, other| other.cmp(one));
            for (_, sample) in samples.into_iter().take(MAX_SAMPLES) {
                if let Some(name) = self.client_of(sample, field).await {
                    return Some((field, name));
                }
            }
            None
        });
        named.buffer_unordered(MAX_CONCURRENT).filter_map(std::future::ready).collect().await
    }

    /// The client of a token, if its epoch is `field`. A client without a name is still counted.
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
