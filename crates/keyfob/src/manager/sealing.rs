//! Whether a manager seals its store. Without the feature `seal` it never does.

use keyfob_core::KeyVersion;
#[cfg(feature = "seal")]
use {
    keyfob_core::random::Random,
    keyfob_metrics::Metrics,
    keyfob_seal::{KeyRing, SealedStore},
    keyfob_store::Store,
    std::sync::Arc,
};

/// The sealed store of a manager, if its store is sealed.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    #[cfg(feature = "seal")]
    store: Option<Arc<SealedStore>>,
}

impl Sealing {
    /// Seals a store under a ring. Returns the sealed store twice: as any store, and as itself.
    #[cfg(feature = "seal")]
    pub(super) fn around(
        store: Arc<dyn Store>,
        ring: &KeyRing,
        random: &Arc<dyn Random>,
        metrics: &Metrics,
    ) -> (Arc<dyn Store>, Self) {
        let sealed = SealedStore::with(store, ring, random.clone()).metrics(metrics.clone());
        let sealed = Arc::new(sealed);
        (sealed.clone(), Self { store: Some(sealed) })
    }

    /// The sealed store.
    #[cfg(feature = "seal")]
    pub(super) fn store(&self) -> Option<&Arc<SealedStore>> {
        self.store.as_ref()
    }

    /// The key that new records are sealed under; `None` when the store is not sealed.
    pub(super) fn active_key(&self) -> Option<KeyVersion> {
        #[cfg(feature = "seal")]
        return self.store.as_ref().map(|sealed| sealed.sealer().active());
        #[cfg(not(feature = "seal"))]
        None
    }
}
