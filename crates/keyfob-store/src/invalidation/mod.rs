//! The invalidation feed: how a store reports changes to caches, and for how long a cache may trust
//! the store's silence.
//!
//! An [`InvalidationListener`] connects the two sides: a cache reads it, and a store's **sources**
//! write to it. A source is responsible for some lanes. It invalidates them when it takes them over,
//! reports what changes, and confirms at regular intervals that every change before some instant has
//! been reported. Trust in a lane ends at the last confirmed instant plus the maximum staleness, without
//! any further action.
//!
//! ```
//! use keyfob_store::{
//!     Invalidation, InvalidationListener, Lane, LaneCount, MonotonicInstant, Ttl,
//! };
//!
//! let listener = InvalidationListener::new(LaneCount::ONE, Ttl::from_secs(1));
//! let lane = Lane::default();
//! let version = listener.load_version(); // before a record is loaded
//! assert!(!listener.is_current(lane, version, []), "nothing is confirmed yet");
//!
//! let source = listener.add_source([lane]);
//! let version = listener.load_version();
//! source.confirm(MonotonicInstant::now());
//! assert!(listener.is_current(lane, version, []));
//!
//! listener.invalidate(lane, Invalidation::All);
//! assert!(!listener.is_current(lane, version, []));
//! drop(source); // without its source, a lane is not trusted
//! ```
//!
//! A listener can also have an [`InvalidationObserver`], which sees each change, and it says up to when
//! all changes were reported: [`InvalidationListener::coverage`]. So what follows one listener can serve
//! others that have no connection to the store.

mod coverage;
mod owner;
mod registry;
mod trust;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

pub use coverage::Coverage;
use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::monotonic::{CoarseClock, MonotonicInstant};
use keyfob_core::namespace::EpochField;
use keyfob_core::time::Ttl;
use keyfob_metrics::{InvalidationOf, LaneTrust, Metrics};
use owner::{FOREVER, Owner};
pub use registry::InvalidationListeners;
use trust::Trust;

use crate::atomic;

/// Connects a store's invalidation feed with a cache. See [`Invalidations`](crate::Invalidations).
pub struct InvalidationListener {
    trust: Trust,
    max_staleness: Duration,
    clock: CoarseClock,
    owners: Mutex<Owners>,
    metrics: Metrics,
    observer: Option<InvalidationObserver>,
}

/// Sees each change that a listener receives, after the listener has taken it. A lane that gets a new source
/// is seen as [`Invalidation::All`]. It is called while the listener is locked, so it must not call it.
pub type InvalidationObserver = Box<dyn Fn(Lane, Invalidation) + Send + Sync>;

/// Which source is responsible for each lane.
#[derive(Debug)]
struct Owners {
    last: u64,
    of_lane: Vec<Owner>,
}

/// The side of a listener that a store writes to, for some lanes. Dropping it ends the trust in these
/// lanes. It does not keep the listener alive.
#[derive(Debug)]
pub struct InvalidationSource {
    listener: Weak<InvalidationListener>,
    number: u64,
    lanes: Vec<Lane>,
}

/// What changed in a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalidation {
    /// The record with these bytes of its id. They are unique in the lane.
    Record([u8; TokenId::LOCAL_BYTES]),
    /// The epoch of a field. This affects every record that has the field.
    Field(EpochField),
    /// The epoch of everything, or more than can be reported one by one.
    All,
}

/// The slot that holds the invalidations of a record or a field. Several of them may share one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidationSlot(u16);

/// The version under which a load was sent: see [`InvalidationListener::load_version`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LoadVersion(u64);

impl Invalidation {
    /// Returns the invalidation of a token's record.
    pub fn of(id: TokenId) -> Self {
        Self::Record(id.local())
    }
}

impl InvalidationSlot {
    /// The number of slots.
    const COUNT: usize = 1 << 16;

    /// Returns the slot of a record, from the bytes that are unique in its lane.
    pub fn of_record(local: [u8; TokenId::LOCAL_BYTES]) -> Self {
        // The last five of the ten bytes are random, and the fifth counts 16 ms.
        let [.., a, b, c, d, e, f, g, h] = local;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self((number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16)
    }

    /// Returns the slot of an epoch field.
    pub fn of_field(field: EpochField) -> Self {
        let [a, b, ..] = *field.as_bytes();
        Self(u16::from_be_bytes([a, b]))
    }

    /// Returns the slot with this number.
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// Returns the number of the slot.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl LoadVersion {
    /// Returns the version with this number.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number of the version.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl InvalidationListener {
    /// Creates a listener for this many lanes. No lane is trusted until a source confirms it.
    pub fn new(lanes: LaneCount, max_staleness: Ttl) -> Arc<Self> {
        Self::measured(lanes, max_staleness, Metrics::none())
    }

    /// Creates a listener as [`InvalidationListener::new`] does, that counts what it receives.
    pub fn measured(lanes: LaneCount, max_staleness: Ttl, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self::create(lanes, max_staleness, metrics, None))
    }

    /// Creates a listener as [`InvalidationListener::new`] does, with an observer.
    pub fn observed(
        lanes: LaneCount,
        max_staleness: Ttl,
        observer: InvalidationObserver,
    ) -> Arc<Self> {
        Arc::new(Self::create(lanes, max_staleness, Metrics::none(), Some(observer)))
    }

    fn create(
        lanes: LaneCount,
        max_staleness: Ttl,
        metrics: Metrics,
        observer: Option<InvalidationObserver>,
    ) -> Self {
        let max_staleness = max_staleness.as_duration();
        let lanes = usize::from(lanes.get());
        let owners = Owners { last: 0, of_lane: vec![Owner::new(MonotonicInstant::now()); lanes] };
        Self {
            trust: Trust::new(lanes, InvalidationSlot::COUNT),
            max_staleness,
            clock: CoarseClock::for_max_staleness(max_staleness),
            owners: Mutex::new(owners),
            metrics,
            observer,
        }
    }

    /// Returns for how long the silence of a source may be trusted.
    pub fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// Returns the version to keep a loaded record under. Call it before the load is sent.
    pub fn load_version(&self) -> LoadVersion {
        LoadVersion(self.trust.load_version())
    }

    /// Returns whether a record that was loaded under `version` may be used now: its lane is trusted,
    /// and neither the lane nor any of these slots was invalidated since.
    pub fn is_current(
        &self,
        lane: Lane,
        version: LoadVersion,
        slots: impl IntoIterator<Item = InvalidationSlot>,
    ) -> bool {
        let slots = slots.into_iter().map(|slot| usize::from(slot.0));
        match self.trust.until(usize::from(lane.number()), version.0, slots) {
            None | Some(0) => false,
            Some(FOREVER) => true,
            // The clock is read last: the answer is decided at that instant.
            Some(until) => self.clock.now().as_nanos() < until,
        }
    }

    /// Returns whether a lane is trusted now.
    pub fn is_trusted(&self, lane: Lane) -> bool {
        self.is_current(lane, LoadVersion(u64::MAX), [])
    }

    /// Reports a change. What was loaded of it before is no longer current.
    pub fn invalidate(&self, lane: Lane, change: Invalidation) {
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
                self.trust.invalidate_lane(lane.number().into());
                InvalidationOf::Lane
            }
        };
        self.observe(lane, change);
        self.metrics.handles.feed_invalidations.of(what).increment(1);
    }

    fn observe(&self, lane: Lane, change: Invalidation) {
        if let Some(observer) = &self.observer {
            observer(lane, change);
        }
    }

    /// Makes a new source responsible for these lanes. What was loaded of them before is no longer
    /// current, and they are not trusted until the new source confirms them. Their former source has no
    /// effect on them any more.
    ///
    /// Call it once the new source receives every change, and not before.
    pub fn add_source(
        self: &Arc<Self>,
        lanes: impl IntoIterator<Item = Lane>,
    ) -> InvalidationSource {
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
            self.trust.invalidate_lane(lane.number().into());
            self.observe(*lane, Invalidation::All);
        }
        InvalidationSource { listener: Arc::downgrade(self), number, lanes }
    }

    fn grant(&self, source: u64, until: u64, sent: Option<MonotonicInstant>, lanes: &[Lane]) {
        // The lock is held to the end, so that a source that was replaced has no effect afterwards.
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

    /// Returns up to when each lane's changes were reported. The observer has seen what it covers.
    pub fn coverage(&self) -> Coverage {
        let owners = self.owners();
        Coverage::of(owners.of_lane.iter(), MonotonicInstant::now())
    }

    fn count_lost(&self, is_lost: bool) {
        self.metrics.handles.feed_trust_lost.increment(u64::from(is_lost));
    }

    /// Updates the gauges: how many lanes are trusted, and the age of the oldest confirmation.
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
        f.debug_struct("InvalidationListener")
            .field("max_staleness", &self.max_staleness)
            .finish_non_exhaustive()
    }
}

impl InvalidationSource {
    /// Returns the lanes that the source was created for.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Returns whether the listener still exists. Without it, the source can be dropped.
    pub fn has_listener(&self) -> bool {
        self.listener.strong_count() > 0
    }

    /// Confirms that every change that the store acknowledged before `sent` has been reported. The lanes
    /// are trusted until `sent` plus the maximum staleness.
    pub fn confirm(&self, sent: MonotonicInstant) {
        self.confirm_lanes(sent, &self.lanes);
    }

    /// Confirms some of the lanes, as [`InvalidationSource::confirm`] does for all of them.
    pub fn confirm_lanes(&self, sent: MonotonicInstant, lanes: &[Lane]) {
        let Some(listener) = self.listener.upgrade() else { return };
        let until = sent.after(listener.max_staleness).as_nanos();
        // A reader's clock may lag behind. Trust ends that much earlier.
        let until = until.saturating_sub(listener.clock.lag()).min(FOREVER - 1);
        listener.grant(self.number, until, Some(sent), lanes);
    }

    /// Says that every change is reported before it is acknowledged, as within one process. The lanes
    /// are trusted until further notice.
    pub fn confirm_forever(&self) {
        if let Some(listener) = self.listener.upgrade() {
            listener.grant(self.number, FOREVER, None, &self.lanes);
        }
    }

    /// Ends the trust now. What was loaded is kept: it may be current at the next confirmation.
    pub fn distrust(&self) {
        if let Some(listener) = self.listener.upgrade() {
            listener.grant(self.number, 0, None, &self.lanes);
        }
    }

    /// Invalidates everything in all of the source's lanes.
    pub fn invalidate_all(&self) {
        let Some(listener) = self.listener.upgrade() else { return };
        for lane in &self.lanes {
            listener.invalidate(*lane, Invalidation::All);
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
