//! Serving nodes that have no connection to the store: what an edge may ask of this node.
//!
//! An edge validates by itself, from its own cache. It needs four things of a node with a store: the
//! record of a token that was presented, the changes that end what it has cached, and to have uses
//! and observations written. It issues nothing and revokes nothing.

pub(super) mod feed;

use std::time::Duration;

use feed::Feed;

use super::TokenManager;
use super::background::Phase;
use super::rotate::FirstUse;
use crate::codec::{self, Record};
use crate::error::Error;
use keyfob_core::event::Observation;
use keyfob_core::field::Field;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::token::{Kind, SecretUsed};
use keyfob_store::relay::{Beat, Since};
use keyfob_store::{
    Consume, Consumed, LastUse, Loaded, MonotonicInstant, Namespace, Operation, RecordVersion,
    Replace, Replaced, StoreError,
};

/// How long a beat waits for more changes after the first one, so that many of them travel together.
const GATHER: Duration = Duration::from_millis(1);

/// Serves nodes that have no connection to the store: see [`TokenManager::relay`].
#[derive(Clone, Debug)]
pub struct Relay {
    manager: TokenManager,
}

impl TokenManager {
    /// Returns what serves nodes that have no connection to the store. They cache records, under the same
    /// guarantee as this node: see [`keyfob_store::relay`].
    ///
    /// Serve trusted nodes alone: a record has the digest of a secret, and anyone who asks can have any. It never
    /// has the secret itself.
    pub fn relay(&self) -> Relay {
        Relay { manager: self.clone() }
    }
}

impl Relay {
    /// The longest that a beat is held back.
    pub const MAX_HOLD: Duration = Duration::from_secs(5);
    /// The maximum length of an encoded observation, in bytes.
    pub const MAX_OBSERVATION_BYTES: usize = 1_024;

    /// Returns the namespace, which an edge has to know.
    pub fn namespace(&self) -> &Namespace {
        self.manager.inner.store.namespace()
    }

    /// Answers a follower of the feed as soon as there is a change that it has not seen, and otherwise after
    /// `hold`.
    ///
    /// # Errors
    /// [`Error::Store`] if there is no randomness to begin a journal with.
    pub async fn beat(&self, since: &Since, hold: Duration) -> Result<Beat, Error> {
        let asked = MonotonicInstant::now();
        let feed = self.feed().await?;
        if since.after.is_some() {
            self.wait_for_news(feed, since, hold.min(Self::MAX_HOLD)).await;
        }
        // Read before the journal is, so that the journal has what it covers.
        let coverage = feed.coverage();
        let now = MonotonicInstant::now();
        Ok(feed.journal().beat(since, &coverage, asked, now))
    }

    async fn wait_for_news(&self, feed: &Feed, since: &Since, hold: Duration) {
        let news = async {
            loop {
                let mut notified = std::pin::pin!(feed.news().notified());
                notified.as_mut().enable();
                if feed.journal().has_news(since.after) {
                    tokio::time::sleep(GATHER).await;
                    return;
                }
                notified.await;
            }
        };
        let mut phase = self.manager.inner.tasks.phase();
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep(hold) => {}
            _ = phase.wait_for(|phase| *phase != Phase::Running) => {}
        }
    }

    async fn feed(&self) -> Result<&Feed, Error> {
        let inner = &*self.manager.inner;
        Ok(inner.relay.feed(&inner.store, inner.bound, &*inner.random).await?)
    }

    /// Reads the record of a token, unsealed. `None` if there is no such token.
    ///
    /// # Errors
    /// [`StoreError::NotAtEdge`] for a refresh token, which an edge can do nothing with;
    /// [`Error::Store`].
    pub async fn load(&self, id: TokenId) -> Result<Option<Loaded>, Error> {
        let Some(loaded) = self.manager.inner.store.load(id).await? else { return Ok(None) };
        // Other records, such as session indexes, are not those of tokens.
        let Ok(record) = codec::decode::<Record>(&loaded.body) else { return Ok(None) };
        if record.kind == Kind::Refresh {
            return Err(StoreError::NotAtEdge { what: "looking at a refresh token" }.into());
        }
        Ok(Some(loaded))
    }

    /// Consumes a use of a token whose uses are limited. Within its deadline, the same operation has the same
    /// answer.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn consume(&self, operation: Operation, id: TokenId) -> Result<Consumed, Error> {
        let operation = self.bounded(operation);
        Ok(self.manager.inner.store.consume(operation, Consume { id }).await?)
    }

    /// Writes that the newest secret of an API key was used for the first time. `body` is the record with
    /// that change and no other.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is another change; [`Error::Store`].
    pub async fn write_first_use(
        &self,
        operation: Operation,
        id: TokenId,
        read: RecordVersion,
        body: &[u8],
    ) -> Result<Replaced, Error> {
        let Some(loaded) = self.load(id).await? else { return Ok(Replaced::Missing) };
        if loaded.version != read {
            return Ok(Replaced::Stale);
        }
        let record: Record = codec::decode(&loaded.body)?;
        let used = FirstUse::of(&loaded, &record, Some(SecretUsed::Newest)).map(FirstUse::record);
        match used.as_ref().map(codec::encode) {
            Some(used)
                if codec::decode::<Record>(body).is_ok_and(|it| codec::encode(&it) == used) =>
            {
                let operation = self.bounded(operation);
                let replace = Replace::of(&loaded, used);
                Ok(self.manager.inner.store.replace(operation, replace).await?)
            }
            _ => {
                let rule = "an edge may only say that the newest secret was used";
                let reason = InvalidReason::Contradiction { rule };
                Err(InvalidValue::new(Field::Generation, reason).into())
            }
        }
    }

    /// Writes when tokens were last used. What lies in the future is taken as now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn touch(&self, uses: &[LastUse]) -> Result<(), Error> {
        let now = self.manager.now();
        let uses: Vec<_> =
            uses.iter().map(|last| LastUse { at: last.at.min(now), ..*last }).collect();
        Ok(self.manager.inner.store.touch(&uses).await?)
    }

    /// Appends encoded observations to the log.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], and [`StoreError::Corrupt`] if one of them is none; those of the store.
    pub async fn observe(&self, encoded: Vec<Vec<u8>>) -> Result<(), Error> {
        let mut by_lane = std::collections::BTreeMap::<_, Vec<Vec<u8>>>::new();
        for entry in encoded {
            StoreError::check_size("an observation", &entry, Self::MAX_OBSERVATION_BYTES)?;
            let observation: Observation = codec::decode(&entry)?;
            let lane = observation.token().map(TokenId::lane).unwrap_or_default();
            by_lane.entry(lane).or_default().push(entry);
        }
        for (lane, entries) in by_lane {
            self.manager.inner.store.observe(lane, entries).await?;
        }
        Ok(())
    }

    /// Returns the operation with a deadline that this node could have set.
    fn bounded(&self, operation: Operation) -> Operation {
        let latest = self.manager.now() + Operation::WINDOW;
        Operation { deadline: operation.deadline.min(latest), ..operation }
    }
}
