//! Sends prepared requests on many connections, from one thread.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::process::Process;
use super::request::{Request, parse};
use crate::measure::{Series, micros, rate};

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
        server.cpu_each(count, || self.run(runtime, super::CONNECTIONS, count))
    }
}
