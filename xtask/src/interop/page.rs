//! The service behind a gateway: it answers with the headers that reach it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;
use serde_json::{Map, Value};

/// A running service.
pub(super) struct Page {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Page {
    /// Starts the service. It ends with the process.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                thread::spawn(move || answer(&connection, &counter));
            }
        });
        Ok(Self { address, requests })
    }

    /// Returns how many requests have reached it.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Answers the first request of a connection. A header that is there twice becomes an array.
fn answer(connection: &TcpStream, requests: &AtomicUsize) -> Option<()> {
    let mut request = BufReader::new(connection);
    let mut headers = Map::new();
    for line in request.by_ref().lines().skip(1) {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        let value = Value::from(value.trim());
        match headers.entry(name.to_ascii_lowercase()) {
            serde_json::map::Entry::Vacant(entry) => drop(entry.insert(value)),
            serde_json::map::Entry::Occupied(mut entry) => {
                let first = entry.get().clone();
                entry.insert(Value::from(vec![first, value]));
            }
        }
    }
    // A connection that closes before its request was read is reset, and the answer may be lost.
    let length = headers.get("content-length").and_then(Value::as_str);
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    std::io::copy(&mut request.take(length), &mut std::io::sink()).ok()?;
    requests.fetch_add(1, Ordering::SeqCst);
    let body = Value::from(headers).to_string();
    let mut connection = connection;
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()
}
