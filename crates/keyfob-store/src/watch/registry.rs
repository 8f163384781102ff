//! The watchers of a store, for the store to tell.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::{Invalidation, InvalidationListener, InvalidationSource};
use keyfob_core::id::{Lane, LaneCount};

/// The watchers that were registered at a store, as long as their caches live. A store that is
/// within one process needs nothing else: see [`InvalidationListeners::add_for_good`].
#[derive(Debug, Default)]
pub struct InvalidationListeners {
    each: RwLock<Vec<Watched>>,
}

#[derive(Debug)]
struct Watched {
    watcher: Weak<InvalidationListener>,
    // Its lanes are trusted for as long as this is here.
    _source: Option<InvalidationSource>,
}

impl InvalidationListeners {
    /// Registers a watcher that other sources speak to.
    pub fn add(&self, watcher: &Arc<InvalidationListener>) {
        self.put(Watched { watcher: Arc::downgrade(watcher), _source: None });
    }

    /// Registers a watcher that trusts all lanes for good: every change is told by
    /// [`InvalidationListeners::tell`] before it is acknowledged, and there is no other way to change anything.
    pub fn add_for_good(&self, watcher: &Arc<InvalidationListener>, lanes: LaneCount) {
        let source = watcher.source(lanes.lanes());
        source.confirm_for_good();
        self.put(Watched { watcher: Arc::downgrade(watcher), _source: Some(source) });
    }

    /// Tells every watcher of changes. Call it after they can be read and before they are
    /// acknowledged.
    pub fn tell(&self, changes: impl IntoIterator<Item = (Lane, Invalidation)>) {
        let watchers = self.watching();
        if watchers.is_empty() {
            return;
        }
        for (lane, change) in changes {
            watchers.iter().for_each(|watcher| watcher.changed(lane, change));
        }
    }

    /// Those whose caches still live.
    pub fn watching(&self) -> Vec<Arc<InvalidationListener>> {
        let each = self.each.read().unwrap_or_else(PoisonError::into_inner);
        each.iter().filter_map(|known| known.watcher.upgrade()).collect()
    }

    fn put(&self, watched: Watched) {
        let mut each = self.each.write().unwrap_or_else(PoisonError::into_inner);
        each.retain(|known| known.watcher.strong_count() > 0);
        each.push(watched);
    }
}
