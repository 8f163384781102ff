//! Finds out what answers at an address where the first connection failed: a server with TLS where the URL
//! says that there is none, or the other way round, or another program.
//!
//! Without this, a client that speaks TLS waits for a plain server, which waits for the end of a line.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::handshake::program_of;
use crate::config::Address;

/// How long to wait for the answer to a probe.
const PATIENCE: Duration = Duration::from_millis(500);

/// Returns what is wrong with the scheme of the URL, or with the address, if that can be seen.
pub(super) async fn find_fault(address: &Address, uses_tls: bool) -> Option<String> {
    let request = if uses_tls { b"PING\r\n".to_vec() } else { client_hello()? };
    let answer = timeout(PATIENCE, exchange(address, &request)).await.ok()??;
    match (uses_tls, answer.first()?) {
        (true, b'+' | b'-') => Some(format!(
            "{address} is a Redis server that does not speak TLS on this port: write redis instead of rediss \
             in the URL, or use the port that speaks TLS"
        )),
        // The handshake failed for another reason, which is reported.
        (true, 0x15 | 0x16) => None,
        (true, _) => Some(format!(
            "{address} is no Redis server, but {}: check the host and the port",
            program_of(&answer)
        )),
        (false, 0x15 | 0x16) => Some(format!(
            "{address} speaks TLS: write rediss instead of redis in the URL, or use the port without TLS"
        )),
        (false, _) => None,
    }
}

/// Sends a request and returns the beginning of the answer.
async fn exchange(address: &Address, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await.ok()?;
    // A server that speaks first may have closed the connection by now. Its answer can still be read.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::with_capacity(256);
    stream.read_buf(&mut answer).await.ok()?;
    Some(answer)
}

/// Returns the first message of a TLS client. Its connection is not continued.
fn client_hello() -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).ok()?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello).ok()?;
    Some(hello)
}
