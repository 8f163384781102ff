//! Makes a connection of a new stream.

use std::sync::Arc;

use keyfob_store::MonotonicInstant;
use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::call_error::CallError;
use super::connection::{Connection, ConnectionMetrics};
use super::handshake::{HandshakeError, greet};
use super::login::Credentials;
use crate::config::{Address, misconfigured};

/// Receives what a server pushes.
pub(super) type PushReceiver = Arc<dyn AsyncPushSender>;

/// What a new connection needs beside its stream.
pub(super) struct Setup<'a> {
    pub(super) address: &'a Address,
    pub(super) credentials: &'a Credentials,
    pub(super) database: u32,
    pub(super) pushed: Option<PushReceiver>,
    pub(super) metrics: ConnectionMetrics,
    pub(super) begun: MonotonicInstant,
    /// Whether no connection was made before.
    pub(super) is_first: bool,
}

/// Logs in, and starts the task that drives the connection.
pub(super) async fn set_up<S>(mut stream: S, setup: Setup<'_>) -> Result<Connection, CallError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Setup { address, credentials, database, pushed, metrics, begun, is_first } = setup;
    let greeted = greet(&mut stream, credentials, database).await;
    let server = greeted.map_err(|error| match error {
        HandshakeError::Refused(words) => CallError::of_answer(&words, address),
        HandshakeError::Closed(None) => CallError::Lost(format!("{address} closed the connection")),
        HandshakeError::Closed(Some(error)) => CallError::lost(&error.to_string(), address),
        HandshakeError::NotRedis(program) => {
            let what =
                format!("{address} is no Redis server, but {program}: check the host and the port");
            match is_first {
                true => CallError::Final(misconfigured(what)),
                // The settings were right. A proxy may answer for a server that is away for a moment.
                false => CallError::Refused(what),
            }
        }
    })?;
    // `Connection` has its own timeouts, and two would race.
    let mut config =
        AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(pushed) = pushed {
        // The library asks for RESP3 with HELLO. The login is done.
        info = info.set_protocol(ProtocolVersion::RESP3);
        config = config.set_push_sender(pushed);
    }
    let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(|error| CallError::of(&error, address))?;
    Ok(Connection::new(address.clone(), server, connection, driver, metrics, begun))
}
