//! A server, and the connection to it if there is one.

use std::sync::{Arc, Mutex, PoisonError};

use keyfob_store::metrics::LinkPurpose;

use super::call_error::CallError;
use super::connection::Connection;
use super::connector::Connector;
use super::shared_attempt::SharedAttempt;
use crate::config::Address;

/// What a connection is used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose {
    /// All calls but those that wait for replicas. Calls that are made at the same time are sent together.
    Calls,
    /// Writes that wait for replicas.
    Waits,
}

#[derive(Debug)]
pub(super) struct Node {
    address: Address,
    purpose: Purpose,
    connection: Mutex<Option<Arc<Connection>>>,
    /// Many callers connect once.
    connecting: SharedAttempt,
}

impl Purpose {
    fn for_metrics(self) -> LinkPurpose {
        match self {
            Self::Calls => LinkPurpose::Calls,
            Self::Waits => LinkPurpose::Waits,
        }
    }
}

impl Node {
    pub(super) fn new(address: Address, purpose: Purpose) -> Self {
        let connecting = SharedAttempt::default();
        Self { address, purpose, connection: Mutex::default(), connecting }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the open connection, or connects.
    pub(super) async fn connection(
        &self,
        connector: &Connector,
    ) -> Result<Arc<Connection>, CallError> {
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let attempt = self.connecting.begin().await;
        // The caller before may have connected.
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let _attempt = attempt?;
        let connected = connector.primary(&self.address, self.purpose.for_metrics()).await;
        let connection =
            Arc::new(connected.inspect_err(|error| self.connecting.record_failure(error))?);
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn open_connection(&self) -> Option<Arc<Connection>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().filter(|connection| connection.is_open()).map(Arc::clone)
    }

    /// Gives up the connection if it should not be used any more.
    pub(super) fn drop_connection_if(&self, is_wrong: impl Fn(&Connection) -> bool) {
        let mut present = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = present.take_if(|connection| is_wrong(connection)) {
            connection.count_given_up();
        }
    }

    /// Gives up a connection, unless another one has replaced it already.
    pub(super) fn drop_connection(&self, connection: &Arc<Connection>) {
        let mut present = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if present.as_ref().is_some_and(|present| Arc::ptr_eq(present, connection)) {
            connection.count_given_up();
            *present = None;
        }
    }
}
