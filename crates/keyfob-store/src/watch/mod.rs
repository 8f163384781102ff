//! The invalidation feed: how a store tells those who keep what they loaded what has changed, and
//! for how long they may rest on its silence.
//!
//! A [`InvalidationListener`] is the meeting point. A cache reads it; a store's **sources** write it. A source
//! speaks for some lanes: it empties them when it takes them over, says what changes, and confirms
//! again and again that whatever happened before a moment has been told. Trust in a lane ends at
//! the last confirmed moment plus the watcher's bound, with nobody having to do anything.
//!
//! ```
//! use keyfob::store::{Invalidation, MonotonicInstant, InvalidationListener};
//! use keyfob::{Lane, LaneCount, Ttl};
//!
//! let watcher = InvalidationListener::new(LaneCount::ONE, Ttl::from_secs(1));
//! let lane = Lane::default();
//! let ticket = watcher.ticket(); // before a record is loaded
//! assert!(!watcher.is_current(lane, ticket, []), "nobody has confirmed anything yet");
//!
//! let source = watcher.source([lane]);
//! let ticket = watcher.ticket();
//! source.confirm(MonotonicInstant::now());
//! assert!(watcher.is_current(lane, ticket, []));
//!
//! watcher.changed(lane, Invalidation::All);
//! assert!(!watcher.is_current(lane, ticket, []));
//! drop(source); // silence: nothing is trusted any more
//! ```

mod owner;
mod registry;
mod trust;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::monotonic::{CoarseClock, MonotonicInstant};
use keyfob_core::namespace::EpochField;
use keyfob_core::time::Ttl;
use keyfob_metrics::{InvalidationOf, LaneTrust, Metrics};
use owner::Owner;
pub use registry::InvalidationListeners;
use trust::Trust;

use crate::atomic;

/// Where a store's feed and a cache meet. See [`Store::watch`](crate::Store::watch).
pub struct InvalidationListener {
    trust: Trust,
    bound: Duration,
    ticker: CoarseClock,
    owners: Mutex<Owners>,
    metrics: Metrics,
}

/// Which source speaks for each lane.
#[derive(Debug)]
struct Owners {
    last: u64,
    of_lane: Vec<Owner>,
}

/// One who speaks for some lanes. Dropping it ends their trust. It does not keep the watcher alive.
#[derive(Debug)]
pub struct InvalidationSource {
    watcher: Weak<InvalidationListener>,
    number: u64,
    lanes: Vec<Lane>,
}

/// The moment until which a lane is trusted that needs no more confirmation.
const FOR_GOOD: u64 = u64::MAX;

/// What changed in a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalidation {
    /// The record under these bytes, which are unique in the lane.
    Record([u8; TokenId::LOCAL_BYTES]),
    /// The epoch of a field, and with it all that answers to it.
    Field(EpochField),
    /// The epoch of everything, or more than can be told.
    All,
}

/// Where the ticks of a record or a field are found. Several may share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidationSlot(u16);

/// The ticket of a load: see [`InvalidationListener::ticket`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LoadVersion(u64);

impl Invalidation {
    /// The change of a token's record.
    pub fn of(id: TokenId) -> Self {
        Self::Record(id.local())
    }
}

impl InvalidationSlot {
    /// How many there are.
    const COUNT: usize = 1 << 16;

    /// The cell of a record, by the bytes that are unique in its lane.
    pub fn of_record(local: [u8; TokenId::LOCAL_BYTES]) -> Self {
        // The last five of the ten are random, and the fifth counts 16 ms.
        let [.., a, b, c, d, e, f, g, h] = local;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self((number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16)
    }

    /// The cell of an epoch field.
    pub fn of_field(field: EpochField) -> Self {
        let [a, b, ..] = *field.as_bytes();
        Self(u16::from_be_bytes([a, b]))
    }

    /// The cell with this number.
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl LoadVersion {
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u64 {
        self.0
    }
}

impl InvalidationListener {
    /// A watcher of so many lanes. Nothing is trusted until a source confirms it.
    pub fn new(lanes: LaneCount, bound: Ttl) -> Arc<Self> {
        Self::measured(lanes, bound, Metrics::none())
    }

    /// As [`InvalidationListener::new`], and tells of what it is told.
    pub fn measured(lanes: LaneCount, bound: Ttl, metrics: Metrics) -> Arc<Self> {
        let bound = bound.as_duration();
        let lanes = usize::from(lanes.get());
        Arc::new(Self {
            trust: Trust::new(lanes, InvalidationSlot::COUNT),
            bound,
            ticker: CoarseClock::for_bound(bound),
            owners: Mutex::new(Owners {
                last: 0,
                of_lane: vec![Owner::new(MonotonicInstant::now()); lanes],
            }),
            metrics,
        })
    }

    /// For how long the silence of a source may be trusted.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// What a load that is sent from now on may be kept under. Take it before the load is sent.
    pub fn ticket(&self) -> LoadVersion {
        LoadVersion(self.trust.ticket())
    }

    /// Whether what was loaded under `ticket` may be believed at this moment: its lane is trusted,
    /// and nothing of the lane or of these cells has changed since.
    pub fn is_current(
        &self,
        lane: Lane,
        ticket: LoadVersion,
        cells: impl IntoIterator<Item = InvalidationSlot>,
    ) -> bool {
        let cells = cells.into_iter().map(|cell| usize::from(cell.0));
        match self.trust.until(usize::from(lane.number()), ticket.0, cells) {
            None | Some(0) => false,
            Some(FOR_GOOD) => true,
            // The clock is read last: the decision is made when it is.
            Some(until) => self.ticker.now().as_nanos() < until,
        }
    }

    /// Whether a lane is trusted at this moment.
    pub fn trusts(&self, lane: Lane) -> bool {
        self.is_current(lane, LoadVersion(u64::MAX), [])
    }

    /// Tells of a change. Whoever loads from now on loads it changed.
    pub fn changed(&self, lane: Lane, change: Invalidation) {
        let what = match change {
            Invalidation::Record(local) => {
                self.trust.invalidate(InvalidationSlot::of_record(local).0.into());
                InvalidationOf::Record
            }
            Invalidation::Field(field) => {
                self.trust.invalidate(InvalidationSlot::of_field(field).0.into());
                InvalidationOf::Field
            }
            Invalidation::All => {
                self.trust.empty(lane.number().into());
                InvalidationOf::Lane
            }
        };
        self.metrics.handles.feed_invalidations.of(what).increment(1);
    }

    /// Takes lanes over for a new source: what was loaded of them before is not current any more,
    /// and they are not trusted until the source confirms. Whoever spoke for them before is not
    /// heard any more.
    ///
    /// Call it when the new source hears of every change already, and not before.
    pub fn source(self: &Arc<Self>, lanes: impl IntoIterator<Item = Lane>) -> InvalidationSource {
        let lanes: Vec<Lane> = lanes.into_iter().collect();
        let mut owners = self.owners();
        let now = MonotonicInstant::now();
        owners.last += 1;
        let number = owners.last;
        for lane in &lanes {
            if let Some(owner) = owners.of_lane.get_mut(usize::from(lane.number())) {
                owner.source = number;
                self.count_lost(owner.grant(0, None, now));
            }
            self.trust.grant(lane.number().into(), 0);
            self.trust.empty(lane.number().into());
        }
        InvalidationSource { watcher: Arc::downgrade(self), number, lanes }
    }

    fn grant(&self, source: u64, until: u64, sent: Option<MonotonicInstant>, lanes: &[Lane]) {
        // Held for as long as it takes, so that one that was replaced does not speak up again.
        let mut owners = self.owners();
        let now = MonotonicInstant::now();
        for lane in lanes {
            let number = usize::from(lane.number());
            let owner = owners.of_lane.get_mut(number).filter(|owner| owner.source == source);
            if let Some(owner) = owner {
                self.trust.grant(number, until);
                self.count_lost(owner.grant(until, sent, now));
            }
        }
    }

    fn count_lost(&self, is_lost: bool) {
        self.metrics.handles.feed_trust_lost.increment(u64::from(is_lost));
    }

    /// Says how it stands with trust.
    pub fn publish(&self) {
        let mut owners = self.owners();
        let now = MonotonicInstant::now();
        let (mut trusted, mut age) = (0, 0);
        for owner in &mut owners.of_lane {
            self.count_lost(owner.has_lapsed(now));
            trusted += usize::from(owner.is_trusted());
            age = owner.age(now).max(age);
        }
        let handles = &self.metrics.handles;
        let distrusted = owners.of_lane.len() - trusted;
        handles.feed_lanes.of(LaneTrust::Trusted).set(trusted as f64);
        handles.feed_lanes.of(LaneTrust::Distrusted).set(distrusted as f64);
        handles.feed_confirmed_age.set(age as f64 / 1e9);
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for InvalidationListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("bound", &self.bound).finish_non_exhaustive()
    }
}

impl InvalidationSource {
    /// The lanes that it was made for.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Whether anybody still watches. A source that nobody watches may go.
    pub fn is_watched(&self) -> bool {
        self.watcher.strong_count() > 0
    }

    /// Says that every change that the store acknowledged before `sent` has been told. The lanes
    /// are trusted until `sent` and the bound.
    pub fn confirm(&self, sent: MonotonicInstant) {
        self.confirm_of(sent, &self.lanes);
    }

    /// As [`InvalidationSource::confirm`], for some of its lanes only.
    pub fn confirm_of(&self, sent: MonotonicInstant, lanes: &[Lane]) {
        let Some(watcher) = self.watcher.upgrade() else { return };
        let until = sent.after(watcher.bound).as_nanos();
        // What a reader's clock may lag is taken off beforehand.
        watcher.grant(
            self.number,
            until.saturating_sub(watcher.ticker.lag()).min(FOR_GOOD - 1),
            Some(sent),
            lanes,
        );
    }

    /// Says that every change is told before it is acknowledged, as it is within one process.
    pub fn confirm_for_good(&self) {
        if let Some(watcher) = self.watcher.upgrade() {
            watcher.grant(self.number, FOR_GOOD, None, &self.lanes);
        }
    }

    /// Ends the trust at once. What was loaded is kept: it may be current when the next
    /// confirmation comes.
    pub fn distrust(&self) {
        if let Some(watcher) = self.watcher.upgrade() {
            watcher.grant(self.number, 0, None, &self.lanes);
        }
    }

    /// Says that anything may have changed in any of its lanes.
    pub fn empty(&self) {
        let Some(watcher) = self.watcher.upgrade() else { return };
        for lane in &self.lanes {
            watcher.changed(*lane, Invalidation::All);
        }
    }
}

impl Drop for InvalidationSource {
    fn drop(&mut self) {
        self.distrust();
    }
}

#[cfg(test)]
mod tests;
