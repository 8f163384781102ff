//! A store whose records are those of a central server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use keyfob_api::edge::{EdgeConsumeBody, EdgeFirstUseBody, EdgeObservationsBody, EdgeUsesBody};
use keyfob_client::Client;
use keyfob_store::{
    Advance, Advanced, Clock as _, Consume, Consumed, Counting, Cursor, Documents, EntryPage,
    EventLog, Feed, Insert, Inserted, InvalidationListener, Invalidations, Lane, LastUse, Loaded,
    Maintenance, MonotonicInstant, Namespace, Operation, Query, RecordPage, RecordStore, Replace,
    Replaced, Resealing, Revoke, Revoked, Severity, Stamp, StoreError, StoreReport, SystemClock,
    Term, TermIndex, Timestamp, TokenId,
};
use tokio::sync::watch;

use crate::failure::store_error;
use crate::follow::{Central, Following};
use crate::wire;

/// A store whose records are those of a central server: for nodes that only validate.
#[derive(Debug)]
pub struct EdgeStore {
    client: Client,
    namespace: Namespace,
    prefix: String,
    central: Arc<Central>,
    closed: watch::Sender<bool>,
}

impl EdgeStore {
    /// Asks the server of this client what an edge has to know, and opens a store over it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server does not answer; [`StoreError::Misconfigured`] if it does not
    /// serve this client.
    pub async fn open(client: Client) -> Result<Self, StoreError> {
        let body = client.edge().await.map_err(|error| store_error(&error))?;
        let namespace = wire::namespace(&body)?;
        let closed = watch::Sender::new(false);
        Ok(Self { client, namespace, prefix: body.prefix, central: Arc::default(), closed })
    }

    /// Returns the prefix of the bearer tokens that the central server issues. Give it to the manager.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn is_other(&self) -> bool {
        self.central.is_other.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl RecordStore for EdgeStore {
    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn is_namespace_certain(&self) -> bool {
        !self.is_other()
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        // The central server reads the record when it is asked, or later.
        let sent = MonotonicInstant::now();
        let record = self.client.edge_record(id).await.map_err(|error| store_error(&error))?;
        record.map(|record| wire::record(id, record, sent)).transpose()
    }

    async fn consume(
        &self,
        operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        let body = EdgeConsumeBody { operation: wire::operation(operation) };
        match self.client.edge_consume(consume.id, &body).await {
            Ok(consumed) => Ok(wire::consumed(consumed)),
            Err(error) => Err(write_error(operation, &error)),
        }
    }

    /// Writes the first use of the newest secret of an API key. That is the one change that a validation
    /// makes, and it writes no event.
    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        if !replace.events.is_empty() || !replace.minted.is_empty() {
            return Err(StoreError::NotAtEdge { what: "changing a token" });
        }
        let body = EdgeFirstUseBody {
            operation: wire::operation(operation),
            version: replace.read.0,
            body: replace.body.into(),
        };
        match self.client.edge_first_use(replace.id, &body).await {
            Ok(replaced) => Ok(wire::replaced(replaced)),
            Err(error) => Err(write_error(operation, &error)),
        }
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        for uses in uses.chunks(keyfob_api::MAX_ITEMS) {
            let body = EdgeUsesBody { uses: uses.iter().map(wire::last_use).collect() };
            self.client.edge_uses(&body).await.map_err(|error| store_error(&error))?;
        }
        Ok(())
    }

    async fn insert(&self, _: Operation, _: Insert) -> Result<Inserted, StoreError> {
        Err(StoreError::NotAtEdge { what: "issuing a token" })
    }

    async fn revoke(&self, _: Operation, _: Revoke) -> Result<Revoked, StoreError> {
        Err(StoreError::NotAtEdge { what: "revoking a token" })
    }

    async fn advance(&self, _: Operation, _: Advance) -> Result<Advanced, StoreError> {
        Err(StoreError::NotAtEdge { what: "revoking tokens" })
    }

    async fn stamp(&self, _: Lane) -> Result<Stamp, StoreError> {
        Err(StoreError::NotAtEdge { what: "beginning a login" })
    }
}

#[async_trait]
impl TermIndex for EdgeStore {
    async fn query(&self, _: &Query) -> Result<RecordPage, StoreError> {
        Err(StoreError::NotAtEdge { what: "listing tokens" })
    }

    async fn count(&self, _: Term, _: Option<Lane>) -> Result<u64, StoreError> {
        Err(StoreError::NotAtEdge { what: "counting tokens" })
    }
}

#[async_trait]
impl EventLog for EdgeStore {
    async fn observe(&self, _: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let observations = entries.into_iter().map(Into::into).collect();
        let body = EdgeObservationsBody { observations };
        self.client.edge_observations(&body).await.map_err(|error| store_error(&error))?;
        Ok(())
    }

    async fn entries(&self, _: Feed, _: &Cursor, _: usize) -> Result<EntryPage, StoreError> {
        Err(StoreError::NotAtEdge { what: "reading events" })
    }

    async fn latest(&self, _: Feed) -> Result<Cursor, StoreError> {
        Err(StoreError::NotAtEdge { what: "reading events" })
    }
}

#[async_trait]
impl Counting for EdgeStore {}

#[async_trait]
impl Resealing for EdgeStore {}

#[async_trait]
impl Documents for EdgeStore {}

impl Invalidations for EdgeStore {
    fn watch(&self, listener: &Arc<InvalidationListener>) {
        let following = Following {
            client: self.client.clone(),
            namespace: self.namespace.clone(),
            central: Arc::clone(&self.central),
            closed: self.closed.subscribe(),
        };
        following.start(listener);
    }
}

#[async_trait]
impl Maintenance for EdgeStore {
    async fn report(&self) -> Result<StoreReport, StoreError> {
        let before = SystemClock.now();
        let body = self.client.edge().await.map_err(|error| store_error(&error))?;
        let now = Timestamp::from_millis(body.now_ms);
        let mut report = StoreReport::new(format!("edge of {}", self.client.server()), now);
        report.compare_clocks(before, SystemClock.now());
        let (severity, advice) = match wire::namespace(&body)?.fingerprint() {
            same if same == self.namespace.fingerprint() => {
                (Severity::Good, "it is the one of the start")
            }
            _ => (Severity::Fault, "the central server has another one now: start this node again"),
        };
        report.find(severity, "namespace", advice);
        Ok(report)
    }

    async fn close(&self) {
        self.closed.send_replace(true);
    }
}

/// Returns the error of a write.
fn write_error(operation: Operation, error: &keyfob_client::Error) -> StoreError {
    match error.is_outcome_unknown() {
        true => StoreError::OutcomeUnknown { operation: operation.id },
        false => store_error(error),
    }
}
