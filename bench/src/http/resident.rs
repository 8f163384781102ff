//! The memory of a server: idle connections, and cached tokens.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context, Result, ensure};
use keyfob::{Grant, Kind, TokenManager};
use tokio::runtime::Runtime;

use super::CONNECTIONS;
use super::keyfob::{CLIENT, Service};
use super::request::basic;
use crate::population;
use crate::report::{Figure, Report};
use crate::server::Server;
use crate::size::Size;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    connections(report, size)?;
    tokens(report, runtime, size)
}

/// Keep-alive connections that have had one answer.
fn connections(report: &mut Report, size: Size) -> Result<()> {
    let count = size.operations(10_000);
    allow_files(count as u64 + 1_000)?;
    let service = Service::in_memory()?;
    let before = service.process.resident_bytes()?;
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, service.port))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")?;
        ensure!(stream.read(&mut [0; 1024])? > 0, "a connection was closed");
        open.push(stream);
    }
    let resident = service.process.resident_bytes()?;
    let what = format!("resident memory of a server with {count} idle connections");
    report.add(Figure::plain("H6", what, resident / 1e6, "MB"));
    let each = (resident - before) / count as f64;
    report.add(Figure::plain("H6", "memory of an idle connection", each, "B"));
    let stream = open.last_mut().context("no connection")?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")?;
    ensure!(stream.read(&mut [0; 1024])? > 0, "an idle connection was closed");
    Ok(())
}

/// Raises the number of files that this process, and those that it starts, may have open.
fn allow_files(count: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(count), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).context("this system allows too few open files")
}

/// Tokens that were introspected once, so that they are cached.
fn tokens(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let count = size.tokens(1_000_000) as usize;
    let redis = Server::start()?;
    let manager = TokenManager::new(redis.store(runtime, "cached")?);
    let grant = Grant::new(Kind::ApiKey).client(CLIENT).scope("keyfob:introspect");
    let key = runtime.block_on(manager.issue(grant))?.bearer;
    let service = Service::on(&redis.url("cached"), key.expose())?;
    let authorization = basic(CLIENT, key.expose());
    let before = service.process.resident_bytes()?;
    let mut cached = 0;
    while cached < count {
        let numbers = cached as u64..count.min(cached + 50_000) as u64;
        let issued = population::issue(&manager, numbers, 128, 1, population::indexed);
        let issued = runtime.block_on(issued)?;
        let bearers = issued.iter().map(|issued| issued.bearer.expose().to_owned());
        let load = service.introspect(&authorization, &bearers.collect::<Vec<_>>());
        load.run(runtime, CONNECTIONS, issued.len())?;
        cached += issued.len();
    }
    let resident = service.process.resident_bytes()?;
    let what = format!("resident memory of a server that was asked about {count} tokens");
    report.add(Figure::plain("H6", what, resident / 1e6, "MB"));
    let each = (resident - before) / count as f64;
    report.add(Figure::plain("H6", "the same, for each of these tokens", each, "B"));
    runtime.block_on(manager.shutdown());
    Ok(())
}
