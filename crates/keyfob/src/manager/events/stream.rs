//! Events one by one, as they happen.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;

use crate::error::Error;
use crate::handlers::Delivery;
use crate::manager::TokenManager;
use crate::manager::background::Phase;
use keyfob_store::{Appended, Cursor, Feed};

/// The events after a cursor, as they happen. [`TokenManager::events_from`] makes one.
///
/// It waits for events, and ends only when the manager is shut down and every event that there was
/// has been delivered. An event of the same process is delivered without a delay by polling, one of
/// another process after a second at most. On Redis the servers tell that there is one; where a store
/// cannot tell, it is asked again and again.
///
/// After an error, polling it again resumes where it was, a second later. The stream is [`Unpin`]
/// and `Send`. It keeps the manager alive.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::store::Cursor;
/// use keyfob::handlers::Delivery;
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager};
///
/// let manager = TokenManager::new(MemoryStore::new()?);
/// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
///
/// let mut events = manager.events_from(Cursor::start());
/// if let Some(Delivery::Event(event)) = events.next().await.transpose()? {
///     assert_eq!(event.what.as_str(), "keyfob.token.issued");
/// }
/// let resume_from = events.cursor().to_string(); // keep it, and parse it after a restart
/// # assert!(resume_from.parse::<Cursor>().is_ok());
/// # Ok(())
/// # }
/// ```
pub struct EventStream {
    manager: TokenManager,
    /// The cursor after all that was fetched.
    fetched: Cursor,
    /// The cursor after the last delivery.
    delivered: Cursor,
    /// Fetched and not delivered yet, each with the cursor after it.
    buffered: VecDeque<(Delivery, Cursor)>,
    fetching: Option<Fetching>,
    has_failed: bool,
    has_ended: bool,
}

/// A fetch of the next page that is under way. It results in `None` at the end of the stream.
type Fetching = Pin<Box<dyn Future<Output = Result<Option<Batch>, Error>> + Send>>;

/// Deliveries with the cursor after each, and the cursor after the page that they came in.
struct Batch {
    deliveries: VecDeque<(Delivery, Cursor)>,
    cursor: Cursor,
}

/// How many events are asked of the store at a time.
const PAGE_SIZE: usize = 256;
/// How long to wait before the feed is asked for events of other processes: at first, and at most.
/// An event of this process ends the wait immediately.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The same while the store tells of new events.
const FALLBACK_INTERVAL: Duration = Duration::from_secs(30);
/// How long to wait after an error before trying again.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// # Events and observations
impl TokenManager {
    /// Returns the events after `cursor` as a stream that continues as they happen.
    /// [`Cursor::start`] is the beginning of what the store keeps; [`TokenManager::latest_event`]
    /// is from now on.
    ///
    /// See [`EventStream`] for an example. To have a task consume it, see
    /// [`TokenManager::for_each_event`] and [`TokenManager::spawn_handler`].
    pub fn events_from(&self, cursor: Cursor) -> EventStream {
        EventStream {
            manager: self.clone(),
            fetched: cursor.clone(),
            delivered: cursor,
            buffered: VecDeque::new(),
            fetching: None,
            has_failed: false,
            has_ended: false,
        }
    }

    /// Wakes the streams of this process, as there are new events.
    pub(in crate::manager) fn notify_event_streams(&self) {
        self.inner.new_events.notify_waiters();
    }
}

impl EventStream {
    /// The cursor after the last delivery: keep it, and resume from it after a restart.
    pub fn cursor(&self) -> &Cursor {
        &self.delivered
    }

    /// Waits for the next delivery. It is the same as `StreamExt::next` of the crate `futures`, and
    /// may be cancelled without losing an event.
    pub async fn next(&mut self) -> Option<Result<Delivery, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Waits for the next delivery, and takes all that were fetched along with it.
    pub(super) async fn next_batch(
        &mut self,
    ) -> Option<Result<VecDeque<(Delivery, Cursor)>, Error>> {
        match poll_fn(|context| self.poll_fetch(context)).await? {
            Ok(()) => {
                self.delivered = self.fetched.clone();
                Some(Ok(std::mem::take(&mut self.buffered)))
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Fetches until something is buffered. Results in `None` at the end of the stream.
    fn poll_fetch(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), Error>>> {
        while self.buffered.is_empty() {
            if self.has_ended {
                return Poll::Ready(None);
            }
            let (manager, cursor, has_failed) = (&self.manager, &self.fetched, self.has_failed);
            let fetching = self.fetching.get_or_insert_with(|| {
                Box::pin(fetch(manager.clone(), cursor.clone(), has_failed))
            });
            let outcome = ready!(fetching.as_mut().poll(context));
            self.fetching = None;
            self.has_failed = outcome.is_err();
            match outcome {
                Ok(Some(batch)) => {
                    self.buffered = batch.deliveries;
                    self.fetched = batch.cursor;
                }
                Ok(None) => self.has_ended = true,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(Some(Ok(())))
    }
}

impl Stream for EventStream {
    type Item = Result<Delivery, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Delivery, Error>>> {
        Poll::Ready(match ready!(self.poll_fetch(context)) {
            Some(Ok(())) => self.buffered.pop_front().map(|(delivery, cursor)| {
                self.delivered = cursor;
                Ok(delivery)
            }),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

/// Waits until there are deliveries after `cursor`.
async fn fetch(
    manager: TokenManager,
    mut cursor: Cursor,
    has_failed: bool,
) -> Result<Option<Batch>, Error> {
    let inner = &*manager.inner;
    let mut phase = inner.tasks.phase();
    if has_failed {
        let ends = phase.wait_for(|phase| *phase != Phase::Running);
        let _ = tokio::time::timeout(RETRY_DELAY, ends).await;
    }
    let mut interval = MIN_POLL_INTERVAL;
    loop {
        // All are looked at before the feed is, so that nothing is missed between.
        let new_events = inner.new_events.notified();
        let appended = inner.store.appended(Feed::Events);
        let is_ending = *phase.borrow() != Phase::Running;
        let page = match manager.events(&cursor, PAGE_SIZE).await {
            // The store may be closed by now.
            Err(_) if is_ending => return Ok(None),
            page => page?,
        };
        let gap = page.trimmed.then(|| (Delivery::Trimmed, cursor.clone()));
        cursor = page.cursor;
        if gap.is_some() || !page.events.is_empty() {
            let events = page.events.into_iter();
            let events = events.map(|(event, after)| (Delivery::Event(Box::new(event)), after));
            return Ok(Some(Batch { deliveries: gap.into_iter().chain(events).collect(), cursor }));
        }
        if page.more {
            continue;
        }
        if is_ending {
            return Ok(None);
        }
        let (pause, appended) = match appended {
            Some(appended) => (FALLBACK_INTERVAL, appended),
            None => (interval, Box::pin(pending()) as Appended),
        };
        tokio::select! {
            () = new_events => {}
            () = appended => {}
            _ = phase.wait_for(|phase| *phase != Phase::Running) => {}
            () = tokio::time::sleep(pause) => {}
        }
        interval = (interval * 2).min(MAX_POLL_INTERVAL);
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, buffered, has_ended, .. } = self;
        f.debug_struct("EventStream")
            .field("cursor", delivered)
            .field("buffered", &buffered.len())
            .field("has_ended", has_ended)
            .finish_non_exhaustive()
    }
}
