//! The cost of sealing: an issue and an uncached load with and without it (S1), and the bytes that
//! it adds to a token (R3).

use std::cell::Cell;
use std::sync::Arc;

use anyhow::Result;
use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::{KeyRing, SealedStore};
use keyfob::store::LaneCount;
use keyfob::{Issued, MemoryStore, Store, TokenManager};
use tokio::runtime::Runtime;

use crate::measure::{cpu_each, rounds};
use crate::population;
use crate::report::{Figure, Report, progress};
use crate::server::{self, Server};
use crate::size::Size;

/// The number of tokens that are loaded in turn.
const LOADED: u64 = 2_000;

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    in_memory(report, runtime, size)?;
    on_redis(report, runtime, size)
}

/// A manager over a sealed store, or over one that is not sealed.
struct Side<'a> {
    runtime: &'a Runtime,
    manager: TokenManager,
    issued: Vec<Issued>,
    next: Cell<u64>,
}

impl<'a> Side<'a> {
    fn new(runtime: &'a Runtime, store: Arc<dyn Store>, tokens: u64) -> Result<Self> {
        let manager = population::manager(store);
        let keep = (tokens / LOADED).max(1);
        let filled = population::issue(&manager, 0..tokens, 128, keep, population::indexed);
        let issued = runtime.block_on(filled)?;
        Ok(Self { runtime, manager, issued, next: Cell::new(tokens) })
    }

    fn bare(runtime: &'a Runtime, store: Arc<dyn Store>, tokens: u64) -> Result<Self> {
        Self::new(runtime, store, tokens)
    }

    fn sealed(runtime: &'a Runtime, store: Arc<dyn Store>, tokens: u64) -> Result<Self> {
        let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
        Self::new(runtime, Arc::new(SealedStore::new(store, &ring)), tokens)
    }

    fn issue(&self, count: usize) -> Result<()> {
        let from = self.next.replace(self.next.get() + count as u64);
        let range = from..from + count as u64;
        let issued = population::issue(&self.manager, range, 1, u64::MAX, population::indexed);
        self.runtime.block_on(issued).map(drop)
    }

    fn load(&self, count: usize) -> Result<()> {
        self.runtime.block_on(async {
            for issued in self.issued.iter().cycle().take(count) {
                self.manager.validate_active(&issued.bearer).await?;
            }
            Ok(())
        })
    }
}

/// Returns nanoseconds of this thread per operation.
fn cpu_of(count: usize, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let mut outcome = Ok(());
    let nanos = cpu_each(count, || outcome = work());
    outcome.map(|()| nanos)
}

fn in_memory(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let store = || -> Result<Arc<dyn Store>> {
        Ok(Arc::new(MemoryStore::with(LaneCount::DEFAULT, Arc::new(SystemClock), &OsRandom)?))
    };
    let bare = Side::bare(runtime, store()?, LOADED)?;
    let sealed = Side::sealed(runtime, store()?, LOADED)?;
    // The difference is small compared with the whole, so take many short turns.
    let (turns, count) = (size.rounds(61), size.operations(2_000));
    let issues = |side: &Side<'_>| cpu_of(count, || side.issue(count));
    let [with, without] = rounds(turns, [&mut || issues(&sealed), &mut || issues(&bare)])?;
    let what = "what sealing adds to an issue, store in memory";
    report.add(Figure::of("S1", what, &with.minus(&without), "ns").judged());
    let figure = Figure::of("S1", "a sealed issue, store in memory", &with, "ns");
    report.add(figure.beside("the same without sealing", &with, &without));

    let loads = |side: &Side<'_>| cpu_of(count, || side.load(count));
    let [with, without] = rounds(turns, [&mut || loads(&sealed), &mut || loads(&bare)])?;
    let what = "what sealing adds to an uncached validate, store in memory";
    report.add(Figure::of("S1", what, &with.minus(&without), "ns").judged());
    let figure = Figure::of("S1", "a sealed uncached validate, store in memory", &with, "ns");
    report.add(figure.beside("the same without sealing", &with, &without));
    Ok(())
}

fn on_redis(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    server::pin_away_from_server();
    let tokens = size.tokens(100_000);
    progress(&format!("  issuing {tokens} tokens on Redis, plaintext and sealed"));
    // Each store has its own server, because shared tables would grow for both.
    let servers = [Server::start()?, Server::start()?];
    let [of_bare, of_sealed] = &servers;
    let stores: [Arc<dyn Store>; 2] =
        [Arc::new(of_bare.store(runtime, "bare")?), Arc::new(of_sealed.store(runtime, "seal")?)];
    let [bare, sealed] = stores;
    let empty = [of_bare.data_bytes()?, of_sealed.data_bytes()?];
    let bare = Side::bare(runtime, bare, tokens)?;
    let sealed = Side::sealed(runtime, sealed, tokens)?;
    let each = |server: &Server, empty| -> Result<f64> {
        Ok((server.data_bytes()? - empty) / tokens as f64)
    };
    let [with, without] = [each(of_sealed, empty[1])?, each(of_bare, empty[0])?];
    let what = format!("bytes of Redis for a sealed token, among {tokens}");
    let figure = Figure::plain("R3", what, with, "B");
    report.add(figure.beside_value("the same without sealing", without));

    let count = size.operations(3_000);
    let issues = |server: &Server, side: &Side<'_>| server.cpu_each(count, || side.issue(count));
    let [with, without] = rounds(
        size.rounds(9),
        [&mut || issues(of_sealed, &sealed), &mut || issues(of_bare, &bare)],
    )?;
    let figure = Figure::of("S1", "server's CPU for a sealed issue, c = 1", &with, "µs");
    report.add(figure.beside("the same without sealing", &with, &without));
    let loads = |server: &Server, side: &Side<'_>| server.cpu_each(count, || side.load(count));
    let [with, without] =
        rounds(size.rounds(9), [&mut || loads(of_sealed, &sealed), &mut || loads(of_bare, &bare)])?;
    let what = "server's CPU for a sealed uncached validate, c = 1";
    let figure = Figure::of("S1", what, &with, "µs");
    report.add(figure.beside("the same without sealing", &with, &without));
    for side in [bare, sealed] {
        runtime.block_on(side.manager.shutdown());
    }
    server::unpin();
    Ok(())
}
