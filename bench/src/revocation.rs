//! The delay of a revocation: from the return of `revoke` to the first refusal by the cache of
//! another process (P1).

use std::sync::Arc;

use anyhow::Result;
use keyfob::RevokeRequest;
use tokio::runtime::Runtime;

use crate::child::Child;
use crate::measure::{Series, machine_nanos};
use crate::population;
use crate::report::{Figure, Report};
use crate::server::{Server, write_command};
use crate::size::Size;
use crate::target::Target;

const NAMESPACE: &str = "revoked";

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let server = Server::start()?;
    let count = size.operations(1_000);
    let refused = refusals(runtime, &server, count)?;
    let heard = pushes(&server, count)?;
    let figures = [
        ("revoked here, refused by another process: p50", 0.5, 200.0),
        ("revoked here, refused by another process: p99", 0.99, 1_000.0),
    ];
    for (what, share, max) in figures {
        let figure = Figure::plain("P1", what, refused.quantile(share), "µs");
        report.add(figure.against(Target::value_at_most(max)));
    }
    let worst = refused.quantile(1.0);
    report.add(Figure::plain("P1", "the latest of these refusals", worst, "µs"));
    // No ratio: both may be above or below zero.
    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let what =
            format!("the floor, from the reply to a SET to the push of it elsewhere: {what}");
        report.add(Figure::plain("P1", what, heard.quantile(share), "µs"));
    }
    Ok(())
}

/// Returns microseconds from an acknowledged revocation to the other process's refusal. Negative if the
/// other process was notified before this one had its answer.
fn refusals(runtime: &Runtime, server: &Server, count: usize) -> Result<Series> {
    let url = server.url(NAMESPACE);
    let store = Arc::new(server.store(runtime, NAMESPACE)?);
    let manager = population::manager(store);
    let mut other = Child::watching(&url)?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count as u64 {
        let issued = runtime.block_on(manager.issue(population::indexed(number)))?;
        other.say(issued.bearer.expose())?;
        other.hear()?;
        runtime.block_on(manager.revoke(issued.token.id, RevokeRequest::default()))?;
        let revoked = machine_nanos();
        let refused: u64 = other.hear()?.parse()?;
        times.push((refused as f64 - revoked as f64) / 1000.0);
    }
    runtime.block_on(manager.shutdown());
    Ok(Series::of(times))
}

/// The same for a key that is set, and the push that reports it.
fn pushes(server: &Server, count: usize) -> Result<Series> {
    let mut client = server.client()?;
    let mut other = Child::hearing(server.port())?;
    other.hear()?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let mut command = Vec::new();
        write_command(&mut command, &[b"SET", format!("heard:{number}").as_bytes(), b""]);
        client.exchange(&command, 1)?;
        let set = machine_nanos();
        let heard: u64 = other.hear()?.parse()?;
        times.push((heard as f64 - set as f64) / 1000.0);
    }
    Ok(Series::of(times))
}
