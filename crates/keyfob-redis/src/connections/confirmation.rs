//! Whether the server that answered a call is still the one to ask.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{MonotonicInstant, StoreError};
use tokio::time::timeout;

use super::call_error::CallError;
use super::connection::Connection;
use super::connector::Connector;
use super::node::Node;
use super::router::Router;
use crate::config::Address;

/// Where the configured address of a single server leads.
#[derive(Debug)]
pub(crate) enum AddressState {
    /// There is no such address, or the settings say that it is fixed.
    Unchecked,
    /// The server does not tell its run id.
    Unknown,
    /// To the server that is used.
    Confirmed,
    /// To another server.
    Moved,
    /// A new connection cannot be made.
    Unreachable(StoreError),
}

/// The server that answered a call.
#[derive(Debug)]
pub(crate) struct Answerer {
    pub(crate) address: Address,
    /// The last time at which it was certainly the primary.
    pub(crate) confirmed: MonotonicInstant,
    /// The primary and the run of its process. `None` if it answered for a slot that it is about to take over.
    pub(crate) primary: Option<Arc<str>>,
}

/// Checks that the server that answered is still at its address, by a new connection that was begun
/// recently enough. Returns when that was. An answer of another server does not count.
pub(super) async fn check_address(
    router: &Router,
    connector: &Connector,
    node: &Node,
    connection: &Arc<Connection>,
    time_left: Duration,
) -> Result<MonotonicInstant, CallError> {
    let unsure = |detail| CallError::Unconfirmed(format!("{} {detail}", node.address()));
    let server_run = connection.server_run();
    router.note_server(server_run, connection.begun(), connector);
    if server_run.is_some() {
        match timeout(time_left, router.route(connector)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(unsure(error.into_error().to_string())),
            Err(_) => return Err(unsure("accepted no new connection in time".to_owned())),
        }
    }
    router.last_confirmed(node.address(), server_run).ok_or_else(|| {
        node.drop_connection(connection);
        unsure("leads to another server now".to_owned())
    })
}

/// Makes a new connection by the configured address, and says where it leads.
pub(super) async fn find_server(
    router: &Router,
    connector: &Connector,
    connection: &Connection,
) -> AddressState {
    if !router.checks_address() {
        return AddressState::Unchecked;
    }
    if connection.server_run().is_none() {
        return AddressState::Unknown;
    }
    match router.recheck(connector).await {
        Err(error) => AddressState::Unreachable(error.into_error()),
        Ok(()) if router.leads_elsewhere(connection.server_run()) => AddressState::Moved,
        Ok(()) => AddressState::Confirmed,
    }
}

/// Checks that the sentinels still name the server that answered, and confirmed it recently enough. An
/// answer of a primary that they had replaced does not count.
pub(super) async fn check_still_primary(
    router: &Router,
    connector: &Connector,
    slot: u16,
    answered: &Address,
    time_left: Duration,
) -> Result<(), CallError> {
    let named = timeout(time_left, router.route(connector)).await;
    let unsure = |detail: String| CallError::Lost(format!("{answered} answered, but {detail}"));
    match named {
        Ok(Ok(route)) if route.address(slot)? == *answered => Ok(()),
        Ok(Ok(_)) => Err(unsure("is not the primary any more".to_owned())),
        Ok(Err(error)) => Err(unsure(error.into_error().to_string())),
        Err(_) => Err(unsure("no sentinel confirmed it in time".to_owned())),
    }
}
