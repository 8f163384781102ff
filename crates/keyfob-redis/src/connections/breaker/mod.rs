//! Knows which shards do not answer, so that calls to them fail immediately instead of each waiting for its
//! whole budget.
//!
//! A shard is the store behind one address or behind Sentinel, or one primary of a cluster. The first call
//! that gets no answer begins a **silence**. Calls are repeated during it as long as their budget allows,
//! because most silences are short: a restart, or a failover. A probe looks for the shard meanwhile. When the
//! silence has lasted for the whole budget, the shard is **away**: calls fail, after a short wait for a probe
//! that begins after them. Any answer ends the silence.
//!
//! Only calls that a caller waits for begin a silence, not the store's own tasks: the first call after a
//! failover that no call noticed has its whole budget too.

mod silence;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyfob_store::{Metrics, MonotonicInstant, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

pub(super) use silence::{Caller, Failure};
use silence::{Decision, MIN_PAUSE, Silence};

use crate::config::Address;

/// A primary of a cluster, or `None` for all other stores and for a cluster whose servers are not known.
pub(super) type Shard = Option<Address>;

#[derive(Debug)]
pub(super) struct Breaker {
    silent: Mutex<HashMap<Shard, Arc<SilentShard>>>,
    /// The number of silent shards, so that a call does not have to lock them.
    count: AtomicUsize,
    /// After this time a silent shard is away.
    budget: Duration,
    metrics: Metrics,
}

/// A shard that does not answer.
#[derive(Debug)]
pub(super) struct SilentShard {
    shard: Shard,
    /// What to probe: a key in one of its slots, whose call got no answer.
    pub(super) slot: u16,
    pub(super) key: Vec<u8>,
    /// `None` once it has answered.
    silence: watch::Sender<Option<Silence>>,
    is_probed: AtomicBool,
    is_counted: AtomicBool,
    probe_wanted: Notify,
}

/// The right to probe a shard. It ends with the task that has it, also if that ends with its runtime.
pub(super) struct Probing(Arc<SilentShard>);

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.end_probe(None);
        self.0.is_probed.store(false, Ordering::Release);
    }
}

impl Breaker {
    pub(super) fn new(budget: Duration, metrics: Metrics) -> Self {
        Self { silent: Mutex::default(), count: AtomicUsize::new(0), budget, metrics }
    }

    /// Returns whether all shards have answered the last call.
    pub(super) fn is_quiet(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    pub(super) fn find(&self, shard: &Shard) -> Option<Arc<SilentShard>> {
        self.silent().get(shard).map(Arc::clone)
    }

    pub(super) fn silent_shards(&self) -> Vec<Arc<SilentShard>> {
        self.silent().values().map(Arc::clone).collect()
    }

    /// Notes a call that was begun at `begun` and got no answer.
    pub(super) fn note_failure(
        &self,
        shard: Shard,
        begun: MonotonicInstant,
        failure: Failure,
        (slot, key): (u16, Vec<u8>),
    ) -> Arc<SilentShard> {
        let mut silent = self.silent();
        let known = silent.entry(shard.clone()).or_insert_with(|| {
            Arc::new(SilentShard {
                shard,
                slot,
                key,
                silence: watch::Sender::new(Some(Silence::new(begun, failure))),
                is_probed: AtomicBool::new(false),
                is_counted: AtomicBool::new(false),
                probe_wanted: Notify::new(),
            })
        });
        let known = Arc::clone(known);
        self.count.store(silent.len(), Ordering::Relaxed);
        known
    }

    /// Notes an answer of a shard.
    pub(super) fn note_answer(&self, shard: &Shard) {
        let mut silent = self.silent();
        let Some(known) = silent.remove(shard) else { return };
        self.count.store(silent.len(), Ordering::Relaxed);
        drop(silent);
        let silence = known.silence.send_replace(None);
        if known.is_counted.load(Ordering::Relaxed) {
            self.metrics.shards_away(self.away().len());
            let lasted = silence.map(|silence| silence.age(MonotonicInstant::now()));
            tracing::info!(shard = known.name(), ?lasted, "the store answers again");
        }
    }

    /// Returns the shards that are away, and for how long.
    pub(super) fn away(&self) -> Vec<(String, Duration)> {
        let now = MonotonicInstant::now();
        let silent = self.silent();
        let mut away: Vec<_> = silent
            .values()
            .filter_map(|known| {
                let silence = known.silence.borrow();
                let silence = silence.as_ref()?;
                silence.has_lasted(self.budget, now).then(|| (known.name(), silence.age(now)))
            })
            .collect();
        away.sort();
        away
    }

    /// Counts and logs that a shard is away, once.
    pub(super) fn report_if_away(&self, known: &SilentShard) {
        let now = MonotonicInstant::now();
        let is_away = matches!(
            &*known.silence.borrow(),
            Some(silence) if silence.has_lasted(self.budget, now)
        );
        if is_away && !known.is_counted.swap(true, Ordering::Relaxed) {
            self.metrics.shard_lost();
            self.metrics.shards_away(self.away().len());
            tracing::warn!(
                shard = known.name(),
                "the store does not answer: calls fail without being sent until it does"
            );
        }
    }

    fn silent(&self) -> MutexGuard<'_, HashMap<Shard, Arc<SilentShard>>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SilentShard {
    fn name(&self) -> String {
        self.shard.as_ref().map_or_else(|| "the store".to_owned(), Address::to_string)
    }

    /// Returns when a call may be sent.
    ///
    /// # Errors
    /// The last failure, if the call should not be sent.
    pub(super) async fn admit(&self, caller: Caller) -> Result<(), StoreError> {
        let mut changes = self.silence.subscribe();
        loop {
            let now = MonotonicInstant::now();
            let (decision, error) = match &*changes.borrow_and_update() {
                None => return Ok(()),
                Some(silence) => (silence.decide(&caller, now), silence.error(now)),
            };
            match decision {
                Decision::Send => return Ok(()),
                Decision::Fail => return Err(error),
                Decision::WaitUntil(until) => {
                    self.probe_wanted.notify_one();
                    let left = until.as_nanos().saturating_sub(now.as_nanos());
                    let _changed_or_not =
                        timeout(Duration::from_nanos(left), changes.changed()).await;
                }
            }
        }
    }

    /// Returns the right to probe, or `None` if another task has it.
    pub(super) fn begin_probing(self: &Arc<Self>) -> Option<Probing> {
        let is_probed = self.is_probed.swap(true, Ordering::AcqRel);
        (!is_probed).then(|| Probing(Arc::clone(self)))
    }

    pub(super) fn has_answered(&self) -> bool {
        self.silence.borrow().is_none()
    }

    pub(super) fn begin_probe(&self) {
        self.change(|silence| silence.begin_probe(MonotonicInstant::now()));
    }

    pub(super) fn end_probe(&self, failure: Option<Failure>) {
        self.change(|silence| silence.end_probe(failure, MonotonicInstant::now()));
    }

    /// Waits until the next probe is due.
    pub(super) async fn until_next_probe(&self) {
        let now = MonotonicInstant::now();
        let pause = self.silence.borrow().as_ref().map_or(MIN_PAUSE, |silence| silence.pause(now));
        sleep(MIN_PAUSE).await;
        let _wanted_or_not =
            timeout(pause.saturating_sub(MIN_PAUSE), self.probe_wanted.notified()).await;
    }

    fn change(&self, change: impl FnOnce(&mut Silence)) {
        self.silence.send_modify(|silence| {
            if let Some(silence) = silence {
                change(silence);
            }
        });
    }
}

impl Probing {
    pub(super) fn shard(&self) -> &Arc<SilentShard> {
        &self.0
    }

    pub(super) fn name_of_shard(&self) -> &Shard {
        &self.0.shard
    }
}
