//! Validation from the cache (V1, V2, V3, V6), and the cost of a hit during writes.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow, ensure};
use keyfob::{Grant, Kind, RevokeRequest, ValidationChain};
use tokio::runtime::{Builder, Runtime};

use crate::contender::{Bearers, Contender};
use crate::floor::Floor;
use crate::measure::{Series, cpu_each, rounds};
use crate::population::Dice;
use crate::report::{Figure, Report, progress};
use crate::size::Size;

/// Number of hot tokens: few enough for the processor's cache.
const HOT: u64 = 1_000;

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let hot = Contender::new(runtime, HOT)?;
    let floor = Floor::new(&hot.bearers);
    let count = size.operations(1_000_000);
    let [ours, by_future, straight] = rounds(
        size.rounds(15),
        [
            &mut || hot.check(runtime, count),
            &mut || hot.check_by_future(runtime, count),
            &mut || floor.check_each(&hot.bearers, count),
        ],
    )?;
    let figure = Figure::of("V1", "cached check, 1,000 hot tokens", &ours, "ns");
    report.add(figure.beside("the whole floor", &ours, &straight).judged());
    let figure = Figure::of("V1", "the same with a future for each check", &by_future, "ns");
    report.add(figure.beside("the whole floor", &by_future, &straight).judged());

    threads(report, size)?;
    churn(report, runtime, size, &hot)?;
    junk(report, runtime, size, &hot)?;
    cold(report, runtime, size)
}

/// Measures tokens that are in memory but not in the processor's cache.
fn cold(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let tokens = size.tokens(1_000_000);
    progress(&format!("  issuing {tokens} tokens in memory"));
    let cold = Contender::new(runtime, tokens)?;
    let floor = Floor::new(&cold.bearers);
    let count = cold.bearers.len();
    let [ours, probe] = rounds(
        size.rounds(9),
        [&mut || cold.check(runtime, count), &mut || floor.probe_each(&cold.bearers, count)],
    )?;
    let what = format!("cached check, uniform over {tokens} tokens");
    let figure = Figure::of("V2", what, &ours, "ns");
    report.add(figure.beside("SHA-256 and one probe in DRAM", &ours, &probe).judged());
    Ok(())
}

/// Returns nanoseconds of each of two threads that do the same at the same time.
fn in_two_threads(work: impl Fn(&Runtime) -> Result<f64> + Sync) -> Result<f64> {
    let start = Barrier::new(2);
    let run = || -> Result<f64> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        start.wait();
        work(&runtime)
    };
    let both = std::thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked"))))
    });
    let [one, other] = both;
    Ok((one? + other?) / 2.0)
}

/// Measures one hot token on two cores, as service-to-service traffic uses it.
fn threads(report: &mut Report, size: Size) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let one = Contender::new(&runtime, 1)?;
    let floor = Floor::new(&one.bearers);
    let count = size.operations(3_000_000);
    let [alone, together, floor_alone, floor_together] = rounds(
        size.rounds(9),
        [
            &mut || one.check(&runtime, count),
            &mut || in_two_threads(|runtime| one.check(runtime, count)),
            &mut || floor.check_each(&one.bearers, count),
            &mut || in_two_threads(|_| floor.check_each(&one.bearers, count)),
        ],
    )?;
    // Each thread's rate by its own clock, so that other processes do not count.
    let rate = |nanos: &Series, threads: f64| nanos.map(|nanos| threads * 1e9 / nanos);
    let what = "checks of one hot token a second, two threads";
    let figure = Figure::of("V3", what, &rate(&together, 2.0), "1/s");
    let figure = figure.beside("one thread", &rate(&together, 2.0), &rate(&alone, 1.0));
    report.add(figure.judged());
    let scaling = rate(&floor_together, 2.0).over(&rate(&floor_alone, 1.0));
    report.note(format!(
        "two threads of the floor, which shares nothing that is written, do {:.2} times what one \
         does: that is what the cores of this machine allow",
        scaling.median()
    ));
    Ok(())
}

/// Measures hot tokens while another thread issues and revokes others as fast as it can.
fn churn(report: &mut Report, runtime: &Runtime, size: Size, hot: &Contender) -> Result<()> {
    let count = size.operations(1_000_000);
    let manager = &hot.manager;
    let [quiet, churned] = rounds(
        size.rounds(9),
        [&mut || hot.check(runtime, count), &mut || {
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| -> Result<()> {
                    let runtime = Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(async {
                        while !done.load(Ordering::Relaxed) {
                            let grant = Grant::new(Kind::Access).subject("other");
                            let issued = manager.issue(grant).await?;
                            manager.revoke(issued.token.id, RevokeRequest::default()).await?;
                        }
                        Ok(())
                    })
                });
                let nanos = hot.check(runtime, count);
                done.store(true, Ordering::Relaxed);
                writer.join().map_err(|_| anyhow!("the writer panicked"))??;
                nanos
            })
        }],
    )?;
    let what = "cached check while other tokens are issued and revoked";
    let figure = Figure::of("V1", what, &churned, "ns");
    report.add(figure.beside("without the other thread", &churned, &quiet));
    Ok(())
}

fn junk(report: &mut Report, runtime: &Runtime, size: Size, hot: &Contender) -> Result<()> {
    let mut dice = Dice::new(9);
    let mut changed = |at: fn(&mut Dice) -> usize, to: u8| -> Bearers {
        let texts = (0..hot.bearers.len()).map(|place| {
            let mut text = hot.bearers.at(place).to_owned();
            let at = at(&mut dice);
            let before = text.as_bytes().get(at).copied();
            let to = if before == Some(to) { 'y' } else { char::from(to) };
            text.replace_range(at..=at, to.encode_utf8(&mut [0; 4]));
            text
        });
        Bearers::shuffled(texts.collect())
    };
    // A character that no bearer token has, and one digit replaced by another.
    let malformed = changed(|_| 1, b'!');
    let miscopied = changed(|dice| 7 + dice.below(61), b'x');
    let count = size.operations(500_000);
    let [malformed, miscopied] = rounds(
        size.rounds(9),
        [&mut || refusals(runtime, hot, &malformed, count), &mut || {
            refusals(runtime, hot, &miscopied, count)
        }],
    )?;
    report.add(Figure::of("V6", "refusing a malformed bearer token", &malformed, "ns").judged());
    report.add(Figure::of("V6", "refusing one with a wrong check", &miscopied, "ns").judged());
    Ok(())
}

fn refusals(runtime: &Runtime, hot: &Contender, junk: &Bearers, count: usize) -> Result<f64> {
    let chain = ValidationChain::new();
    let (mut refused, mut place) = (0, 0);
    let nanos = cpu_each(count, || {
        runtime.block_on(async {
            for _ in 0..count {
                let answer = hot.manager.validate_with(junk.at(place), &chain, |_| ()).await;
                refused += usize::from(answer.is_err());
                place = if place + 1 < junk.len() { place + 1 } else { 0 };
            }
        });
    });
    ensure!(refused == count, "{} of {count} were accepted", count - refused);
    Ok(nanos)
}
