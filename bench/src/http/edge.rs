//! An edge: a server without a store, in front of a central one (H7, P1).

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Runtime;

use super::keyfob::Service;
use super::propagation;
use crate::measure::rounds;
use crate::report::{Figure, Report};
use crate::size::Size;
use crate::target::Target;

const IDLE_EDGES: usize = 10;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let central = Service::in_memory()?;
    let folder = tempfile::tempdir()?;
    let edge = central.edge(folder.path())?;
    cached(report, runtime, size, &central, &edge)?;
    let (delays, latest) = propagation::delays([(&central, &edge)], size.operations(1_000))?;
    let what = "revoked at the central server, refused by an edge";
    propagation::add(report, what, &delays, latest);
    drop(edge);
    idle(report, size, &central)
}

fn cached(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    central: &Service,
    edge: &Service,
) -> Result<()> {
    let authorization = central.introspecting_client()?;
    let bearers = central.issue(1_000)?;
    let there = central.introspect(&authorization, &bearers);
    let here = edge.introspect(&authorization, &bearers);
    let count = size.operations(100_000);
    let [at_edge, at_central] = rounds(
        size.rounds(7),
        [&mut || here.cpu_each(runtime, &edge.process, count), &mut || {
            there.cpu_each(runtime, &central.process, count)
        }],
    )?;
    let what = "introspection at an edge, cached: CPU of the edge";
    let figure = Figure::of("H7", what, &at_edge, "µs");
    let figure = figure.beside("the same at the central server", &at_edge, &at_central);
    report.add(figure.against(Target::ratio_at_most(1.1)));
    Ok(())
}

/// Measures what edges that do nothing cost the central server.
fn idle(report: &mut Report, size: Size, central: &Service) -> Result<()> {
    let pause = Duration::from_millis(size.operations(20_000) as u64);
    let share = || -> Result<f64> {
        let (begun, before) = (Instant::now(), central.process.cpu()?);
        std::thread::sleep(pause);
        let spent = central.process.cpu()? - before;
        Ok(100.0 * spent.as_secs_f64() / begun.elapsed().as_secs_f64())
    };
    let alone = share()?;
    let folders: Vec<_> = (0..IDLE_EDGES).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
    let edges = folders.iter().map(|folder| central.edge(folder.path()));
    let _edges: Vec<_> = edges.collect::<Result<_>>()?;
    let each = (share()? - alone) / IDLE_EDGES as f64;
    let what = "an edge that does nothing: CPU of the central server";
    report.add(Figure::plain("H7", what, each, "% of a core"));
    Ok(())
}
