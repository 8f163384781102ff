//! Sends prepared requests on many connections, from one thread.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64ct::{Base64, Encoding as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::process::Process;
use crate::measure::{Series, micros, rate};

/// A request of HTTP/1.1 as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request(Vec<u8>);

/// Requests that are sent in turn, and what each answer has to be.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) requests: Vec<Request>,
    pub(crate) status: u16,
    /// What the body contains.
    pub(crate) contains: &'static str,
}

/// The result of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Microseconds of each request.
    pub(crate) latencies: Series,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// Returns the value of a header with the scheme Basic. The client and the secret need no encoding.
pub(crate) fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{client}:{secret}").as_bytes()))
}

impl Request {
    pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Self {
        Self::new("GET", path, headers, "")
    }

    pub(crate) fn post(
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Self {
        let length = body.len().to_string();
        let own = [("content-type", content_type), ("content-length", &*length)];
        Self::new("POST", path, &[&own, headers].concat(), body)
    }

    fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        Self(text.into_bytes())
    }
}

/// Sends one request on a connection of its own, for what happens between the measurements.
pub(crate) fn ask(port: u16, request: &Request) -> Result<Answer> {
    let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(&request.0)?;
    let mut bytes = Vec::new();
    loop {
        if let Some((status, start, end)) = parse(&bytes)? {
            let body = bytes.get(start..end).unwrap_or_default().to_vec();
            return Ok(Answer { status, body });
        }
        let mut piece = [0; 64 * 1024];
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "the server closed the connection");
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

/// Returns the status and the place of the body; `None` if the answer is not whole yet.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.context("no status")?;
    let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("the answer has no content-length")?;
    let end = start + std::str::from_utf8(length.value)?.parse::<usize>()?;
    Ok((bytes.len() >= end).then_some((status, start, end)))
}

impl Load {
    /// Sends `count` requests on `connections` connections.
    pub(crate) fn run(
        self: &Arc<Self>,
        runtime: &Runtime,
        connections: usize,
        count: usize,
    ) -> Result<Outcome> {
        runtime.block_on(async {
            let next = Arc::new(AtomicUsize::new(0));
            let mut open = Vec::new();
            for _ in 0..connections {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
                stream.set_nodelay(true)?;
                open.push(stream);
            }
            let begun = Instant::now();
            let tasks: Vec<_> = open
                .into_iter()
                .map(|stream| {
                    let (load, next) = (Arc::clone(self), Arc::clone(&next));
                    tokio::spawn(async move { load.connection(stream, &next, count).await })
                })
                .collect();
            let mut latencies = Vec::with_capacity(count);
            for task in tasks {
                latencies.extend(task.await??);
            }
            Ok(Outcome { rate: rate(count, begun), latencies: Series::of(latencies) })
        })
    }

    async fn connection(
        &self,
        mut stream: TcpStream,
        next: &AtomicUsize,
        count: usize,
    ) -> Result<Vec<f64>> {
        let (mut latencies, mut answer) = (Vec::new(), Vec::with_capacity(4096));
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(latencies);
            }
            let request = self.requests.get(number % self.requests.len()).context("no request")?;
            let sent = Instant::now();
            stream.write_all(&request.0).await?;
            answer.clear();
            let (status, start, end) = loop {
                if stream.read_buf(&mut answer).await? == 0 {
                    bail!("the server closed a connection");
                }
                if let Some(parsed) = parse(&answer)? {
                    break parsed;
                }
            };
            latencies.push(micros(sent.elapsed()));
            let body = answer.get(start..end).unwrap_or_default();
            let contains = self.contains.as_bytes();
            let is_expected = status == self.status
                && (contains.is_empty() || body.windows(contains.len()).any(|at| at == contains));
            ensure!(is_expected, "{status}: {}", String::from_utf8_lossy(body));
        }
    }

    /// Returns microseconds of the server's work per request.
    pub(crate) fn cpu_each(
        self: &Arc<Self>,
        runtime: &Runtime,
        server: &Process,
        count: usize,
    ) -> Result<f64> {
        let before = server.cpu()?;
        self.run(runtime, super::CONNECTIONS, count)?;
        Ok(micros(server.cpu()? - before) / count as f64)
    }
}
