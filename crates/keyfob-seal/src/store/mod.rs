//! A store whose content is sealed: every record, note, event and observation is sealed on its way in and
//! opened on its way out, and terms are blinded. It wraps any store and keeps the contract of a store, so
//! its callers see no difference.

mod documents;
mod open;
mod pages;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::KeyRing;
use super::associated_data::AssociatedData;
use super::record_binding::RecordBinding;
use super::salts::{SaltSource, Salts};
use super::sealer::Sealer;
use keyfob_core::envelope::is_sealed;
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::Term;
use keyfob_core::random::{OsRandom, Random};
use keyfob_core::{KeyVersion, SealFault};
use keyfob_metrics::{Metrics, SealOperation};
use keyfob_store::*;

/// A store whose content is sealed under the keys of a ring.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use keyfob::seal::{KeyRing, SealedStore};
/// use keyfob::clock::{Clock, SystemClock};
/// use keyfob::random::OsRandom;
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager};
///
/// let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
/// let store = SealedStore::new(Arc::new(MemoryStore::new()?), &ring);
/// let manager = TokenManager::new(store);
/// let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
/// assert!(manager.validate_active(&issued.bearer).await.is_ok());
/// # Ok(())
/// # }
/// ```
pub struct SealedStore {
    inner: Arc<dyn Store>,
    sealer: RwLock<Arc<Sealer>>,
    random: Arc<dyn Random>,
    salts: SaltSource,
    met: Met,
    metrics: Metrics,
}

/// What was counted since the store was opened.
#[derive(Debug, Default)]
struct Met {
    bare: AtomicU64,
    untrue: AtomicU64,
}

impl std::fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedStore")
            .field("inner", &self.inner)
            .field("active", &self.sealer().active())
            .finish_non_exhaustive()
    }
}

impl SealedStore {
    /// Creates a store that seals the content of `inner` under the keys of `ring`.
    pub fn new(inner: Arc<dyn Store>, ring: &KeyRing) -> Self {
        Self::with(inner, ring, Arc::new(OsRandom))
    }

    /// Creates a store as [`SealedStore::new`] does, with salts from `random`. For tests.
    pub fn with(inner: Arc<dyn Store>, ring: &KeyRing, random: Arc<dyn Random>) -> Self {
        let sealer = RwLock::new(Arc::new(Sealer::new(ring, inner.namespace())));
        Self {
            inner,
            sealer,
            random,
            salts: SaltSource::default(),
            met: Met::default(),
            metrics: Metrics::none(),
        }
    }

    /// Counts what is sealed and opened. A manager sets its own metrics here.
    #[must_use]
    pub fn metrics(self, metrics: Metrics) -> Self {
        let active = self.sealer().active().value();
        metrics.handles.seal_active_key.set(f64::from(active));
        Self { metrics, ..self }
    }

    /// Switches to another ring. Calls in progress finish under the ring that they began with.
    pub fn use_ring(&self, ring: &KeyRing) {
        let sealer = Arc::new(Sealer::new(ring, self.inner.namespace()));
        self.metrics.handles.seal_active_key.set(f64::from(sealer.active().value()));
        *self.sealer.write().unwrap_or_else(PoisonError::into_inner) = sealer;
    }

    /// Returns how many plaintext records and entries were read since the store was created.
    pub fn plaintext_reads(&self) -> u64 {
        self.met.bare.load(Ordering::Relaxed)
    }

    /// Returns how many records and entries were refused since the store was created.
    pub fn refused(&self) -> u64 {
        self.met.untrue.load(Ordering::Relaxed)
    }

    /// Returns the ring in use, for resealing.
    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns this many drawn salts, for resealing.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn salts(&self, count: usize) -> Result<Salts, StoreError> {
        let salts = Salts::draw(count, &*self.random)?;
        self.count_sealed(count);
        Ok(salts)
    }

    fn salts_of(&self, operation: Operation, count: usize) -> Result<Salts, StoreError> {
        let salts = self.salts.of_operation(operation.id, count, &*self.random)?;
        self.count_sealed(count);
        Ok(salts)
    }

    fn count_sealed(&self, count: usize) {
        let sealed = self.metrics.handles.seal_operations.of(SealOperation::Sealed);
        sealed.increment(count as u64);
    }

    fn seal_records(
        sealer: &Sealer,
        records: &mut [NewRecord],
        deadline: Timestamp,
        salts: &mut Salts,
    ) -> Result<(), StoreError> {
        for record in records {
            NewRecord::check_body(&record.body)?;
            let (form, binding) = (sealer.active(), RecordBinding::inserted(record, deadline));
            record.body = sealer.seal_record(&record.body, record.id, form, &binding, salts)?;
            record.key = sealer.active();
            record.terms.iter_mut().for_each(|term| *term = sealer.term(*term));
        }
        Ok(())
    }

    fn seal_entries(
        sealer: &Sealer,
        entries: &mut [Vec<u8>],
        about: AssociatedData,
        salts: &mut Salts,
    ) -> Result<(), StoreError> {
        for entry in entries {
            *entry = sealer.seal(entry, about, salts)?;
        }
        Ok(())
    }

    /// An empty note stays empty: its size shows that anyway.
    fn seal_note(
        sealer: &Sealer,
        note: &mut Vec<u8>,
        about: AssociatedData,
        salts: &mut Salts,
    ) -> Result<(), StoreError> {
        Revoke::check_note(note)?;
        if !note.is_empty() {
            *note = sealer.seal(note, about, salts)?;
        }
        Ok(())
    }
}

/// Blinds terms under the key of the record's other terms.
fn blind(
    sealer: &Sealer,
    terms: &mut [Term],
    form: KeyVersion,
    id: TokenId,
) -> Result<(), StoreError> {
    let integrity = SealFault::MissingKey { key: form };
    for term in terms {
        let blinded = sealer.term_under(*term, form);
        *term =
            blinded.ok_or_else(|| StoreError::Unverifiable { what: id.to_string(), integrity })?;
    }
    Ok(())
}

/// Blinds terms under each key that records may be listed under.
fn in_every_form(sealer: &Sealer, terms: &[Term]) -> Vec<Term> {
    terms.iter().flat_map(|term| sealer.forms(*term)).collect()
}

impl StoreWrapper for SealedStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }
}

#[async_trait]
impl RecordStore for SealedStore {
    keyfob_store::forward_store! { namespace consume touch stamp time_of }

    async fn insert(
        &self,
        operation: Operation,
        mut insert: Insert,
    ) -> Result<Inserted, StoreError> {
        let sealer = self.sealer();
        let mut salts = self.salts_of(operation, insert.records.len() + insert.events.len())?;
        let lane = insert.records.first().map_or(Lane::default(), |first| first.id.lane());
        Self::seal_records(&sealer, &mut insert.records, operation.deadline, &mut salts)?;
        Self::seal_entries(&sealer, &mut insert.events, AssociatedData::Event(lane), &mut salts)?;
        self.inner.insert(operation, insert).await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        match self.inner.load(id).await? {
            Some(mut loaded) => {
                self.open_record(&self.sealer(), &mut loaded)?;
                Ok(Some(loaded))
            }
            None => Ok(None),
        }
    }

    async fn replace(
        &self,
        operation: Operation,
        mut replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let sealer = self.sealer();
        let mut salts =
            self.salts_of(operation, 1 + replace.minted.len() + replace.events.len())?;
        NewRecord::check_body(&replace.body)?;
        let clear = replace.clear.take();
        let (form, clear) = self.stored(&sealer, replace.id, clear).await?;
        let binding = RecordBinding::replaced(replace.read, &clear);
        replace.body = sealer.seal_record(&replace.body, replace.id, form, &binding, &mut salts)?;
        replace.key = sealer.active();
        blind(&sealer, &mut replace.added_terms, form, replace.id)?;
        let about = AssociatedData::Event(replace.id.lane());
        Self::seal_records(&sealer, &mut replace.minted, operation.deadline, &mut salts)?;
        Self::seal_entries(&sealer, &mut replace.events, about, &mut salts)?;
        self.inner.replace(operation, replace).await
    }

    async fn revoke(
        &self,
        operation: Operation,
        mut revoke: Revoke,
    ) -> Result<Revoked, StoreError> {
        let (sealer, lane) = (self.sealer(), revoke.id.lane());
        let mut salts = self.salts_of(operation, 1 + revoke.events.len())?;
        Self::seal_note(&sealer, &mut revoke.note, AssociatedData::Note(lane), &mut salts)?;
        revoke.listed = in_every_form(&sealer, &revoke.listed);
        Self::seal_entries(&sealer, &mut revoke.events, AssociatedData::Event(lane), &mut salts)?;
        match self.inner.revoke(operation, revoke).await? {
            Revoked::Before(mut mark) => {
                self.open_note(&sealer, &mut mark, lane);
                Ok(Revoked::Before(mark))
            }
            outcome => Ok(outcome),
        }
    }

    async fn advance(
        &self,
        operation: Operation,
        mut advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let (sealer, scope) = (self.sealer(), advance.scope);
        let mut salts = self.salts_of(operation, 1 + advance.events.len())?;
        Self::seal_note(&sealer, &mut advance.note, AssociatedData::note_of(scope), &mut salts)?;
        advance.listed = in_every_form(&sealer, &advance.listed);
        let about = AssociatedData::event_of(scope);
        Self::seal_entries(&sealer, &mut advance.events, about, &mut salts)?;
        self.inner.advance(operation, advance).await
    }
}

#[async_trait]
impl TermIndex for SealedStore {
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        let sealer = self.sealer();
        let mut page = self.page(&sealer, query, |store, query| store.query(query)).await?;
        for loaded in &mut page.records {
            // A record that does not open must not hide the others. It stays sealed, and its reader gets the
            // error. A plaintext record that should be sealed must not be read.
            if let Err(error) = self.open_record(&sealer, loaded) {
                tracing::error!(token = %loaded.id, %error, "a record stays sealed");
                if !is_sealed(&loaded.body) {
                    loaded.body.clear();
                }
            }
        }
        Ok(page)
    }

    async fn heads(&self, query: &Query) -> Result<RecordPage<RecordHead>, StoreError> {
        self.page(&self.sealer(), query, |store, query| store.heads(query)).await
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        let mut count = 0;
        for form in self.sealer().forms(term) {
            count += self.inner.count(form, lane).await?;
        }
        Ok(count)
    }

    async fn estimate(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        let mut size = 0;
        for form in self.sealer().forms(term) {
            size += self.inner.estimate(form, lane).await?;
        }
        Ok(size)
    }
}

#[async_trait]
impl EventLog for SealedStore {
    keyfob_store::forward_store! { latest }

    async fn observe(&self, lane: Lane, mut entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let mut salts = self.salts(entries.len())?;
        let about = AssociatedData::Observation(lane);
        Self::seal_entries(&self.sealer(), &mut entries, about, &mut salts)?;
        self.inner.observe(lane, entries).await
    }

    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        let mut page = self.inner.entries(feed, after, limit).await?;
        let sealer = self.sealer();
        page.entries.iter_mut().for_each(|entry| self.open_entry(&sealer, feed, entry));
        Ok(page)
    }
}

#[async_trait]
impl Counting for SealedStore {
    keyfob_store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for SealedStore {
    keyfob_store::forward_store! { min_key_version raise_min_key_version }

    /// Seals the body under the active key. The record's terms keep their key, and added terms are blinded
    /// under the same key.
    async fn reseal(
        &self,
        operation: Operation,
        mut reseal: Reseal,
    ) -> Result<Resealed, StoreError> {
        let (sealer, id) = (self.sealer(), reseal.id);
        NewRecord::check_body(&reseal.body)?;
        let (form, clear) = self.stored(&sealer, id, None).await?;
        let binding = RecordBinding::replaced(reseal.read, &clear);
        let mut salts = self.salts_of(operation, 1)?;
        reseal.body = sealer.seal_record(&reseal.body, id, form, &binding, &mut salts)?;
        reseal.key = sealer.active();
        blind(&sealer, &mut reseal.added_terms, form, id)?;
        blind(&sealer, &mut reseal.former_terms, form, id)?;
        self.inner.reseal(operation, reseal).await
    }
}

#[async_trait]
impl Invalidations for SealedStore {
    keyfob_store::forward_store! { watch }
}

#[async_trait]
impl Maintenance for SealedStore {
    keyfob_store::forward_store! { rollback close }

    async fn accept_rollback(&self, mut events: Vec<Vec<u8>>) -> Result<u16, StoreError> {
        let mut salts = self.salts(events.len())?;
        let about = AssociatedData::Event(Lane::default());
        Self::seal_entries(&self.sealer(), &mut events, about, &mut salts)?;
        self.inner.accept_rollback(events).await
    }

    async fn report(&self) -> Result<StoreReport, StoreError> {
        let mut report = self.inner.report().await?;
        self.find(&mut report);
        Ok(report)
    }
}
