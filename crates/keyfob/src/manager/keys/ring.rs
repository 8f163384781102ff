//! The key ring that a manager uses: replaced, reloaded, and a key of it retired.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::documents;
use super::scan::ScanPosition;
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::background::Phase;
use keyfob_core::KeyVersion;
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::Ttl;
use keyfob_metrics::Under;
use keyfob_seal::{KeyError, KeyInfo, KeyProvider, KeyRing, KeyState, SealedStore};
use keyfob_store::StoreWrapper;

/// # Keys of a sealed store
///
/// A key is changed in four steps: add it to the ring and give the ring to every node
/// ([`TokenManager::set_keys`], [`TokenManager::reload_keys`]); activate it and do so again;
/// [`TokenManager::reseal`]; [`TokenManager::retire_key`] for the old one.
///
/// Each of these fails with [`Error::Invalid`] when the manager was built without
/// [`keys`](crate::TokenManagerBuilder::keys).
impl TokenManager {
    /// Replaces the key ring, such as by one that has a new key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use keyfob::seal::{KeyRing, NewKey};
    /// use keyfob::clock::{Clock, SystemClock};
    /// use keyfob::random::OsRandom;
    /// use keyfob::{MemoryStore, TokenManager};
    ///
    /// let mut ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    /// let manager = TokenManager::builder(MemoryStore::new()?).keys(&ring).build();
    /// let second = ring.add(NewKey::Sealing, SystemClock.now(), &OsRandom)?;
    /// ring.activate(second)?;
    /// manager.set_keys(&ring)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys.
    pub fn set_keys(&self, ring: &KeyRing) -> Result<(), Error> {
        self.sealed()?.use_ring(ring);
        Ok(())
    }

    /// Replaces the key ring by the one that a provider has now. To have that done again and again,
    /// see [`TokenManager::poll_keys`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::seal::{KeyRing, StaticKeys};
    /// # use keyfob::clock::{Clock, SystemClock};
    /// # use keyfob::random::OsRandom;
    /// # use keyfob::{MemoryStore, TokenManager};
    /// # let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    /// # let manager = TokenManager::builder(MemoryStore::new()?).keys(&ring).build();
    /// # let provider = StaticKeys::new(ring);
    /// manager.reload_keys(&provider).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Keys`] when the provider fails: the manager keeps the ring that it has.
    /// [`Error::Invalid`] when the manager was built without keys.
    pub async fn reload_keys(&self, provider: &dyn KeyProvider) -> Result<(), Error> {
        self.set_keys(&provider.ring().await?)
    }

    /// Spawns a task that reloads the key ring from a provider after every `interval`, so that the
    /// manager uses a new key without a restart. When the provider fails, the manager keeps the ring
    /// that it has, and the log has a warning.
    ///
    /// The task ends when the manager is shut down or dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::seal::{KeyProvider, KeyRing, StaticKeys};
    /// # use keyfob::clock::{Clock, SystemClock};
    /// # use keyfob::random::OsRandom;
    /// # use keyfob::{MemoryStore, TokenManager, Ttl};
    /// # let provider = StaticKeys::new(KeyRing::generate(SystemClock.now(), &OsRandom)?);
    /// let store = MemoryStore::new()?;
    /// let manager = TokenManager::builder(store).keys(&provider.ring().await?).build();
    /// manager.poll_keys(provider, Ttl::from_mins(1))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn poll_keys(
        &self,
        provider: impl KeyProvider + 'static,
        interval: Ttl,
    ) -> Result<(), Error> {
        let sealed = Arc::downgrade(self.sealed()?);
        let guard = self.inner.tasks.enter();
        let mut phase = self.inner.tasks.phase();
        tokio::spawn(async move {
            let _guard = guard;
            let poll = async {
                loop {
                    tokio::time::sleep(interval.as_duration()).await;
                    let ring = provider.ring().await;
                    let Some(sealed) = sealed.upgrade() else { break };
                    match ring {
                        Ok(ring) => sealed.use_ring(&ring),
                        Err(error) => {
                            tracing::warn!(%error, "keys cannot be reloaded: the present ones stay");
                        }
                    }
                }
            };
            tokio::select! {
                // Also when the manager is dropped, and the sender with it.
                _ = phase.wait_for(|phase| *phase != Phase::Running) => {}
                () = poll => {}
            }
        });
        Ok(())
    }

    /// Counts the records under each key, and the documents of the service as records. It reads all, and
    /// opens none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::seal::KeyRing;
    /// # use keyfob::clock::{Clock, SystemClock};
    /// # use keyfob::random::OsRandom;
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    /// # let manager = TokenManager::builder(MemoryStore::new()?).keys(&ring).build();
    /// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// assert_eq!(manager.count_by_key().await?[&ring.active()], 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys; [`Error::Store`].
    pub async fn count_by_key(&self) -> Result<BTreeMap<KeyVersion, u64>, Error> {
        let sealed = self.sealed()?;
        let mut counts = BTreeMap::new();
        let mut next = Some(ScanPosition::default());
        while let Some(position) = next {
            let page = position.page(sealed).await?;
            for loaded in &page.records {
                *counts.entry(SealedStore::key_of(loaded)).or_default() += 1;
            }
            next = position.next(page.next);
        }
        for stored in documents::all(sealed).await? {
            *counts.entry(SealedStore::key_of_document(&stored)).or_default() += 1;
        }
        self.publish_record_counts(sealed, &counts);
        Ok(counts)
    }

    /// Returns the keys of the ring that this manager uses, without their bytes, the oldest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys.
    pub fn keys(&self) -> Result<Vec<KeyInfo>, Error> {
        Ok(self.sealed()?.sealer().infos().to_vec())
    }

    /// Retires a key. From now on the store refuses records under it and under older ones, from
    /// every node. A revocation is accepted all the same, whatever key its note is sealed under.
    ///
    /// A key under which records are stored is not retired: [`TokenManager::reseal`] first. Store
    /// the ring afterwards, and give it to every node.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::seal::{KeyRing, NewKey};
    /// # use keyfob::clock::{Clock, SystemClock};
    /// # use keyfob::random::OsRandom;
    /// # use keyfob::seal::KeyVersion;
    /// # use keyfob::{MemoryStore, TokenManager};
    /// # let mut ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    /// # let manager = TokenManager::builder(MemoryStore::new()?).keys(&ring).build();
    /// # let first = ring.active();
    /// # let second = ring.add(NewKey::Sealing, SystemClock.now(), &OsRandom)?;
    /// # ring.activate(second)?;
    /// # manager.set_keys(&ring)?;
    /// manager.reseal()?.run(|_| {}).await?;
    /// manager.retire_key(&mut ring, first).await?;
    /// manager.set_keys(&ring)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Keys`] when the ring does not allow it, or when records are stored under the key:
    /// then the ring stays as it is. [`Error::Invalid`] when the manager was built without keys;
    /// [`Error::Store`].
    pub async fn retire_key(&self, ring: &mut KeyRing, key: KeyVersion) -> Result<(), Error> {
        ring.can_retire(key)?;
        self.refuse_unused_key(self.sealed()?, key).await?;
        Ok(ring.retire(key)?)
    }

    /// Makes the store refuse records under a key and under older ones, as
    /// [`TokenManager::retire_key`] does, for a ring that is kept elsewhere. Retire the key in that ring
    /// afterwards.
    ///
    /// # Errors
    /// [`Error::Keys`] when new records are sealed under the key or an older one is in use, as the ring of this
    /// manager says, or when records are stored under it; [`Error::Invalid`] when the manager was
    /// built without keys; [`Error::Store`].
    pub async fn refuse_key(&self, key: KeyVersion) -> Result<(), Error> {
        let sealed = self.sealed()?;
        if key >= sealed.sealer().active() {
            return Err(KeyError::InUse { key }.into());
        }
        let is_older = |info: &&KeyInfo| info.number < key && info.state != KeyState::Retired;
        if let Some(older) = sealed.sealer().infos().iter().find(is_older) {
            return Err(KeyError::OlderInUse { key, older: older.number }.into());
        }
        self.refuse_unused_key(sealed, key).await
    }

    async fn refuse_unused_key(&self, sealed: &SealedStore, key: KeyVersion) -> Result<(), Error> {
        self.check_unused(key).await?;
        // After this, no record can be stored under it. What was stored in between is counted.
        let floor = key.next().unwrap_or(key);
        sealed.inner().raise_min_key_version(floor).await?;
        self.check_unused(key).await
    }

    /// Sets the gauges of sealed records to these counts of all records.
    pub(super) fn publish_record_counts(
        &self,
        sealed: &SealedStore,
        counts: &BTreeMap<KeyVersion, u64>,
    ) {
        let active = sealed.sealer().active();
        let (mut of_active, mut of_older, mut bare) = (0, 0, 0);
        for (key, count) in counts {
            match *key {
                key if key == active => of_active += count,
                key if key.is_plaintext() => bare += count,
                _ => of_older += count,
            }
        }
        let gauges = &self.inner.metrics.handles.seal_records;
        for (under, count) in
            [(Under::Active, of_active), (Under::Older, of_older), (Under::Bare, bare)]
        {
            gauges.of(under).set(count as f64);
        }
    }

    async fn check_unused(&self, key: KeyVersion) -> Result<(), Error> {
        match self.count_by_key().await?.get(&key) {
            Some(records) => Err(KeyError::StillHolds { key, records: *records }.into()),
            None => Ok(()),
        }
    }

    pub(super) fn sealed(&self) -> Result<&Arc<SealedStore>, Error> {
        let rule = "it was built without keys: give them to TokenManagerBuilder::keys";
        let none = || InvalidValue::new(Field::TokenManager, InvalidReason::Contradiction { rule });
        self.inner.sealing.store().ok_or_else(|| none().into())
    }
}
