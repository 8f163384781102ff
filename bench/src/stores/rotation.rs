//! The cost of a rotation on Redis, compared with minimal scripts that make the same writes (R2),
//! and the rate of concurrent exchanges of one refresh token (R5).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::rotation::RefreshCase;
use keyfob::{BearerToken, RefreshRequest, Refreshed, Store, TokenManager};
use tokio::runtime::Runtime;

use super::bare::{Families, Sizes};
use super::redis::{CONCURRENCY, trips_figure};
use crate::measure::{rate, rounds};
use crate::population;
use crate::report::{Figure, Report, progress};
use crate::server::{self, Server};
use crate::size::Size;
use crate::target::Target;

const NAMESPACE: &str = "rotation";
/// The number of rotations of each family before the measurement. The records then have the size of
/// older families.
const INITIAL_ROTATIONS: usize = 10;

struct RotationBench<'a> {
    server: Server,
    runtime: &'a Runtime,
    store: Arc<dyn Store>,
    /// The manager that last issued or rotated every family. It has their records in memory.
    manager: TokenManager,
    /// The newest refresh token of each family. The next family to rotate is first.
    bearers: RefCell<Vec<BearerToken>>,
    bare: RefCell<Families>,
    size: Size,
}

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    server::pin_away_from_server();
    let mut bench = RotationBench::new(runtime, size)?;
    bench.measure_round_trips(report)?;
    bench.measure_sequential(report)?;
    bench.measure_concurrent(report)?;
    runtime.block_on(bench.manager.shutdown());
    server::unpin();
    Ok(())
}

impl<'a> RotationBench<'a> {
    fn new(runtime: &'a Runtime, size: Size) -> Result<Self> {
        let count = size.operations(2_000);
        progress(&format!("  issuing {count} families on Redis"));
        let server = Server::start()?;
        let store: Arc<dyn Store> = Arc::new(server.store(runtime, NAMESPACE)?);
        let manager = population::manager(Arc::clone(&store));
        let range = 0..count as u64;
        let issued = population::issue(&manager, range, CONCURRENCY, 1, population::rotating);
        let issued = runtime.block_on(issued)?;
        let family_key = family_key(&server)?;
        let mut bearers: Vec<_> = issued.into_iter().map(|issued| issued.bearer).collect();
        runtime.block_on(rotate(&manager, &mut bearers, count * INITIAL_ROTATIONS, CONCURRENCY))?;
        let (family_size, sizes) = sizes(&server, &family_key)?;
        let mut bare = Families::new(&server, runtime, count, family_size, sizes)?;
        let rotations = bare.rotations(count * INITIAL_ROTATIONS)?;
        bare.run(&rotations, CONCURRENCY)?;
        let (bearers, bare) = (RefCell::new(bearers), RefCell::new(bare));
        Ok(Self { server, runtime, store, manager, bearers, bare, size })
    }

    /// Rotates the next families in turn, with concurrent requests.
    fn rotate(&self, count: usize, concurrency: usize) -> Result<()> {
        let mut bearers = self.bearers.borrow_mut();
        self.runtime.block_on(rotate(&self.manager, &mut bearers, count, concurrency))
    }

    fn measure_round_trips(&mut self, report: &mut Report) -> Result<()> {
        let count = self.bearers.borrow().len();
        for (what, max_trips) in [
            ("round trips of a rotation, warm", 1.0),
            ("round trips of a rotation on a node that has not seen the family", 2.0),
        ] {
            if max_trips > 1.0 {
                self.manager = population::manager(Arc::clone(&self.store));
            }
            let before = self.server.reads()?;
            self.rotate(count, 1)?;
            let trips = (self.server.reads()? - before) / count as f64;
            report.add(trips_figure("R2", what, trips, max_trips));
        }
        let calls = self.server.calls_each(count, || self.rotate(count, 1))?;
        report.note(format!("a warm rotation is {calls}"));
        Ok(())
    }

    fn measure_sequential(&self, report: &mut Report) -> Result<()> {
        let (server, count) = (&self.server, self.size.operations(3_000));
        let [ours, minimal] = rounds(
            self.size.rounds(9),
            [&mut || server.cpu_each(count, || self.rotate(count, 1)), &mut || {
                let mut bare = self.bare.borrow_mut();
                let rotations = bare.rotations(count)?;
                server.cpu_each(count, || bare.one_by_one(self.runtime, &rotations))
            }],
        )?;
        let figure = Figure::of("R2", "server's CPU for a warm rotation, c = 1", &ours, "µs");
        report.add(figure.beside("minimal script, same writes", &ours, &minimal).judged());
        Ok(())
    }

    /// Sends 64 concurrent exchanges of the newest refresh token of one family. All get the same
    /// successor.
    fn exchange_one_family(&self, steps: usize) -> Result<()> {
        let mut bearers = self.bearers.borrow_mut();
        let newest = bearers.first_mut().context("no family left")?;
        for _ in 0..steps {
            *newest = self.runtime.block_on(exchange_concurrently(&self.manager, newest))?;
        }
        Ok(())
    }

    fn measure_concurrent(&self, report: &mut Report) -> Result<()> {
        let steps = self.size.operations(12_800) / CONCURRENCY;
        let count = steps * CONCURRENCY;
        let bare = |is_hot| {
            let mut bare = self.bare.borrow_mut();
            let commands =
                if is_hot { bare.of_one(steps, CONCURRENCY)? } else { bare.exchanges(count, 1)? };
            let begun = Instant::now();
            bare.run(&commands, CONCURRENCY)?;
            anyhow::Ok(rate(count, begun))
        };
        let [hot, spread, bare_hot, bare_spread] = rounds(
            self.size.rounds(7),
            [
                &mut || {
                    let begun = Instant::now();
                    self.exchange_one_family(steps)?;
                    Ok(rate(count, begun))
                },
                &mut || {
                    let begun = Instant::now();
                    self.rotate(count, CONCURRENCY)?;
                    Ok(rate(count, begun))
                },
                &mut || bare(true),
                &mut || bare(false),
            ],
        )?;
        let minimal = "minimal script, pipelined by 64";
        let what = "exchanges a second, all of one refresh token, c = 64, one process";
        let figure = Figure::of("R5", what, &hot, "1/s");
        let target = Target::ratio_at_least(0.9);
        report
            .add(figure.clone().beside("spread over all families", &hot, &spread).against(target));
        report.add(figure.beside(minimal, &hot, &bare_hot).judged());
        let what = "exchanges a second, spread over all families, c = 64, one process";
        let figure = Figure::of("R5", what, &spread, "1/s");
        report.add(figure.beside(minimal, &spread, &bare_spread).judged());
        report.note(
            "64 concurrent exchanges of one refresh token always got the same successor (R5)",
        );
        Ok(())
    }
}

/// Rotates families in turn, with concurrent requests.
async fn rotate(
    manager: &TokenManager,
    bearers: &mut [BearerToken],
    count: usize,
    concurrency: usize,
) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let part = left.min(bearers.len());
        let in_turn = bearers.get(..part).unwrap_or_default();
        let next: Vec<BearerToken> = stream::iter(in_turn)
            .map(|bearer| manager.refresh(bearer, RefreshRequest::new()))
            .buffered(concurrency)
            .map_ok(|refreshed| refreshed.refresh.bearer)
            .try_collect()
            .await?;
        for (place, bearer) in bearers.iter_mut().zip(next) {
            *place = bearer;
        }
        bearers.rotate_left(part);
        left -= part;
    }
    Ok(())
}

/// Exchanges one refresh token with concurrent requests. Returns its successor.
async fn exchange_concurrently(
    manager: &TokenManager,
    bearer: &BearerToken,
) -> Result<BearerToken> {
    let all: Vec<Refreshed> = stream::iter(0..CONCURRENCY)
        .map(|_| manager.refresh(bearer, RefreshRequest::new()))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    let rotated = all.iter().filter(|refreshed| refreshed.case == RefreshCase::Rotated).count();
    ensure!(rotated == 1, "one refresh token rotated {rotated} times");
    let first = all.first().context("no exchange succeeded")?;
    let is_same = |one: &BearerToken, other: &BearerToken| one.expose() == other.expose();
    let is_one = all.iter().all(|other| {
        is_same(&first.refresh.bearer, &other.refresh.bearer)
            && is_same(&first.access.bearer, &other.access.bearer)
    });
    ensure!(is_one, "one refresh token has two successors");
    Ok(first.refresh.bearer.clone())
}

/// Returns the key of one family. Works only while the server has no other keys.
fn family_key(server: &Server) -> Result<String> {
    let script = "return redis.sha1hex(redis.call('KEYS', 'rotation:r{*')[1])";
    Ok(server.call(&["EVAL", script, "0"])?.to_string())
}

/// Returns the lengths of keyfob's family records, access token records and events on this server.
fn sizes(server: &Server, family_key: &str) -> Result<(usize, Sizes)> {
    let length = |script: &str| -> Result<usize> {
        let length = server.call(&["EVAL", script, "0", family_key])?.number();
        usize::try_from(length).context("the length is not a number")
    };
    let family = length(
        "for _, k in ipairs(redis.call('KEYS', 'rotation:r{*')) do \
         if redis.sha1hex(k) == ARGV[1] then return redis.call('STRLEN', k) end end",
    )?;
    let record = length(
        "for _, k in ipairs(redis.call('KEYS', 'rotation:r{*')) do \
         local ttl = redis.call('PTTL', k) \
         if ttl < 20 * 86400000 then return redis.call('STRLEN', k) end end",
    )?;
    let event = length(
        "local e = redis.call('XREVRANGE', redis.call('KEYS', 'rotation:e{*')[1], '+', '-', 'COUNT', 2) \
         return (#e[1][2][2] + #e[2][2][2]) / 2",
    )?;
    Ok((family, Sizes { record, event }))
}
