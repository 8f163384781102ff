//! The cost of each operation as the number of tokens grows a thousandfold, on each store (R6 to R8, E3, X1
//! and the growth lines).

use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::clock::SystemClock;
use keyfob::random::OsRandom;
use keyfob::store::LaneCount;
use keyfob::{Filter, Grant, Issued, Kind, MemoryStore, Paging};
use keyfob::{RevokeRequest, TokenManager, TokenState, Ttl};
use tokio::runtime::Runtime;

use crate::child;
use crate::fleet::{Filled, Fleet};
use crate::measure::{micros, process_cpu};
use crate::population;
use crate::report::{Figure, Growth, Report};
use crate::server::{self, Server};
use crate::size::Size;
use crate::target::Target;

const OF_A_TAG: &str = "list 10 of a tag";
const VERBS: [&str; 6] = [
    "issue",
    "load and validate",
    "list 10 of a subject",
    OF_A_TAG,
    "revoke",
    "revoke a subject",
];
const BYTES: &str = "bytes for a token";
/// The subject whose list is read, and the number of its tokens.
const OWNER: &str = "owner-of-many";
const OWNED: usize = 50;
/// The subject whose tokens are counted, how many they are, and how many of them are revoked.
const COUNTED: &str = "owner-of-thousands";
const COUNTED_TOKENS: usize = 10_000;
const COUNTED_REVOKED: usize = 500;

/// Microseconds of work for each operation, in the client and in the server.
type Cost<'a> = &'a dyn Fn(usize, &mut dyn FnMut() -> Result<()>) -> Result<f64>;

pub(crate) fn measure(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    fleet: &mut Fleet,
) -> Result<()> {
    in_memory(report, runtime, size)?;
    on_redis(report, runtime, size, fleet)?;
    on_disk(report, runtime, size, fleet)
}

fn sizes(size: Size) -> Vec<u64> {
    match size {
        Size::Full => vec![1_000, 10_000, 100_000, 1_000_000],
        Size::Quick => vec![1_000, 5_000, 20_000],
    }
}

fn own_cpu(count: usize, work: &mut dyn FnMut() -> Result<()>) -> Result<f64> {
    let before = process_cpu();
    work()?;
    Ok(micros(process_cpu() - before) / count as f64)
}

fn in_memory(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let store = MemoryStore::with(LaneCount::DEFAULT, Arc::new(SystemClock), &OsRandom)?;
    let mut filled = Filled::new(Arc::new(store), "memory", 1);
    let mut lines = Lines::new("memory", "µs");
    for tokens in sizes(size) {
        filled.fill_to(runtime, tokens)?;
        lines.add(tokens, operation_costs(runtime, size, &mut filled, 1, &own_cpu)?);
    }
    lines.publish(report);
    Ok(())
}

fn on_redis(report: &mut Report, runtime: &Runtime, size: Size, fleet: &mut Fleet) -> Result<()> {
    server::pin_away_from_server();
    let on_redis = fleet.redis(runtime)?;
    let (server, filled, empty) = (&on_redis.server, &mut on_redis.filled, on_redis.empty);
    runtime.block_on(own(&filled.manager))?;
    filled.tokens += OWNED as u64;
    let mut lines = Lines::new("Redis", "µs");
    let mut lists = Vec::new();
    let mut bytes = Vec::new();
    for tokens in sizes(size) {
        filled.fill_to(runtime, tokens)?;
        let cpu = |count: usize, work: &mut dyn FnMut() -> Result<()>| server.cpu_each(count, work);
        lines.add(tokens, operation_costs(runtime, size, filled, 1, &cpu)?);
        lists.push(list_of_one(runtime, size, server, &filled.manager)?);
        bytes.push((tokens, (server.data_bytes()? - empty) / filled.tokens as f64));
    }
    let of_a_tag = lines.last(OF_A_TAG);
    lines.publish(report);
    report.grow(Growth { store: "Redis", what: BYTES, unit: "B", points: bytes });

    let few = if size == Size::Full { 1 } else { 0 };
    let (few, many) =
        lists.get(few).zip(lists.last()).context("the lists have fewer than two sizes")?;
    let what = "p50 of a subject's newest 10 among all tokens";
    let figure = Figure::plain("R6", what, many.p50, "µs");
    report.add(figure.beside_value("among a hundredth of them", few.p50).judged());
    let what = "keys read for a subject's newest 10";
    let figure = Figure::plain("R6", what, many.keys, "");
    report.add(figure.beside_value("among a hundredth of the tokens", few.keys).judged());
    report.add(count_of_many("R7", runtime, size, &filled.manager)?);
    if let Some(cost) = of_a_tag {
        let what = "server's CPU for the newest 10 of a tag, of all lanes";
        report.add(Figure::plain("R8", what, cost / 1e3, "ms").judged());
    }
    server::unpin();
    Ok(())
}

fn on_disk(report: &mut Report, runtime: &Runtime, size: Size, fleet: &mut Fleet) -> Result<()> {
    let on_disk = fleet.disk()?;
    let mut lines = Lines::new("file", "µs");
    let mut bytes = Vec::new();
    for tokens in sizes(size) {
        on_disk.filled.fill_to(runtime, tokens)?;
        lines.add(tokens, operation_costs(runtime, size, &mut on_disk.filled, 64, &own_cpu)?);
        bytes.push((tokens, on_disk.bytes_each()?));
    }
    lines.publish(report);
    report.grow(Growth { store: "file", what: BYTES, unit: "B", points: bytes });
    report.add(count_of_many("E3", runtime, size, &on_disk.filled.manager)?);
    Ok(())
}

/// Returns the current cost of each operation, in order.
fn operation_costs(
    runtime: &Runtime,
    size: Size,
    filled: &mut Filled,
    concurrency: usize,
    cost: Cost<'_>,
) -> Result<[f64; VERBS.len()]> {
    let (writes, reads) = (size.operations(2_000), size.operations(2_000));
    let mut issued = Vec::new();
    let issue = cost(writes, &mut || {
        issued = filled.issue_concurrently(runtime, writes as u64, 1, concurrency)?;
        Ok(())
    })?;
    let (manager, in_hand) = (&filled.manager, &filled.in_hand);
    // The first use of each token is written; measure the second.
    let validate = || {
        runtime.block_on(async {
            for issued in in_hand.iter().cycle().take(reads) {
                manager.validate_active(&issued.bearer).await?;
            }
            anyhow::Ok(())
        })
    };
    validate()?;
    let validate = cost(reads, &mut || validate())?;
    let lists = size.operations(500);
    let list = |filter: &dyn Fn(&Issued) -> Filter| {
        runtime.block_on(async {
            for issued in in_hand.iter().cycle().take(lists) {
                manager.list(&filter(issued), Paging::new(10)).await?;
            }
            anyhow::Ok(())
        })
    };
    let of_subject = |issued: &Issued| match &issued.token.subject {
        Some(subject) => Filter::new().subject(subject.clone()),
        None => Filter::new(),
    };
    let by_subject = cost(lists, &mut || list(&of_subject))?;
    let by_tag = cost(lists, &mut || list(&|_| Filter::new().tag("beta")))?;
    let revoke = cost(writes, &mut || {
        runtime.block_on(population::each(&issued, concurrency, async |issued| {
            manager.revoke(issued.token.id, RevokeRequest::default()).await?;
            Ok(())
        }))
    })?;
    let subjects = size.operations(500);
    // Use tokens that were revoked just now, so that the others stay active.
    let ended: Vec<_> = issued.into_iter().take(subjects).collect();
    let revoke_subject = cost(subjects, &mut || {
        runtime.block_on(population::each(&ended, concurrency, async |issued| {
            if let Some(subject) = &issued.token.subject {
                manager.revoke_subject(subject, RevokeRequest::default()).await?;
            }
            Ok(())
        }))
    })?;
    Ok([issue, validate, by_subject, by_tag, revoke, revoke_subject])
}

async fn own(manager: &TokenManager) -> Result<()> {
    for _ in 0..OWNED {
        manager.issue(Grant::new(Kind::Session).subject(OWNER).ttl(Ttl::from_days(30))).await?;
    }
    Ok(())
}

struct ListCost {
    p50: f64,
    keys: f64,
}

fn list_of_one(
    runtime: &Runtime,
    size: Size,
    server: &Server,
    manager: &TokenManager,
) -> Result<ListCost> {
    let filter = Filter::new().subject(OWNER);
    let count = size.operations(2_000);
    let before = server.lookups()?;
    let latencies = server::latencies(count, |_| {
        let page = runtime.block_on(manager.list(&filter, Paging::new(10)))?;
        anyhow::ensure!(page.tokens.len() == 10, "a list of {} tokens", page.tokens.len());
        Ok(())
    })?;
    let keys = (server.lookups()? - before) / count as f64;
    Ok(ListCost { p50: latencies.median(), keys: keys.round() })
}

/// How long a count of one subject's ten thousand tokens takes.
fn count_of_many(
    id: &'static str,
    runtime: &Runtime,
    size: Size,
    manager: &TokenManager,
) -> Result<Figure> {
    let (tokens, revoked) = (size.operations(COUNTED_TOKENS), size.operations(COUNTED_REVOKED));
    runtime.block_on(async {
        let grant = || Grant::new(Kind::Session).subject(COUNTED).ttl(Ttl::from_days(30));
        let issued: Vec<_> = stream::iter(0..tokens)
            .map(|_| manager.issue(grant()))
            .buffer_unordered(64)
            .try_collect()
            .await?;
        population::each(&issued[..revoked], 64, async |issued| {
            manager.revoke(issued.token.id, RevokeRequest::default()).await?;
            Ok(())
        })
        .await
    })?;
    let filter = Filter::new().subject(COUNTED).state(TokenState::Active);
    let millis = server::latencies(size.rounds(15), |_| {
        let counted = runtime.block_on(manager.count(&filter))?;
        anyhow::ensure!(counted == (tokens - revoked) as u64, "{counted} tokens were counted");
        Ok(())
    })?;
    let what = format!("a count of the active of a subject's {tokens} tokens");
    Ok(Figure::plain(id, what, millis.median() / 1e3, "ms").judged())
}

/// From the start of a process to its first answer, on the file of this run (X1's embedded half).
pub(crate) fn first_answer(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    fleet: &mut Fleet,
) -> Result<()> {
    let Some(on_disk) = fleet.take_disk() else { return Ok(()) };
    let tokens = on_disk.filled.tokens;
    let Filled { manager, in_hand, .. } = &on_disk.filled;
    let mut bearers: Vec<String> = Vec::new();
    for issued in in_hand {
        if runtime.block_on(manager.validate_active(&issued.bearer)).is_ok() {
            bearers.push(issued.bearer.expose().to_owned());
        }
    }
    runtime.block_on(manager.shutdown());
    let mut times = Vec::new();
    let mut resident = 0.0f64;
    for round in 0..size.rounds(7) {
        let bearer =
            bearers.get(round * 37 % bearers.len().max(1)).context("no bearer token is active")?;
        let answer = child::first_answer(&on_disk.path, bearer)?;
        times.push(answer.millis);
        resident = resident.max(answer.resident_bytes / 1e6);
    }
    let what = format!("start of a process to its first answer, a file of {tokens} tokens");
    report.add(Figure::of("X1", what, &crate::measure::Series::of(times), "ms").judged());
    let what = "resident memory of that process";
    let target = Target::value_at_most(40.0);
    report.add(Figure::plain("X1", what, resident, "MB").against(target));
    Ok(())
}

struct Lines(Vec<Growth>);

impl Lines {
    fn new(store: &'static str, unit: &'static str) -> Self {
        Self(VERBS.map(|what| Growth { store, what, unit, points: Vec::new() }).into())
    }

    fn add(&mut self, tokens: u64, costs: [f64; VERBS.len()]) {
        self.0.iter_mut().zip(costs).for_each(|(line, cost)| line.points.push((tokens, cost)));
    }

    /// Returns the cost of an operation at the last size.
    fn last(&self, what: &str) -> Option<f64> {
        let line = self.0.iter().find(|line| line.what == what)?;
        line.points.last().map(|(_, cost)| *cost)
    }

    fn publish(self, report: &mut Report) {
        self.0.into_iter().for_each(|line| report.grow(line));
    }
}
