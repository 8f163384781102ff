//! How a store is handed over: by value, or shared.

use std::sync::Arc;

use crate::Store;

/// A store that is handed over, by value or in an [`Arc`] that others have too.
///
/// It is implemented for every [`Store`], for an [`Arc`] of one, and for `Arc<dyn Store>`.
///
/// ```
/// use std::sync::Arc;
///
/// use keyfob_store::{IntoStore, MemoryStore, Store};
///
/// fn manager(store: impl IntoStore) -> Arc<dyn Store> {
///     store.into_store()
/// }
///
/// let by_value = manager(MemoryStore::new()?);
/// let shared = Arc::new(MemoryStore::new()?);
/// let [one, two] = [manager(shared.clone()), manager(shared)];
/// let any = manager(by_value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoStore {
    /// Returns the store as one that can be shared.
    fn into_store(self) -> Arc<dyn Store>;
}

impl<S: Store> IntoStore for S {
    fn into_store(self) -> Arc<dyn Store> {
        Arc::new(self)
    }
}

impl<S: Store> IntoStore for Arc<S> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}

impl IntoStore for Arc<dyn Store> {
    fn into_store(self) -> Self {
        self
    }
}
