//! The first connection of a store: until there was one, the settings may be wrong. Then the caller gets an
//! error that says so, without waiting.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use keyfob_store::StoreError;
use tokio::time::timeout;

use super::call_error::CallError;
use super::connection::Connection;
use super::probe;
use crate::config::{Address, Topology, misconfigured};

/// After this time without a connection, the address is probed meanwhile.
const SLOW_FIRST_CONNECTION: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct FirstConnection {
    is_made: AtomicBool,
    /// Whether there is no other server to ask than the one at the configured address.
    is_standalone: bool,
}

impl FirstConnection {
    pub(super) fn new(topology: &Topology) -> Self {
        let is_standalone = matches!(topology, Topology::Standalone(_));
        Self { is_made: AtomicBool::new(false), is_standalone }
    }

    pub(super) fn is_made(&self) -> bool {
        self.is_made.load(Ordering::Relaxed)
    }

    pub(super) fn note_success(&self) {
        self.is_made.store(true, Ordering::Relaxed);
    }

    /// Waits for the first connection. If it fails or takes long, finds out whether the settings are wrong.
    pub(super) async fn wait(
        &self,
        address: &Address,
        uses_tls: bool,
        connected: impl Future<Output = Result<Connection, CallError>>,
    ) -> Result<Connection, CallError> {
        if address.unix_path().is_some() {
            return connected.await;
        }
        let find_fault = || probe::find_fault(address, uses_tls);
        let mut connected = pin!(connected);
        let fault = match timeout(SLOW_FIRST_CONNECTION, &mut connected).await {
            Ok(Err(CallError::Lost(detail))) => {
                return Err(fault_or_lost(find_fault().await, detail));
            }
            Ok(outcome) => return outcome,
            // A plain server waits for the end of a line, which TLS does not send.
            Err(_) => pin!(find_fault()),
        };
        match select(connected, fault).await {
            Either::Left((Err(CallError::Lost(detail)), fault)) => {
                Err(fault_or_lost(fault.await, detail))
            }
            Either::Left((outcome, _)) => outcome,
            Either::Right((Some(fault), _)) => Err(CallError::Final(misconfigured(fault))),
            Either::Right((None, connected)) => connected.await,
        }
    }

    /// Returns the error for a server that cannot be reached.
    pub(super) fn unreachable(&self, address: &Address, error: &io::Error) -> CallError {
        if let Some(path) = address.unix_path() {
            return self.no_socket(path, error);
        }
        let is_unknown_host = error.to_string().contains("Name or service not known");
        let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
        let detail = if is_refused {
            format!(
                "nothing accepts connections at {address} ({error}): start the server, or check the host and \
                 the port"
            )
        } else if is_unknown_host {
            format!("the host of {address} is not known ({error}): check its name")
        } else {
            format!("{address} cannot be reached: {error}")
        };
        self.unreachable_because(detail, is_refused || is_unknown_host)
    }

    /// Returns the error for a unix socket that cannot be connected to.
    fn no_socket(&self, path: &str, error: &io::Error) -> CallError {
        use io::ErrorKind::{
            ConnectionRefused, InvalidInput, NotFound, PermissionDenied, Unsupported,
        };
        match error.kind() {
            NotFound | ConnectionRefused => {
                let detail = format!(
                    "no server listens at {path} ({error}): start it with `unixsocket {path}`, or check the \
                     path"
                );
                self.unreachable_because(detail, true)
            }
            PermissionDenied => CallError::Final(misconfigured(format!(
                "this user may not connect to {path} ({error}): see `unixsocketperm` of the server"
            ))),
            InvalidInput | Unsupported => CallError::Final(misconfigured(format!(
                "{path} cannot be used as a unix socket: {error}"
            ))),
            _ => CallError::Refused(format!("{path} cannot be reached: {error}")),
        }
    }

    /// If the first connection certainly fails, the settings are probably wrong, or the server does not run:
    /// waiting does not help.
    fn unreachable_because(&self, detail: String, is_certain: bool) -> CallError {
        match is_certain && self.is_standalone && !self.is_made() {
            true => CallError::Final(StoreError::unavailable(detail)),
            false => CallError::Refused(detail),
        }
    }
}

fn fault_or_lost(fault: Option<String>, lost: String) -> CallError {
    match fault {
        Some(fault) => CallError::Final(misconfigured(fault)),
        None => CallError::Lost(lost),
    }
}
