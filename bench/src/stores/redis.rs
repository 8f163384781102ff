//! The cost of keyfob on Redis, compared with minimal scripts that do the same on the same server
//! (R1, R2, R4). The module `rotation` measures rotations.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::{Issued, RevokeRequest, TokenManager};
use keyfob_testkit::redis::Reply;
use tokio::runtime::Runtime;

use super::bare::{Bare, Sizes};
use crate::measure::{Series, rate, rounds};
use crate::population;
use crate::report::{Figure, Report, progress};
use crate::server::{self, Server};
use crate::size::Size;
use crate::target::Target;

pub(super) const CONCURRENCY: usize = 64;
const NAMESPACE: &str = "bench";

struct Stage<'a> {
    server: Server,
    runtime: &'a Runtime,
    manager: TokenManager,
    issued: Vec<Issued>,
    /// The number of the next token.
    next: std::cell::Cell<u64>,
    bare: std::cell::RefCell<Bare>,
    size: Size,
}

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    server::pin_away_from_server();
    let stage = Stage::new(runtime, size)?;
    stage.loads(report)?;
    stage.issues(report)?;
    stage.revokes(report)?;
    stage.together(report)?;
    runtime.block_on(stage.manager.shutdown());
    server::unpin();
    Ok(())
}

impl<'a> Stage<'a> {
    fn new(runtime: &'a Runtime, size: Size) -> Result<Self> {
        let tokens = size.tokens(200_000);
        progress(&format!("  issuing {tokens} tokens on Redis"));
        let server = Server::start()?;
        let store = server.store(runtime, NAMESPACE)?;
        let manager = population::manager(Arc::new(store));
        let filled =
            population::issue(&manager, 0..tokens, 128, tokens / 2_000, population::indexed);
        let issued = runtime.block_on(filled)?;
        let sizes = sizes(&server)?;
        let mut bare = Bare::new(&server, runtime, sizes)?;
        for _ in 0..tokens / 1_000 {
            let (inserts, _) = bare.inserts(1_000);
            bare.run(&inserts, 64)?;
        }
        let (next, bare) = (std::cell::Cell::new(tokens), std::cell::RefCell::new(bare));
        Ok(Self { server, runtime, manager, issued, next, bare, size })
    }

    fn validate(&self, issued: &Issued) -> Result<()> {
        self.runtime.block_on(self.manager.validate_active(&issued.bearer))?;
        Ok(())
    }

    fn validate_all(&self) -> Result<()> {
        self.runtime.block_on(async {
            for issued in &self.issued {
                self.manager.validate_active(&issued.bearer).await?;
            }
            Ok(())
        })
    }

    /// Issues new tokens.
    fn issue(&self, count: usize, concurrency: usize) -> Result<Vec<Issued>> {
        let from = self.next.replace(self.next.get() + count as u64);
        let range = from..from + count as u64;
        let issued = population::issue(&self.manager, range, concurrency, 1, population::indexed);
        self.runtime.block_on(issued)
    }

    fn loads(&self, report: &mut Report) -> Result<()> {
        let (server, count) = (&self.server, self.issued.len());
        let records = server.client()?.list(&[b"KEYS", b"bench:r{*"])?;
        let stride = records.len() / count;
        let records: Vec<_> = records.into_iter().step_by(stride.max(1)).take(count).collect();
        let mut bare = self.bare.borrow_mut();
        let (loads, gets) = (bare.loads(&records)?, bare.gets(&records));

        // The first use of a token is written; measure later ones.
        self.validate_all()?;
        let before = server.reads()?;
        self.validate_all()?;
        let trips = (server.reads()? - before) / count as f64;
        report.add(trips_figure("R1", "round trips of an uncached validate", trips, 1.0));

        let bare = std::cell::RefCell::new(bare);
        let [ours, minimal, plain] = rounds(
            self.size.rounds(9),
            [
                &mut || server.cpu_each(count, || self.validate_all()),
                &mut || {
                    server.cpu_each(count, || bare.borrow_mut().one_by_one(self.runtime, &loads))
                },
                &mut || {
                    server.cpu_each(count, || bare.borrow_mut().one_by_one(self.runtime, &gets))
                },
            ],
        )?;
        let figure = Figure::of("R1", "server's CPU for an uncached validate, c = 1", &ours, "µs");
        report.add(figure.beside("minimal script of GET + HMGET", &ours, &minimal).judged());
        report.note(format!("a bare GET takes {:.2} µs of the server's CPU", plain.median()));

        let median = |latencies: Result<Series>| Ok(latencies?.median());
        let [ours, library, plain] = rounds(
            self.size.rounds(9),
            [
                &mut || {
                    median(server::latencies(count, |number| {
                        self.issued.get(number).map_or(Ok(()), |issued| self.validate(issued))
                    }))
                },
                &mut || {
                    let mut bare = bare.borrow_mut();
                    let one = |number| bare.one(self.runtime, &gets, number);
                    median(server::latencies(count, one))
                },
                &mut || {
                    let mut bare = bare.borrow_mut();
                    median(server::latencies(count, |number| bare.one_plainly(&gets, number)))
                },
            ],
        )?;
        let figure = Figure::of("R1", "p50 of an uncached validate, c = 1", &ours, "µs");
        let target = Target::ratio_at_most(1.3);
        report
            .add(figure.clone().beside("bare GET, same library", &ours, &library).against(target));
        report.add(figure.beside("bare GET, simplest blocking client", &ours, &plain));
        drop(bare);
        self.limit(report)
    }

    /// Measures the rate of uncached validates beside that of `redis-benchmark` with the same
    /// command.
    fn limit(&self, report: &mut Report) -> Result<()> {
        let command = self.captured_load()?;
        let parts: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        let count = self.issued.len() * 10;
        let [ours, limit] = rounds(
            self.size.rounds(5),
            [
                &mut || {
                    let begun = Instant::now();
                    let tokens = self.issued.iter().cycle().take(count);
                    let validated = stream::iter(tokens)
                        .map(|issued| self.manager.validate_active(&issued.bearer))
                        .buffer_unordered(CONCURRENCY)
                        .try_for_each(|_| async { Ok(()) });
                    self.runtime.block_on(validated)?;
                    Ok(rate(count, begun))
                },
                &mut || Ok(self.server.benchmark(&parts, count)?.0),
            ],
        )?;
        let what = "uncached validates a second, c = 64, one connection";
        let figure = Figure::of("R1", what, &ours, "1/s");
        report.add(figure.beside("redis-benchmark, same command, c = 50", &ours, &limit));
        Ok(())
    }

    /// Returns the command of a load, as the server saw it, for a record that `redis-benchmark` can
    /// send: its arguments may contain no zero byte.
    fn captured_load(&self) -> Result<Vec<Vec<u8>>> {
        self.server.call(&["CONFIG", "SET", "slowlog-log-slower-than", "0"])?;
        for issued in &self.issued {
            self.server.call(&["SLOWLOG", "RESET"])?;
            self.validate(issued)?;
            let log = self.server.call(&["SLOWLOG", "GET", "10"])?;
            let seen = log.list().iter().find_map(|entry| {
                let parts: Vec<Vec<u8>> = entry.list().get(3)?.list().iter().map(bytes).collect();
                parts.first()?.eq_ignore_ascii_case(b"evalsha").then_some(parts)
            });
            if let Some(parts) = seen
                && parts.iter().all(|part| !part.contains(&0))
            {
                self.server.call(&["CONFIG", "SET", "slowlog-log-slower-than", "-1"])?;
                return Ok(parts);
            }
        }
        anyhow::bail!("no load could be captured that redis-benchmark can send")
    }

    fn issues(&self, report: &mut Report) -> Result<()> {
        let (server, count) = (&self.server, self.size.operations(3_000));
        let before = server.reads()?;
        self.issue(count, 1)?;
        let trips = (server.reads()? - before) / count as f64;
        report.add(trips_figure("R2", "round trips of an issue", trips, 1.0));
        let calls = server.calls_each(count, || self.issue(count, 1).map(drop))?;
        report.note(format!("an issue is {calls}"));

        let [ours, minimal] = rounds(
            self.size.rounds(9),
            [&mut || server.cpu_each(count, || self.issue(count, 1).map(drop)), &mut || {
                let mut bare = self.bare.borrow_mut();
                let (inserts, _) = bare.inserts(count);
                server.cpu_each(count, || bare.one_by_one(self.runtime, &inserts))
            }],
        )?;
        let figure = Figure::of("R2", "server's CPU for an issue, c = 1", &ours, "µs");
        report.add(figure.beside("minimal script, same writes", &ours, &minimal).judged());
        Ok(())
    }

    fn revoke(&self, issued: &[Issued]) -> Result<()> {
        self.runtime.block_on(async {
            for issued in issued {
                self.manager.revoke(issued.token.id, RevokeRequest::default()).await?;
            }
            Ok(())
        })
    }

    fn revokes(&self, report: &mut Report) -> Result<()> {
        let (server, count) = (&self.server, self.size.operations(3_000));
        let issued = self.issue(count, CONCURRENCY)?;
        let before = server.reads()?;
        self.revoke(&issued)?;
        let trips = (server.reads()? - before) / count as f64;
        report.add(trips_figure("R2", "round trips of a revocation", trips, 1.0));
        let issued = self.issue(count, CONCURRENCY)?;
        let calls = server.calls_each(count, || self.revoke(&issued))?;
        report.note(format!("a revocation is {calls}"));

        let [ours, minimal] = rounds(
            self.size.rounds(9),
            [
                &mut || {
                    let issued = self.issue(count, CONCURRENCY)?;
                    server.cpu_each(count, || self.revoke(&issued))
                },
                &mut || {
                    let mut bare = self.bare.borrow_mut();
                    let (inserts, written) = bare.inserts(count);
                    bare.run(&inserts, CONCURRENCY)?;
                    let revokes = bare.revokes(&written);
                    server.cpu_each(count, || bare.one_by_one(self.runtime, &revokes))
                },
            ],
        )?;
        let figure = Figure::of("R2", "server's CPU for a revocation, c = 1", &ours, "µs");
        report.add(figure.beside("minimal script, same writes", &ours, &minimal).judged());
        Ok(())
    }

    fn together(&self, report: &mut Report) -> Result<()> {
        let count = self.size.operations(20_000);
        let [ours, minimal] = rounds(
            self.size.rounds(7),
            [
                &mut || {
                    let begun = Instant::now();
                    self.issue(count, CONCURRENCY)?;
                    Ok(rate(count, begun))
                },
                &mut || {
                    let mut bare = self.bare.borrow_mut();
                    let (inserts, _) = bare.inserts(count);
                    let begun = Instant::now();
                    bare.run(&inserts, CONCURRENCY)?;
                    Ok(rate(count, begun))
                },
            ],
        )?;
        let figure = Figure::of("R4", "issues a second, c = 64, one process", &ours, "1/s");
        report.add(figure.beside("minimal script, pipelined by 64", &ours, &minimal).judged());
        Ok(())
    }
}

/// A figure for round trips, with a maximum.
pub(super) fn trips_figure(id: &'static str, what: &'static str, trips: f64, max: f64) -> Figure {
    // The reads of the counter and of the store's own task are a few in thousands.
    let rounded = (trips * 20.0).round() / 20.0;
    Figure::plain(id, what, rounded, "").against(Target::value_at_most(max))
}

fn bytes(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Bytes(bytes) => bytes.clone(),
        other => other.to_string().into_bytes(),
    }
}

/// Returns the lengths of keyfob's records and events on this server.
fn sizes(server: &Server) -> Result<Sizes> {
    let record = "return redis.call('STRLEN', redis.call('KEYS', 'bench:r{*')[1])";
    let event = "local k = redis.call('KEYS', 'bench:e{*')[1] \
                 return #redis.call('XREVRANGE', k, '+', '-', 'COUNT', 1)[1][2][2]";
    let length = |script: &str| -> Result<usize> {
        let length = server.call(&["EVAL", script, "0"])?.number();
        usize::try_from(length).context("the length is not a number")
    };
    Ok(Sizes { record: length(record)?, event: length(event)? })
}
