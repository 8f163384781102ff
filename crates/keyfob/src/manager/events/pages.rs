//! Events and observations after a cursor, page by page.

use crate::codec;
use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_core::event::{Event, Observation};
use keyfob_store::{Cursor, Entry, Feed};

/// A page of events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventPage {
    /// The events, in order of time and within each lane of occurrence, each with the cursor after
    /// it.
    pub events: Vec<(Event, Cursor)>,
    /// The cursor after all of them.
    pub cursor: Cursor,
    /// Whether events after the old cursor may have been trimmed before they were read.
    pub trimmed: bool,
    /// Whether there may be more right now.
    pub more: bool,
}

/// A page of observations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ObservationPage {
    /// The observations, each with an id that stays the same.
    pub observations: Vec<(Observation, String)>,
    /// The cursor after all of them.
    pub cursor: Cursor,
    /// Whether there may be more right now.
    pub more: bool,
}

/// # Events and observations
///
/// An [`Event`] is a change. It is written in the same step as the change itself. An
/// [`Observation`] is something that was only seen, such as a refusal. Observations are recorded
/// within a rate, in a feed of their own.
impl TokenManager {
    /// Returns the events after a cursor, at most `limit` of them.
    /// [`TokenManager::events_from`] also waits for those that are yet to come.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// use keyfob::store::Cursor;
    ///
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// let page = manager.events(&Cursor::start(), 100).await?;
    /// assert_eq!(page.events[0].0.what.as_str(), "keyfob.token.issued");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn events(&self, after: &Cursor, limit: usize) -> Result<EventPage, Error> {
        let page = self.inner.store.entries(Feed::Events, after, limit).await?;
        let mut cursor = after.clone();
        let mut events = Vec::with_capacity(page.entries.len());
        for Entry { lane, position, body } in page.entries {
            cursor.advance(lane, position);
            match codec::decode(&body) {
                Ok(event) => events.push((event, cursor.clone())),
                // One that cannot be read must not hold up those after it.
                Err(error) => {
                    tracing::error!(%error, ?lane, ?position, "an event cannot be read: skipped");
                }
            }
        }
        Ok(EventPage { events, cursor: page.cursor, trimmed: page.trimmed, more: page.more })
    }

    /// Returns the observations after a cursor, at most `limit` of them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{MemoryStore, TokenManager};
    /// use keyfob::store::Cursor;
    ///
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let page = manager.observations(&Cursor::start(), 100).await?;
    /// assert!(page.observations.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn observations(
        &self,
        after: &Cursor,
        limit: usize,
    ) -> Result<ObservationPage, Error> {
        let page = self.inner.store.entries(Feed::Observations, after, limit).await?;
        let mut observations = Vec::with_capacity(page.entries.len());
        for Entry { lane, position, body } in page.entries {
            let id = format!("obs_{:x}.{:x}.{:x}", lane.number(), position.millis, position.number);
            match codec::decode(&body) {
                Ok(observation) => observations.push((observation, id)),
                Err(error) => {
                    tracing::error!(%error, id, "an observation cannot be read: skipped");
                }
            }
        }
        Ok(ObservationPage { observations, cursor: page.cursor, more: page.more })
    }

    /// Returns the cursor after the newest event.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// let from_now_on = manager.events_from(manager.latest_event().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn latest_event(&self) -> Result<Cursor, Error> {
        Ok(self.inner.store.latest(Feed::Events).await?)
    }

    /// Returns the cursor after the newest observation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// let newest = manager.latest_observation().await?;
    /// assert!(manager.observations(&newest, 10).await?.observations.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn latest_observation(&self) -> Result<Cursor, Error> {
        Ok(self.inner.store.latest(Feed::Observations).await?)
    }
}
