//! What a beat means for the caches of a node without a connection to the store.

use std::time::Duration;

use keyfob_core::id::{Lane, LaneCount};
use keyfob_core::monotonic::MonotonicInstant;

use super::journal::{Beat, JournalId, Since};
use crate::Invalidation;

/// Where one follower stands.
#[derive(Debug)]
pub struct Follower {
    namespace: [u8; 16],
    last: Option<(JournalId, u64)>,
    /// For each lane: every change before this instant was reported, or what was cached before it
    /// was dropped.
    known: Vec<MonotonicInstant>,
    /// For how long the machine had been suspended at the last beat that confirmed all lanes.
    suspended: Duration,
}

/// When a beat was asked for and received.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    /// When the question was sent.
    pub sent: MonotonicInstant,
    /// When the answer was received.
    pub received: MonotonicInstant,
    /// For how long the machine had been suspended in total when the question was sent.
    pub suspended_before: Duration,
    /// The same when the answer was received.
    pub suspended_after: Duration,
}

/// What to do after a beat, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What to invalidate.
    pub invalidate: Vec<(Lane, Invalidation)>,
    /// The instant to confirm these lanes with; see
    /// [`InvalidationSource::confirm_lanes`](crate::InvalidationSource::confirm_lanes).
    pub confirm: Option<(MonotonicInstant, Vec<Lane>)>,
}

/// The beat is of another namespace: nothing that this node has is right any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the server has another namespace now: start this node again")]
pub struct OtherNamespace;

impl Follower {
    /// No journal is asked for more than this.
    const MAX_AGO: Duration = Duration::from_secs(60);

    /// Creates a follower of a namespace with this fingerprint. Nothing was cached before `now`, and until then
    /// the machine was `suspended` for so long.
    pub fn new(
        namespace: [u8; 16],
        lanes: LaneCount,
        now: MonotonicInstant,
        suspended: Duration,
    ) -> Self {
        let known = vec![now; usize::from(lanes.get())];
        Self { namespace, last: None, known, suspended }
    }

    /// Returns what to ask for at `now`.
    pub fn since(&self, now: MonotonicInstant) -> Since {
        let oldest = self.known.iter().min().map_or(Duration::ZERO, |known| now.since(*known));
        Since { after: self.last, ago: oldest.min(Self::MAX_AGO) }
    }

    /// Takes a beat.
    ///
    /// # Errors
    /// [`OtherNamespace`]: then end the trust in all lanes.
    pub fn take(&mut self, trip: Trip, beat: &Beat) -> Result<Step, OtherNamespace> {
        if beat.namespace != self.namespace {
            return Err(OtherNamespace);
        }
        let mut invalidate = Vec::new();
        // While the machine is suspended its clock stands still: no span is what it seems.
        let was_suspended = MonotonicInstant::has_slept(self.suspended, trip.suspended_after);
        let is_continuous =
            beat.is_continuous && self.last.is_some_and(|(journal, _)| journal == beat.journal);
        if !is_continuous {
            let covered_from = match was_suspended {
                true => trip.received,
                // The answer was on its way when it covered this span, so it covers no less.
                false => trip.received.before(beat.covers),
            };
            for (number, known) in self.known.iter_mut().enumerate() {
                if *known < covered_from {
                    invalidate.extend(lane_of(number).map(|lane| (lane, Invalidation::All)));
                    *known = trip.received;
                }
            }
        }
        invalidate.extend_from_slice(&beat.changes);
        self.last = Some((beat.journal, beat.number));
        let has_slept = MonotonicInstant::has_slept(trip.suspended_before, trip.suspended_after);
        let (confirmed, lanes) = match has_slept {
            false => (covered_until(trip, beat), self.lanes_but(&beat.distrusted)),
            // It is not known how old the answer is.
            true => (trip.sent, Vec::new()),
        };
        for lane in &lanes {
            if let Some(known) = self.known.get_mut(usize::from(lane.number())) {
                *known = confirmed.max(*known);
            }
        }
        if lanes.len() == self.known.len() {
            // Only now is every lane known from an instant after the sleep.
            self.suspended = trip.suspended_after;
        }
        let confirm = (!lanes.is_empty()).then_some((confirmed, lanes));
        Ok(Step { invalidate, confirm })
    }

    fn lanes_but(&self, distrusted: &[Lane]) -> Vec<Lane> {
        let lanes = (0..self.known.len()).filter_map(lane_of);
        lanes.filter(|lane| !distrusted.contains(lane)).collect()
    }
}

/// Returns an instant before which every change was reported by now. The question arrived when it was sent
/// or later, so this is never too late.
fn covered_until(trip: Trip, beat: &Beat) -> MonotonicInstant {
    let held = beat.held.min(trip.received.since(trip.sent));
    trip.sent.after(held).before(beat.age)
}

fn lane_of(number: usize) -> Option<Lane> {
    u16::try_from(number).ok().map(Lane::new)
}
