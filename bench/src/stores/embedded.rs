//! The cost of the embedded store, compared with redb alone with the same rows (E1, E2).

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use keyfob::{Issued, Store, TokenManager};
use keyfob_redb::{Options, RedbStore};
use tokio::runtime::Runtime;

use super::engine::{Engine, Log};
use crate::measure::{Series, cpu_each, micros, process_cpu, rate, rounds};
use crate::population::{self, Dice};
use crate::report::{Figure, Report, progress};
use crate::size::Size;
use crate::target::Target;

const WRITERS: usize = 64;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let folder = crate::folder::on_disk()?;
    let path = folder.path().join("keyfob.redb");
    let tokens = size.tokens(100_000);
    progress(&format!("  issuing {tokens} tokens in a file"));
    let store = Arc::new(RedbStore::open(&path)?);
    let manager = population::manager(Arc::clone(&store) as Arc<dyn Store>);
    let filled =
        population::issue(&manager, 0..tokens, WRITERS, tokens / 2_000, population::indexed);
    let issued = runtime.block_on(filled)?;
    let mut engine = Engine::create(&folder.path().join("bare.redb"), Options::CACHE_BYTES)?;
    engine.write(tokens as usize, 1_000)?;

    writes(report, runtime, size, (&manager, tokens), &mut engine, folder.path())?;
    reads(report, runtime, size, &*store, &issued, &mut engine)?;
    runtime.block_on(manager.shutdown());
    drop((manager, store));
    reopen(report, size, &path)
}

/// Durable issues by 64 writers that share commits.
fn writes(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    (manager, issued): (&TokenManager, u64),
    engine: &mut Engine,
    folder: &Path,
) -> Result<()> {
    let count = size.operations(64 * 100);
    let mut log = Log::create(&folder.join("log"))?;
    let next = std::cell::Cell::new(issued);
    let issue = || {
        let from = next.replace(next.get() + count as u64);
        let range = from..from + count as u64;
        runtime.block_on(population::issue(manager, range, WRITERS, u64::MAX, population::indexed))
    };
    let (mut our_cpu, mut bare_cpu) = (Vec::new(), Vec::new());
    let worked = |cpu: &mut Vec<f64>, begun| {
        cpu.push(micros(process_cpu() - begun) / count as f64);
    };
    let [ours, bare, raw] = rounds(
        size.rounds(9),
        [
            &mut || {
                let (begun, cpu) = (Instant::now(), process_cpu());
                issue()?;
                worked(&mut our_cpu, cpu);
                Ok(rate(count, begun))
            },
            &mut || {
                let (begun, cpu) = (Instant::now(), process_cpu());
                engine.write(count, WRITERS)?;
                worked(&mut bare_cpu, cpu);
                Ok(rate(count, begun))
            },
            &mut || {
                let begun = Instant::now();
                log.write(count, WRITERS)?;
                Ok(rate(count, begun))
            },
        ],
    )?;
    let what = "durable issues a second, 64 writers that share commits";
    let figure = Figure::of("E1", what, &ours, "1/s");
    report.add(figure.beside("redb alone, same rows, commits of 64", &ours, &bare).judged());
    let figure = Figure::of("E1", "the same against the disk", &ours, "1/s");
    report.add(figure.beside("raw log and fdatasync, writes of 64", &ours, &raw));
    let (ours, bare) = (Series::of(our_cpu), Series::of(bare_cpu));
    let figure = Figure::of("E1", "CPU for a durable issue, all threads", &ours, "µs");
    report.add(figure.beside("redb alone, same rows", &ours, &bare));
    Ok(())
}

fn reads(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    store: &dyn Store,
    issued: &[Issued],
    engine: &mut Engine,
) -> Result<()> {
    let count = size.operations(50_000);
    let mut dice = Dice::new(3);
    let [ours, bare] = rounds(
        size.rounds(9),
        [
            &mut || {
                let mut outcome = Ok(());
                let nanos = cpu_each(count, || {
                    outcome = runtime.block_on(async {
                        for _ in 0..count {
                            let issued =
                                issued.get(dice.below(issued.len())).context("no token")?;
                            store.load(issued.token.id).await?.context("a token is missing")?;
                        }
                        Ok(())
                    });
                });
                outcome.map(|()| 1e9 / nanos)
            },
            &mut || {
                let mut outcome = Ok(0);
                let nanos = cpu_each(count, || outcome = engine.read(count));
                outcome.map(|_| 1e9 / nanos)
            },
        ],
    )?;
    let figure = Figure::of("E2", "uncached loads a second of CPU", &ours, "1/s");
    report.add(figure.beside("redb alone, same rows read", &ours, &bare).judged());
    Ok(())
}

/// Measures the time to open a store, on a file that another process closed long ago.
fn reopen(report: &mut Report, size: Size, path: &Path) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..size.rounds(9) {
        let begun = Instant::now();
        let store = RedbStore::open(path)?;
        times.push(micros(begun.elapsed()) / 1000.0);
        drop(store);
    }
    let figure = Figure::of("E2", "reopening a file of 10⁵ tokens", &Series::of(times), "ms");
    report.add(figure.against(Target::value_at_most(300.0)));
    Ok(())
}
