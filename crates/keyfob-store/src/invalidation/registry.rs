//! The invalidation listeners of a store.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::{Invalidation, InvalidationListener, InvalidationSource};
use keyfob_core::id::{Lane, LaneCount};

/// The listeners that are registered at a store. A listener is dropped when its cache is dropped.
///
/// A store that lives in one process needs nothing else for its invalidation feed: see
/// [`InvalidationListeners::add_trusted`].
#[derive(Debug, Default)]
pub struct InvalidationListeners {
    each: RwLock<Vec<Registered>>,
}

#[derive(Debug)]
struct Registered {
    listener: Weak<InvalidationListener>,
    // Dropping it would end the trust in its lanes.
    _source: Option<InvalidationSource>,
}

impl InvalidationListeners {
    /// Registers a listener whose lanes are confirmed by other sources.
    pub fn add(&self, listener: &Arc<InvalidationListener>) {
        self.put(Registered { listener: Arc::downgrade(listener), _source: None });
    }

    /// Registers a listener that may trust all lanes without a heartbeat.
    ///
    /// Use it where every change is reported by [`InvalidationListeners::notify`] before it is
    /// acknowledged, and nothing else can change the data.
    pub fn add_trusted(&self, listener: &Arc<InvalidationListener>, lanes: LaneCount) {
        let source = listener.add_source(lanes.lanes());
        source.confirm_forever();
        self.put(Registered { listener: Arc::downgrade(listener), _source: Some(source) });
    }

    /// Notifies every listener of changes. Call it after the changes can be read, and before they are
    /// acknowledged.
    pub fn notify(&self, changes: impl IntoIterator<Item = (Lane, Invalidation)>) {
        let listeners = self.listening();
        if listeners.is_empty() {
            return;
        }
        for (lane, change) in changes {
            listeners.iter().for_each(|listener| listener.invalidate(lane, change));
        }
    }

    /// Returns the listeners whose caches still exist.
    pub fn listening(&self) -> Vec<Arc<InvalidationListener>> {
        let each = self.each.read().unwrap_or_else(PoisonError::into_inner);
        each.iter().filter_map(|registered| registered.listener.upgrade()).collect()
    }

    fn put(&self, registered: Registered) {
        let mut each = self.each.write().unwrap_or_else(PoisonError::into_inner);
        each.retain(|registered| registered.listener.strong_count() > 0);
        each.push(registered);
    }
}
