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
/// use keyfob::store::IntoStore;
/// use keyfob::{MemoryStore, Store, TokenManager};
///
/// let by_value = TokenManager::new(MemoryStore::new()?);
/// let shared = Arc::new(MemoryStore::new()?);
/// let [one, two] = [TokenManager::new(shared.clone()), TokenManager::builder(shared).build()];
/// let any: Arc<dyn Store> = MemoryStore::new()?.into_store();
/// let three = TokenManager::new(any);
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
