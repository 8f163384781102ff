//! What a rotation costs a Redis, against the minimal scripts that make the same writes (R2), and
//! what happens when many requests exchange one refresh token at the same time (R5).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::rotation::RefreshCase;
use keyfob::{BearerToken, RefreshRequest, Refreshed, Store, TokenManager};
use tokio::runtime::Runtime;

use super::bare::{Families, Sizes};
use super::redis::{AT_ONCE, trips_figure};
use crate::measure::{rate, rounds};
use crate::population;
use crate::report::{Figure, Report, progress};
use crate::server::{self, Server};
use crate::size::Size;
use crate::target::Target;

const NAMESPACE: &str = "rotation";
/// How often every family rotates before anything is measured, so that its record has the history of an
/// older family.
const AGE: usize = 10;

struct Stage<'a> {
    server: Server,
    runtime: &'a Runtime,
    store: Arc<dyn Store>,
    /// The manager that issued or rotated every family, and so has them in memory.
    manager: TokenManager,
    /// The newest refresh token of each family; the next in turn is in front.
    bearers: RefCell<Vec<BearerToken>>,
    bare: RefCell<Families>,
    size: Size,
}

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    server::beside_the_server();
    let mut stage = Stage::new(runtime, size)?;
    stage.trips(report)?;
    stage.alone(report)?;
    stage.together(report)?;
    runtime.block_on(stage.manager.shutdown());
    server::anywhere();
    Ok(())
}

impl<'a> Stage<'a> {
    fn new(runtime: &'a Runtime, size: Size) -> Result<Self> {
        let count = size.operations(2_000);
        progress(&format!("  issuing {count} families on Redis"));
        let server = Server::start()?;
        let store: Arc<dyn Store> = Arc::new(server.store(runtime, NAMESPACE)?);
        let manager = population::manager(Arc::clone(&store));
        let range = 0..count as u64;
        let issued = population::issue(&manager, range, AT_ONCE, 1, population::rotating);
        let issued = runtime.block_on(issued)?;
        let family_key = family_key(&server)?;
        let mut bearers: Vec<_> = issued.into_iter().map(|issued| issued.bearer).collect();
        runtime.block_on(rotate(&manager, &mut bearers, count * AGE, AT_ONCE))?;
        let (family_size, sizes) = sizes(&server, &family_key)?;
        let mut bare = Families::new(&server, runtime, count, family_size, sizes)?;
        let rotations = bare.rotations(count * AGE)?;
        bare.run(&rotations, AT_ONCE)?;
        let (bearers, bare) = (RefCell::new(bearers), RefCell::new(bare));
        Ok(Self { server, runtime, store, manager, bearers, bare, size })
    }

    /// Rotates the next families in turn, many at a time.
    fn rotate(&self, count: usize, at_once: usize) -> Result<()> {
        let mut bearers = self.bearers.borrow_mut();
        self.runtime.block_on(rotate(&self.manager, &mut bearers, count, at_once))
    }

    fn trips(&mut self, report: &mut Report) -> Result<()> {
        let count = self.bearers.borrow().len();
        for (what, most) in [
            ("round trips of a rotation, warm", 1.0),
            ("round trips of a rotation on a node that has not seen the family", 2.0),
        ] {
            if most > 1.0 {
                self.manager = population::manager(Arc::clone(&self.store));
            }
            let before = self.server.reads()?;
            self.rotate(count, 1)?;
            let trips = (self.server.reads()? - before) / count as f64;
            report.add(trips_figure("R2", what, trips, most));
        }
        let calls = self.server.calls_each(count, || self.rotate(count, 1))?;
        report.note(format!("a warm rotation is {calls}"));
        Ok(())
    }

    fn alone(&self, report: &mut Report) -> Result<()> {
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

    /// All present the newest refresh token of one family at the same time, and get one successor.
    fn exchange_hot(&self, steps: usize) -> Result<()> {
        let mut bearers = self.bearers.borrow_mut();
        let newest = bearers.first_mut().context("no family left")?;
        for _ in 0..steps {
            *newest = self.runtime.block_on(exchange_at_once(&self.manager, newest))?;
        }
        Ok(())
    }

    fn together(&self, report: &mut Report) -> Result<()> {
        let steps = self.size.operations(12_800) / AT_ONCE;
        let count = steps * AT_ONCE;
        let bare = |is_hot| {
            let mut bare = self.bare.borrow_mut();
            let commands =
                if is_hot { bare.of_one(steps, AT_ONCE)? } else { bare.exchanges(count, 1)? };
            let begun = Instant::now();
            bare.run(&commands, AT_ONCE)?;
            anyhow::Ok(rate(count, begun))
        };
        let [hot, spread, bare_hot, bare_spread] = rounds(
            self.size.rounds(7),
            [
                &mut || {
                    let begun = Instant::now();
                    self.exchange_hot(steps)?;
                    Ok(rate(count, begun))
                },
                &mut || {
                    let begun = Instant::now();
                    self.rotate(count, AT_ONCE)?;
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
            "each 64 requests that exchanged one refresh token together got one successor (R5)",
        );
        Ok(())
    }
}

/// Rotates families in turn, many at a time.
async fn rotate(
    manager: &TokenManager,
    bearers: &mut [BearerToken],
    count: usize,
    at_once: usize,
) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let part = left.min(bearers.len());
        let in_turn = bearers.get(..part).unwrap_or_default();
        let next: Vec<BearerToken> = stream::iter(in_turn)
            .map(|bearer| manager.refresh(bearer, RefreshRequest::new()))
            .buffered(at_once)
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

/// Exchanges one refresh token many times at the same time. Returns its successor.
async fn exchange_at_once(manager: &TokenManager, bearer: &BearerToken) -> Result<BearerToken> {
    let all: Vec<Refreshed> = stream::iter(0..AT_ONCE)
        .map(|_| manager.refresh(bearer, RefreshRequest::new()))
        .buffer_unordered(AT_ONCE)
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

/// Returns the key of one family; valid while the server has nothing else.
fn family_key(server: &Server) -> Result<String> {
    let script = "return redis.sha1hex(redis.call('KEYS', 'rotation:r{*')[1])";
    Ok(server.call(&["EVAL", script, "0"])?.to_string())
}

/// Returns the lengths of keyfob's family records, access token records and events on this server.
fn sizes(server: &Server, family_key: &str) -> Result<(usize, Sizes)> {
    let length = |script: &str| -> Result<usize> {
        let length = server.call(&["EVAL", script, "0", family_key])?.number();
        usize::try_from(length).context("a length")
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
