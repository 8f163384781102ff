//! What wakes those who follow the event log.
//!
//! A follower takes the present *round*, reads the log, and waits for the next round. A round begins after
//! the servers were asked to tell of the next entry of each lane, so an entry that a follower has not seen is
//! notified. While the servers are not asked, followers get no round, and read again and again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob_store::{Appended, MonotonicInstant};
use tokio::sync::{Notify, watch};

/// For how long the servers are asked after a follower has read the last time. A follower reads twice a
/// minute, even if there is nothing.
const WANTED_FOR: Duration = Duration::from_secs(90);

/// What wakes the followers of this process.
#[derive(Debug, Default)]
pub(crate) struct Appends {
    state: watch::Sender<State>,
    /// Until when followers are expected, in nanoseconds.
    wanted_until: AtomicU64,
    wanted: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    round: u64,
    /// Whether the servers tell of the next entry of every lane.
    is_notified: bool,
}

impl Appends {
    /// Returns what is ready with the next round, or `None` while the servers tell nothing. Has them asked.
    pub(crate) fn next(&self) -> Option<Appended> {
        let until = MonotonicInstant::now().after(WANTED_FOR);
        self.wanted_until.store(until.as_nanos(), Ordering::Relaxed);
        self.wanted.notify_one();
        let mut state = self.state.subscribe();
        let State { round, is_notified } = *state.borrow();
        let next = async move {
            // Without a sender the store is gone, and the follower finds out.
            let _changed = state.wait_for(|now| now.round != round).await;
        };
        is_notified.then(|| Box::pin(next) as Appended)
    }

    pub(super) fn is_wanted(&self) -> bool {
        let until = MonotonicInstant::from_nanos(self.wanted_until.load(Ordering::Relaxed));
        MonotonicInstant::now() < until
    }

    /// Waits until somebody follows the log.
    pub(super) async fn wanted(&self) {
        while !self.is_wanted() {
            self.wanted.notified().await;
        }
    }

    /// Begins a round: there may be new entries, and the servers tell of the next one of every lane.
    pub(super) fn begin_round(&self) {
        self.state
            .send_modify(|state| *state = State { round: state.round + 1, is_notified: true });
    }

    /// Wakes the followers, because the servers may no longer tell of entries.
    pub(super) fn end(&self) {
        self.state.send_if_modified(|state| {
            let was_notified = std::mem::replace(&mut state.is_notified, false);
            state.round += u64::from(was_notified);
            was_notified
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_follower_waits_for_the_next_round_or_the_end() {
        let appends = Appends::default();
        assert!(!appends.is_wanted());
        assert!(appends.next().is_none(), "nothing tells of entries yet");
        assert!(appends.is_wanted());
        for end in [Appends::begin_round, Appends::end] {
            appends.begin_round();
            let mut next = appends.next().unwrap();
            assert_eq!((&mut next).now_or_never(), None);
            end(&appends);
            assert_eq!(next.now_or_never(), Some(()));
        }
        assert!(appends.next().is_none());
    }
}
