//! Listening to one primary: connects, has signals pushed, takes the lanes over, and beats.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{Lane, LaneCount, StoreError};
use redis::{Cmd, PushInfo};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::beat::{Beat, beat, set_marks};
use super::sources::Sources;
use super::{Feed, interval, signal};
use crate::config::Address;
use crate::keys::Keys;
use crate::net::{CallError, Link, Net};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Whom a listener listens to, and for whom.
pub(super) struct Listener {
    pub(super) address: Address,
    pub(super) feed: Arc<Feed>,
    pub(super) net: Arc<Net>,
    pub(super) keys: Arc<Keys>,
    pub(super) count: LaneCount,
    /// The lanes that the server is the primary of, so far as is known.
    pub(super) lanes: watch::Receiver<Vec<Lane>>,
    pub(super) response_timeout: Duration,
    /// Whether lanes may move from one primary to another.
    pub(super) lanes_move: bool,
}

impl Listener {
    /// Listens until it is dropped.
    pub(super) async fn run(self) {
        let (mut pause, mut was_told) = (FIRST_PAUSE, false);
        loop {
            let begun = Instant::now();
            let ended = self.listen().await;
            if ended.is_err() {
                self.net.metrics().feed_interrupted();
            }
            match ended {
                // That does not pass by itself; once is enough to say it.
                Err(error @ StoreError::Misconfigured(_)) if !was_told => {
                    let address = &self.address;
                    tracing::warn!(%address, %error, "no feed: every token is asked for at the store");
                    was_told = true;
                }
                Err(error) => {
                    tracing::debug!(address = %self.address, %error, "the feed is interrupted");
                }
                Ok(()) => {}
            }
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Listens on one connection until it fails.
    async fn listen(&self) -> Result<(), StoreError> {
        // Nobody else may have reason to ask the way again, where nobody asks for its lanes.
        let link = self.connect().await.inspect_err(|_| self.net.redirected(None))?;
        // Everything from here on is pushed to us, so from here on silence means something.
        let mut sources = Sources::default();
        let mut before: Option<Beat> = None;
        let mut marked = Vec::new();
        while let Some(bound) = self.feed.bound() {
            let due = Instant::now() + interval(bound);
            let lanes = self.lanes.borrow().clone();
            // In this order: what is loaded from elsewhere from now on is told of, and what was loaded
            // before is not current any more.
            self.feed.hear(&lanes, &self.address);
            sources.speak(&self.feed.listeners.listening(), &lanes);
            // A server that only pauses is waited for, as an emptied cache costs it more.
            let limit = self.response_timeout.max(bound * 4);
            if self.lanes_move && marked != lanes {
                // A beat that finds no mark sets it too, but it is the one after that which counts.
                set_marks(&link, &self.keys, &lanes, limit).await.map_err(CallError::into_error)?;
                marked.clone_from(&lanes);
            }
            let now = match beat(&link, &self.keys, &lanes, self.lanes_move, limit).await {
                Ok(now) => now,
                Err(trouble) => {
                    self.net.redirected(None);
                    return Err(trouble.into_error());
                }
            };
            if let (Some(before), Some(vouched)) = (&before, self.net.vouched(&self.address)) {
                let both: Vec<_> =
                    before.lanes.iter().filter(|lane| now.lanes.contains(lane)).copied().collect();
                sources.confirm(before.sent.min(vouched), &both);
            }
            self.heed(now.refused.as_ref());
            // What was told in the first beat is confirmed without delay.
            if before.is_some() {
                sleep_until(due).await;
            }
            before = Some(now);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Link, StoreError> {
        let (feed, keys, count) = (Arc::clone(&self.feed), Arc::clone(&self.keys), self.count);
        // Applied where it is read: there is no channel that could overflow.
        let pushed = move |push: PushInfo| {
            feed.listeners.notify(signal::changes(&push, &keys, count));
            Ok::<_, ()>(())
        };
        let link = self.net.listen(&self.address, pushed).await?;
        let tracked = link.send(&self.tracking(), self.response_timeout).await;
        tracked.map_err(CallError::into_error)?;
        Ok(link)
    }

    fn tracking(&self) -> Cmd {
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(self.keys.signals());
        tracking
    }

    /// Has the way looked for again where a beat was refused.
    fn heed(&self, refused: Option<&CallError>) {
        match refused {
            Some(CallError::Moved(to)) => self.net.redirected(Some(to.clone())),
            // A lane that is being moved is still there for everybody else.
            None | Some(CallError::Ask(_)) => {}
            Some(_) => self.net.redirected(None),
        }
    }
}
