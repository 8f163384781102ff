//! What a manager has seen of the feed, for the edges that ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OnceCell};

use keyfob_core::random::{self, Random};
use keyfob_core::time::Ttl;
use keyfob_store::relay::{Journal, JournalId};
use keyfob_store::{
    Coverage, InvalidationListener, LaneCount, MonotonicInstant, Store, StoreError,
};

/// What a manager keeps for the edges that ask it, from the first question on.
#[derive(Debug, Default)]
pub(in crate::manager) struct RelayState(OnceCell<Feed>);

/// A listener of the store, and a journal of what it sees.
#[derive(Debug)]
pub(super) struct Feed {
    listener: Arc<InvalidationListener>,
    seen: Arc<Seen>,
    lanes: LaneCount,
    awake: Mutex<Awake>,
}

/// Since when the machine has not been suspended.
#[derive(Clone, Copy, Debug)]
struct Awake {
    suspended: Duration,
    since: MonotonicInstant,
}

#[derive(Debug)]
struct Seen {
    journal: Mutex<Journal>,
    news: Notify,
}

impl RelayState {
    /// Returns the feed, and begins it at the first call.
    pub(super) async fn feed(
        &self,
        store: &Arc<dyn Store>,
        bound: Duration,
        random: &dyn Random,
    ) -> Result<&Feed, StoreError> {
        self.0.get_or_try_init(|| async { Feed::begin(store, bound, random) }).await
    }
}

impl Feed {
    fn begin(
        store: &Arc<dyn Store>,
        bound: Duration,
        random: &dyn Random,
    ) -> Result<Self, StoreError> {
        let id = JournalId(random::array(random)?);
        let namespace = store.namespace();
        let journal = Journal::new(id, namespace.fingerprint(), MonotonicInstant::now());
        let seen = Arc::new(Seen { journal: Mutex::new(journal), news: Notify::new() });
        let sees = Arc::clone(&seen);
        let bound = Ttl::try_from(bound).unwrap_or(Ttl::from_secs(1));
        let listener = InvalidationListener::observed(
            namespace.lanes(),
            bound,
            Box::new(move |lane, change| {
                sees.journal().record(MonotonicInstant::now(), lane, change);
                sees.news.notify_waiters();
            }),
        );
        store.watch(&listener);
        let awake = Mutex::new(Awake {
            suspended: MonotonicInstant::suspended(),
            since: MonotonicInstant::from_nanos(0),
        });
        Ok(Self { listener, seen, lanes: namespace.lanes(), awake })
    }

    /// Returns up to when changes were seen. While the machine is suspended its clock stands still, so what
    /// was proven before it slept is older than it seems: then nothing is known.
    pub(super) fn coverage(&self) -> Coverage {
        let coverage = self.listener.coverage();
        let suspended = MonotonicInstant::suspended();
        let mut awake = self.awake.lock().unwrap_or_else(PoisonError::into_inner);
        if MonotonicInstant::has_slept(awake.suspended, suspended) {
            *awake = Awake { suspended, since: MonotonicInstant::now() };
        }
        match coverage.until < awake.since {
            true => Coverage { distrusted: self.lanes.lanes().collect(), ..coverage },
            false => coverage,
        }
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.seen.journal()
    }

    /// Notified of each change.
    pub(super) fn news(&self) -> &Notify {
        &self.seen.news
    }
}

impl Seen {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
