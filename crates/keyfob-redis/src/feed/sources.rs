//! What one primary confirms to all invalidation listeners: a source for each listener and its
//! lanes.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyfob_store::{InvalidationListener, InvalidationSource, Lane, MonotonicInstant};

use super::assignments::AssignedLane;

/// The sources of one primary. When they are dropped, its lanes are no longer trusted.
#[derive(Debug, Default)]
pub(super) struct Sources {
    of_listeners: Vec<ListenerSources>,
}

#[derive(Debug)]
struct ListenerSources {
    listener: std::sync::Weak<InvalidationListener>,
    lanes: BTreeSet<AssignedLane>,
    sources: Vec<InvalidationSource>,
}

impl Sources {
    /// Sets the lanes of the primary. A lane that is new, or that was assigned again, is invalidated.
    pub(super) fn set_lanes(
        &mut self,
        listeners: &[Arc<InvalidationListener>],
        lanes: &[AssignedLane],
    ) {
        self.of_listeners.retain(|sources| sources.listener.strong_count() > 0);
        for listener in listeners {
            let known =
                |sources: &&mut ListenerSources| sources.listener.as_ptr() == Arc::as_ptr(listener);
            match self.of_listeners.iter_mut().find(known) {
                Some(sources) => sources.set_lanes(listener, lanes),
                None => {
                    let mut sources = ListenerSources {
                        listener: Arc::downgrade(listener),
                        lanes: BTreeSet::new(),
                        sources: Vec::new(),
                    };
                    sources.set_lanes(listener, lanes);
                    self.of_listeners.push(sources);
                }
            }
        }
    }

    /// Confirms some lanes to all listeners: every change before `sent` was reported.
    pub(super) fn confirm(&self, sent: MonotonicInstant, lanes: &[Lane]) {
        for sources in &self.of_listeners {
            for source in &sources.sources {
                let own = source.lanes();
                let lanes: Vec<_> =
                    lanes.iter().filter(|lane| own.contains(lane)).copied().collect();
                source.confirm_lanes(sent, &lanes);
            }
        }
    }
}

impl ListenerSources {
    fn set_lanes(&mut self, listener: &Arc<InvalidationListener>, lanes: &[AssignedLane]) {
        self.lanes.retain(|lane| lanes.contains(lane));
        let has = |lane: &Lane| self.lanes.iter().any(|assigned| assigned.lane == *lane);
        self.sources.retain(|source| source.lanes().iter().any(has));
        let new: Vec<_> = lanes.iter().filter(|lane| !self.lanes.contains(lane)).copied().collect();
        if !new.is_empty() {
            self.lanes.extend(&new);
            self.sources.push(listener.add_source(new.into_iter().map(|assigned| assigned.lane)));
        }
    }
}

#[cfg(test)]
mod tests {
    use keyfob_store::{LaneCount, Ttl};

    use super::*;

    fn assigned(lanes: &[Lane], number: u64) -> Vec<AssignedLane> {
        lanes.iter().map(|lane| AssignedLane { lane: *lane, number }).collect()
    }

    #[test]
    fn a_lane_that_left_and_returned_between_two_looks_is_trusted_again() {
        let listener = InvalidationListener::new(LaneCount::new(2).unwrap(), Ttl::from_secs(60));
        let lanes = [Lane::new(0), Lane::new(1)];
        let listeners = [Arc::clone(&listener)];
        let (mut here, mut there) = (Sources::default(), Sources::default());
        here.set_lanes(&listeners, &assigned(&lanes, 1));
        here.confirm(MonotonicInstant::now(), &lanes);
        let before = listener.load_version();
        // The other primary takes the lane over and loses it, while this one waits for an answer.
        there.set_lanes(&listeners, &assigned(&lanes[1..], 2));
        there.confirm(MonotonicInstant::now(), &lanes[1..]);
        drop(there);
        assert!(!listener.is_trusted(lanes[1]));
        here.set_lanes(&listeners, &[assigned(&lanes[..1], 1), assigned(&lanes[1..], 3)].concat());
        here.confirm(MonotonicInstant::now(), &lanes);
        assert!(listener.is_trusted(lanes[0]) && listener.is_trusted(lanes[1]));
        assert!(listener.is_current(lanes[0], before, []), "the other lane keeps what was loaded");
        assert!(
            !listener.is_current(lanes[1], before, []),
            "what was loaded before is not current"
        );
    }

    #[test]
    fn a_lane_that_comes_back_is_invalidated_and_the_others_are_not() {
        let listener = InvalidationListener::new(LaneCount::new(2).unwrap(), Ttl::from_secs(60));
        let (one, two) = (Lane::new(0), Lane::new(1));
        let assigned = |lanes: &[Lane]| assigned(lanes, 1);
        let mut sources = Sources::default();
        let listeners = [Arc::clone(&listener)];
        let current = |load_version, lane| listener.is_current(lane, load_version, []);
        sources.set_lanes(&listeners, &assigned(&[one, two]));
        sources.confirm(MonotonicInstant::now(), &[one]);
        assert!(
            listener.is_trusted(one) && !listener.is_trusted(two),
            "only the confirmed lane is trusted"
        );
        sources.confirm(MonotonicInstant::now(), &[one, two]);
        let before = listener.load_version();
        sources.set_lanes(&listeners, &assigned(&[one]));
        sources.set_lanes(&listeners, &assigned(&[one, two]));
        sources.confirm(MonotonicInstant::now(), &[one, two]);
        assert!(current(before, one) && !current(before, two));
        assert!(current(listener.load_version(), two));
        drop(sources);
        assert!(
            !listener.is_trusted(one) && !listener.is_trusted(two),
            "without a source nothing is trusted"
        );
    }
}
