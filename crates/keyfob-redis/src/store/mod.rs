//! The store: each method of the contract is one script on the server that owns the lane.

mod advance;
mod counts;
mod documents;
mod epoch_advance;
mod event_log;
mod heads;
mod insert;
mod limits;
mod listed;
mod load;
mod lookup_failure;
mod maintenance;
mod meta_copies;
mod missing_lanes;
mod namespace;
mod namespace_meta;
mod namespace_report;
mod open_slots;
mod outcome;
mod permissions;
mod pulses;
mod query;
mod replace;
mod report;
mod reseal;
mod resend;
mod revoke;
mod rollback;
mod sentinel_findings;
mod server_state;
mod shared;
mod uses;
mod witness;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use keyfob_limit::{Charge, Charged, LimitStore};
use keyfob_store::{
    Advance, Advanced, Appended, Consume, Consumed, Counting, Cursor, Document, DocumentName,
    DocumentWritten, Documents, EntryPage, EventLog, Feed, Insert, Inserted, InvalidationListener,
    Invalidations, KeyVersion, Lane, LastUse, ListDocuments, Loaded, Maintenance, Namespace,
    Operation, Query, RecordHead, RecordPage, RecordStore, Replace, Replaced, Reseal, Resealed,
    Resealing, Revoke, Revoked, Rollback, Stamp, StoreError, StoreReport, Tallies, Term, TermIndex,
    Timestamp, TokenId, WriteDocument,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::limits::refusals::Refusals;
use self::meta_copies::has_copies;
use self::namespace_meta::NamespaceMeta;
use self::pulses::Pulses;
use self::shared::Shared;
use crate::config::RedisConfig;
use crate::connections::Connections;
use crate::keys::Keys;
use crate::namespace_guard::NamespaceGuard;
use crate::protocol::signatures::Scripts;

/// A store on Redis or Valkey.
pub struct RedisStore {
    shared: Arc<Shared>,
    maintenance: Mutex<Option<JoinHandle<()>>>,
}

impl RedisStore {
    /// Opens the namespace that a URL names, and creates it if it does not exist. The documentation of the
    /// crate describes the URLs.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the URL or the settings are not valid or a server is too old,
    /// [`StoreError::Unavailable`] if no server answers, and [`StoreError::NotAStore`] or
    /// [`StoreError::NewerFormat`] if the namespace holds other data or data of a newer version.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(url.parse()?).await
    }

    /// Opens the namespace that `config` names, and creates it if it does not exist. Logs what
    /// [`Maintenance::report`] finds wrong with the servers.
    ///
    /// # Errors
    /// As [`RedisStore::connect`].
    pub async fn open(config: RedisConfig) -> Result<Self, StoreError> {
        let scripts = Scripts::new(config.leaf);
        let connections = Arc::new(Connections::new(&config, Arc::clone(&scripts))?);
        let NamespaceMeta { namespace, created, value, seen, state, lacks_copies } =
            namespace_meta::open(&config, &connections, &scripts).await?;
        let guard = NamespaceGuard::new(
            config.to_string(),
            Keys::meta(&config.namespace),
            value,
            &namespace,
            seen,
            connections.metrics().clone(),
        );
        let guard = guard.in_state(state);
        let locks = if has_copies(&config) { usize::from(namespace.lanes().get()) } else { 1 };
        let pulses = Pulses::new(namespace.lanes());
        let catching_up =
            namespace.lanes().lanes().map(|_| tokio::sync::Mutex::default()).collect();
        let keys = Arc::new(Keys::new(&config.namespace, namespace.lanes()));
        let shared = Arc::new(Shared {
            config,
            namespace,
            created,
            keys,
            scripts,
            connections,
            feed: Arc::default(),
            catching_up,
            pulses,
            refusals: Refusals::default(),
            guard: Arc::new(guard),
            is_maintained: Arc::default(),
            looking: (0..locks).map(|_| tokio::sync::Mutex::default()).collect(),
        });
        if lacks_copies {
            shared.write_copies().await;
        }
        shared.check_servers().await?;
        // This notes which server is the primary of each lane, so that a new one is noticed.
        shared.resend_where_lost().await;
        shared.compare_with_witness().await;
        let maintenance = maintenance::start(&shared);
        Ok(Self { shared, maintenance: Mutex::new(Some(maintenance)) })
    }

    /// Returns what the methods of the store use. If the runtime of the maintenance task has ended, starts
    /// the task again in the present one: applications may use a store in one runtime after the other.
    fn shared(&self) -> &Arc<Shared> {
        if !self.shared.is_maintained.load(Ordering::Relaxed) && Handle::try_current().is_ok() {
            let mut task = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
            // There is no task if the store was closed.
            if let Some(task) = task.as_mut().filter(|task| task.is_finished()) {
                *task = maintenance::start(&self.shared);
            }
        }
        &self.shared
    }

    fn stop_maintenance(&self) {
        let mut task = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

#[async_trait]
impl LimitStore for RedisStore {
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        self.shared().guard.check()?;
        limits::charge(&self.shared, charges).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisStore").field(&self.shared.config.to_string()).finish()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.stop_maintenance();
    }
}

#[async_trait]
impl RecordStore for RedisStore {
    fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    fn is_namespace_certain(&self) -> bool {
        self.shared().guard.is_certain()
    }

    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError> {
        self.shared().insert(operation, insert).await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        self.shared().load(id).await
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let _notify = self.shared().feed.notify_on_drop(replace.changes());
        self.shared().replace(operation, replace).await
    }

    async fn consume(
        &self,
        operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        self.shared().consume(operation, consume.id).await
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.shared().touch(uses).await
    }

    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError> {
        let _notify = self.shared().feed.notify_on_drop(revoke.changes());
        self.shared().revoke(operation, revoke).await
    }

    async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let _notify = self.shared().feed.notify_on_drop(advance.changes(self.namespace().lanes()));
        self.shared().advance(operation, advance).await
    }

    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        self.shared().stamp(lane).await
    }

    async fn time_of(&self, lane: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.shared().guard.check()?;
        self.shared.connections.time_of(self.shared.keys.slot(lane), at).await
    }
}

#[async_trait]
impl TermIndex for RedisStore {
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        self.shared().guard.check()?;
        self.shared().records(query).await
    }

    async fn heads(&self, query: &Query) -> Result<RecordPage<RecordHead>, StoreError> {
        self.shared().guard.check()?;
        self.shared().heads(query).await
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.shared().guard.check()?;
        self.shared().count(term, lane).await
    }

    async fn estimate(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.shared().guard.check()?;
        self.shared().estimate(term, lane).await
    }
}

#[async_trait]
impl EventLog for RedisStore {
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.shared().guard.check()?;
        self.shared().observe(lane, entries).await
    }

    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        self.shared().guard.check()?;
        self.shared().entries(feed, after, limit).await
    }

    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        self.shared().guard.check()?;
        self.shared().latest(feed).await
    }

    fn appended(&self, feed: Feed) -> Option<Appended> {
        match feed {
            Feed::Events => self.shared().feed.appends.next(),
            Feed::Observations => None,
        }
    }
}

#[async_trait]
impl Counting for RedisStore {
    async fn tallies(&self) -> Result<Tallies, StoreError> {
        self.shared().guard.check()?;
        self.shared().tallies().await
    }
}

#[async_trait]
impl Resealing for RedisStore {
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        self.shared().reseal(operation, reseal).await
    }

    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        self.shared().guard.check()?;
        self.shared().min_key_version().await
    }

    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        self.shared().raise_min_key_version(floor).await
    }
}

#[async_trait]
impl Documents for RedisStore {
    async fn read_document(&self, name: &DocumentName) -> Result<Option<Document>, StoreError> {
        self.shared().guard.check()?;
        self.shared().read_document(name).await
    }

    async fn write_document(
        &self,
        operation: Operation,
        write: WriteDocument,
    ) -> Result<DocumentWritten, StoreError> {
        self.shared().write_document(operation, write).await
    }

    async fn list_documents(&self, list: &ListDocuments) -> Result<Vec<Document>, StoreError> {
        self.shared().guard.check()?;
        self.shared().list_documents(list).await
    }
}

#[async_trait]
impl Invalidations for RedisStore {
    fn watch(&self, listener: &Arc<InvalidationListener>) {
        self.shared().feed.add(listener);
    }
}

#[async_trait]
impl Maintenance for RedisStore {
    async fn report(&self) -> Result<StoreReport, StoreError> {
        self.shared().report().await
    }

    async fn rollback(&self) -> Result<Option<Rollback>, StoreError> {
        self.shared().rollback().await
    }

    async fn accept_rollback(&self, events: Vec<Vec<u8>>) -> Result<u16, StoreError> {
        self.shared().accept_rollback(events).await
    }

    fn metrics(&self) -> Option<keyfob_store::Metrics> {
        self.shared.config.metrics.clone()
    }

    async fn close(&self) {
        self.stop_maintenance();
        self.shared.connections.close();
    }
}
