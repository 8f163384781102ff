//! What one listener says to all who watch: a source for each of them and for each lane that the
//! listener speaks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyfob_store::{InvalidationListener, InvalidationSource, Lane, MonotonicInstant};

/// The sources of one listener. They end with it, and the trust in its lanes with them.
#[derive(Debug, Default)]
pub(super) struct Sources {
    each: Vec<Spoken>,
}

#[derive(Debug)]
struct Spoken {
    /// To be known again by.
    watcher: std::sync::Weak<InvalidationListener>,
    lanes: BTreeSet<Lane>,
    sources: Vec<InvalidationSource>,
}

impl Sources {
    /// Speaks for these lanes from now on, and for no others. A lane that is new is emptied.
    pub(super) fn speak(&mut self, watching: &[Arc<InvalidationListener>], lanes: &[Lane]) {
        self.each.retain(|spoken| spoken.watcher.strong_count() > 0);
        for watcher in watching {
            let known = |spoken: &&mut Spoken| spoken.watcher.as_ptr() == Arc::as_ptr(watcher);
            match self.each.iter_mut().find(known) {
                Some(spoken) => spoken.speak(watcher, lanes),
                None => {
                    let mut spoken = Spoken {
                        watcher: Arc::downgrade(watcher),
                        lanes: BTreeSet::new(),
                        sources: Vec::new(),
                    };
                    spoken.speak(watcher, lanes);
                    self.each.push(spoken);
                }
            }
        }
    }

    /// Confirms some lanes to all.
    pub(super) fn confirm(&self, sent: MonotonicInstant, lanes: &[Lane]) {
        for spoken in &self.each {
            for source in &spoken.sources {
                let own = source.lanes();
                let lanes: Vec<_> =
                    lanes.iter().filter(|lane| own.contains(lane)).copied().collect();
                source.confirm_lanes(sent, &lanes);
            }
        }
    }
}

impl Spoken {
    fn speak(&mut self, watcher: &Arc<InvalidationListener>, lanes: &[Lane]) {
        self.lanes.retain(|lane| lanes.contains(lane));
        self.sources.retain(|source| source.lanes().iter().any(|lane| self.lanes.contains(lane)));
        let new: Vec<_> = lanes.iter().filter(|lane| !self.lanes.contains(lane)).copied().collect();
        if !new.is_empty() {
            self.lanes.extend(&new);
            self.sources.push(watcher.add_source(new));
        }
    }
}

#[cfg(test)]
mod tests {
    use keyfob_store::{LaneCount, Ttl};

    use super::*;

    #[test]
    fn a_lane_that_comes_back_is_emptied_and_the_others_are_not() {
        let watcher = InvalidationListener::new(LaneCount::new(2).unwrap(), Ttl::from_secs(60));
        let (one, two) = (Lane::new(0), Lane::new(1));
        let mut sources = Sources::default();
        let watching = [Arc::clone(&watcher)];
        let current = |load_version, lane| watcher.is_current(lane, load_version, []);
        sources.speak(&watching, &[one, two]);
        sources.confirm(MonotonicInstant::now(), &[one]);
        assert!(watcher.is_trusted(one) && !watcher.is_trusted(two), "only what was confirmed");
        sources.confirm(MonotonicInstant::now(), &[one, two]);
        let before = watcher.load_version();
        sources.speak(&watching, &[one]);
        sources.speak(&watching, &[one, two]);
        sources.confirm(MonotonicInstant::now(), &[one, two]);
        assert!(current(before, one) && !current(before, two));
        assert!(current(watcher.load_version(), two));
        drop(sources);
        assert!(!watcher.is_trusted(one) && !watcher.is_trusted(two), "nobody speaks any more");
    }
}
