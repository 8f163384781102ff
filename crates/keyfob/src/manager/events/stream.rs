//! Events: in pages, one after another as they come, and to subscribers in this process.
//!
//! Everything here reads the store's feed by a cursor. So a reader that is slow, or was away, goes
//! on from where it was; and it is told when the feed no longer reaches back that far.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::codec;
use crate::error::Error;
use crate::event::{Event, Observation};
use crate::manager::TokenManager;
use crate::store::{Cursor, Entry, Feed};

/// Some events.
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

/// Some observations.
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

/// What a follower is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// An event.
    Event(Box<Event>),
    /// Events between the last one and the next may have been trimmed before they were read: what
    /// is built from events has to be built anew.
    Trimmed,
}

/// Follows the events one by one.
#[derive(Debug)]
pub struct Follower {
    manager: TokenManager,
    read: Cursor,
    delivered: Cursor,
    waiting: VecDeque<(Delivery, Cursor)>,
}

pub(in crate::manager) const PAGE: usize = 256;
/// How often a feed is asked whether others wrote to it. What this process writes wakes its readers
/// at once.
pub(in crate::manager) const SOONEST: Duration = Duration::from_millis(50);
pub(in crate::manager) const LATEST: Duration = Duration::from_secs(1);
/// How many events a subscriber in this process may fall behind before it is told that it missed
/// some.
const BROADCAST: usize = 4096;

impl TokenManager {
    /// Events after a cursor, at most `limit` of them.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn events(&self, after: &Cursor, limit: usize) -> Result<EventPage, Error> {
        let page = self.inner.store.entries(Feed::Events, after, limit).await?;
        let mut at = after.clone();
        let mut events = Vec::with_capacity(page.entries.len());
        for Entry { lane, position, body } in page.entries {
            at.advance(lane, position);
            match codec::decode(&body) {
                Ok(event) => events.push((event, at.clone())),
                // One that cannot be read must not hold up those after it.
                Err(error) => tracing::error!(%error, ?lane, ?position, "an event is passed over"),
            }
        }
        Ok(EventPage { events, cursor: page.cursor, trimmed: page.trimmed, more: page.more })
    }

    /// Observations after a cursor, at most `limit` of them.
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
                Err(error) => tracing::error!(%error, id, "an observation is passed over"),
            }
        }
        Ok(ObservationPage { observations, cursor: page.cursor, more: page.more })
    }

    /// The cursor after the newest event.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn latest_event(&self) -> Result<Cursor, Error> {
        Ok(self.inner.store.latest(Feed::Events).await?)
    }

    /// The cursor after the newest observation.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn latest_observation(&self) -> Result<Cursor, Error> {
        Ok(self.inner.store.latest(Feed::Observations).await?)
    }

    /// Follows the events from a cursor on.
    pub fn follow(&self, from: Cursor) -> Follower {
        Follower {
            manager: self.clone(),
            read: from.clone(),
            delivered: from,
            waiting: VecDeque::new(),
        }
    }

    /// The events from now on, to any number of receivers in this process. A receiver that falls
    /// behind by more than 4,096 is told how many it missed; [`TokenManager::follow`] misses none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn subscribe(&self) -> Result<broadcast::Receiver<Arc<Delivery>>, Error> {
        let (sender, receiver) = broadcast::channel(BROADCAST);
        let mut follower = self.follow(self.latest_event().await?);
        // Ends when the last receiver is gone.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => break,
                    delivery = follower.next() => match delivery {
                        Ok(delivery) => drop(sender.send(Arc::new(delivery))),
                        Err(error) => {
                            tracing::warn!(%error, "events wait for the store");
                            tokio::time::sleep(LATEST).await;
                        }
                    },
                }
            }
        });
        Ok(receiver)
    }

    pub(in crate::manager) fn notify_event_streams(&self) {
        self.inner.wake.notify_waiters();
    }

    pub(in crate::manager) async fn wait_for_events(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.inner.wake.notified()).await;
    }
}

impl EventPage {
    /// What the page has to tell a reader who was at `after`, and the cursor after it.
    pub(in crate::manager) fn into_deliveries(
        self,
        after: &Cursor,
    ) -> (Vec<(Delivery, Cursor)>, Cursor) {
        let gap = self.trimmed.then(|| (Delivery::Trimmed, after.clone()));
        let events = self.events.into_iter();
        let events = events.map(|(event, at)| (Delivery::Event(event.into()), at));
        (gap.into_iter().chain(events).collect(), self.cursor)
    }
}

impl Follower {
    /// The next event, as soon as there is one.
    ///
    /// # Errors
    /// [`Error::Store`]; calling again goes on from the same place.
    pub async fn next(&mut self) -> Result<Delivery, Error> {
        let mut pause = SOONEST;
        loop {
            if let Some((delivery, cursor)) = self.waiting.pop_front() {
                self.delivered = cursor;
                return Ok(delivery);
            }
            let page = self.manager.events(&self.read, PAGE).await?;
            let (deliveries, cursor) = page.into_deliveries(&self.read);
            self.waiting.extend(deliveries);
            self.read = cursor;
            if self.waiting.is_empty() {
                self.delivered = self.read.clone();
                self.manager.wait_for_events(pause).await;
                pause = (pause * 2).min(LATEST);
            }
        }
    }

    /// The cursor after what was given last: keep it, and go on from it after a restart.
    pub fn cursor(&self) -> &Cursor {
        &self.delivered
    }
}
