//! How much more a cluster of three primaries can do than one server (C1).
//!
//! The machine has fewer cores than there are servers, so a rate would say nothing. A cluster is at
//! its limit when its busiest primary is. So each primary gets operations for its own lanes in turn,
//! as if it had its own core, and its processor time per operation is counted. This, times the share
//! of all operations that the primary gets, is compared with what one server spends per operation.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::store::{Lane, RecordStore as _};
use keyfob::{Issued, TokenManager};
use keyfob_testkit::redis::{RedisCluster, RedisServer};
use tokio::runtime::Runtime;

use crate::measure::{micros, rounds};
use crate::population;
use crate::report::{Figure, Report, progress};
use crate::server::{self, Server};
use crate::size::Size;

/// Calls at the same time.
const CONCURRENCY: usize = 64;

/// One server, or the primaries of a cluster.
struct Side<'a> {
    runtime: &'a Runtime,
    servers: Vec<&'a RedisServer>,
    manager: TokenManager,
    /// The server of each lane.
    server_of: BTreeMap<Lane, usize>,
    /// The share of all tokens that each server has.
    shares: Vec<f64>,
    /// Some tokens of each server.
    issued: Vec<Vec<Issued>>,
    /// The numbers of tokens whose subjects are on each server.
    numbers: Vec<Vec<u64>>,
    /// The place in `numbers` of the next token.
    next: Cell<usize>,
}

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    server::pin_away_from_server();
    let single = Server::start()?;
    let clusters = [RedisCluster::without_replicas(1)?, RedisCluster::without_replicas(3)?];
    for node in clusters.iter().flat_map(RedisCluster::nodes) {
        server::pin_to_first_core(node)?;
    }
    let tokens = size.tokens(60_000);
    progress(&format!("  issuing {tokens} tokens on one server and on two clusters"));
    let one = Side::new(runtime, vec![single.redis()], &single.url("bench"), tokens)?;
    let [shard, three] = clusters.each_ref().map(|cluster| {
        let servers = cluster.nodes().iter().collect();
        Side::new(runtime, servers, &server::cluster_url(cluster, "bench"), tokens)
    });
    let (shard, three) = (shard?, three?);
    let shares: Vec<_> =
        three.shares.iter().map(|share| format!("{:.1} %", share * 100.0)).collect();
    report.note(format!("shares of the tokens, by subject: {}", shares.join(", ")));

    let count = size.operations(4_000);
    let issue =
        |side: &Side<'_>, server| side.cpu_each(server, count, || side.issue(server, count));
    compare(report, size, "issue", [&one, &shard, &three], &issue)?;
    // The first use of a token is written; measure later ones.
    for side in [&one, &shard, &three] {
        (0..side.servers.len()).try_for_each(|server| side.validate(server, count))?;
    }
    let count = 2 * count;
    let validate =
        |side: &Side<'_>, server| side.cpu_each(server, count, || side.validate(server, count));
    compare(report, size, "uncached validate", [&one, &shard, &three], &validate)?;
    for side in [one, shard, three] {
        runtime.block_on(side.manager.shutdown());
    }
    server::unpin();
    Ok(())
}

fn compare(
    report: &mut Report,
    size: Size,
    what: &str,
    [one, shard, three]: [&Side<'_>; 3],
    work: &dyn Fn(&Side<'_>, usize) -> Result<f64>,
) -> Result<()> {
    let [single, single_shard, first, second, third] = rounds(
        size.rounds(9),
        [
            &mut || work(one, 0),
            &mut || work(shard, 0),
            &mut || work(three, 0),
            &mut || work(three, 1),
            &mut || work(three, 2),
        ],
    )?;
    let primaries = [first, second, third];
    let of_cluster = primaries.iter().zip(&three.shares);
    let of_cluster = of_cluster.map(|(each, share)| each.map(|micros| micros * share));
    let busiest = of_cluster.max_by(|one, other| one.median().total_cmp(&other.median()));
    let busiest = busiest.context("there is no primary")?;
    let figure = format!("the busiest of 3 primaries: CPU for each {what} of the cluster");
    let figure = Figure::of("C1", figure, &busiest, "µs");
    report.add(figure.clone().ahead_of("one server", &busiest, &single).judged());
    report.add(figure.ahead_of("a cluster of one primary", &busiest, &single_shard));
    for (number, each) in (1..).zip(&primaries) {
        let figure = format!("primary {number}: CPU for an {what} of its own");
        report.add(Figure::of("C1", figure, each, "µs").beside("one server", each, &single));
    }
    Ok(())
}

impl<'a> Side<'a> {
    fn new(
        runtime: &'a Runtime,
        servers: Vec<&'a RedisServer>,
        url: &str,
        tokens: u64,
    ) -> Result<Self> {
        let store = Arc::new(server::store(runtime, url)?);
        let lanes: Vec<_> = store.namespace().lanes().lanes().collect();
        let manager = population::manager(store);
        let filled = population::issue(&manager, 0..tokens, 128, 1, population::indexed);
        let issued = runtime.block_on(filled)?;
        let mut side = Self {
            runtime,
            issued: servers.iter().map(|_| Vec::new()).collect(),
            numbers: servers.iter().map(|_| Vec::new()).collect(),
            shares: servers.iter().map(|_| 0.0).collect(),
            servers,
            manager,
            server_of: BTreeMap::new(),
            next: Cell::new(0),
        };
        for lane in lanes {
            let token = issued.iter().find(|issued| issued.token.id.lane() == lane);
            let server = side.find_server(token.context("a lane has no token")?)?;
            side.server_of.insert(lane, server);
        }
        for (number, token) in (0..).zip(issued) {
            let server = side.server_of.get(&token.token.id.lane()).copied().unwrap_or_default();
            side.shares[server] += 1.0 / tokens as f64;
            side.numbers[server].push(number);
            if side.issued[server].len() < 2_000 {
                side.issued[server].push(token);
            }
        }
        Ok(side)
    }

    /// Returns the server that is asked for a token.
    fn find_server(&self, issued: &Issued) -> Result<usize> {
        let calls = || -> Result<Vec<u64>> {
            let calls = |redis: &&RedisServer| -> Result<u64> {
                Ok(redis.command_stats()?.get("mget").map_or(0, |stats| stats.calls))
            };
            self.servers.iter().map(calls).collect()
        };
        let before = calls()?;
        self.runtime.block_on(self.manager.validate_active(&issued.bearer))?;
        let after = calls()?;
        let asked = after.iter().zip(&before).position(|(after, before)| after > before);
        asked.context("no server was asked")
    }

    /// Issues tokens on one server.
    fn issue(&self, server: usize, count: usize) -> Result<()> {
        let numbers = self.numbers.get(server).context("no such server")?;
        let from = self.next.replace(self.next.get() + count) % numbers.len();
        let numbers = numbers.iter().cycle().skip(from).take(count);
        self.runtime.block_on(
            stream::iter(numbers)
                .map(|number| self.manager.issue(population::indexed(*number)))
                .buffer_unordered(CONCURRENCY)
                .try_for_each(|_| async { Ok(()) }),
        )?;
        Ok(())
    }

    fn validate(&self, server: usize, count: usize) -> Result<()> {
        let tokens = self.issued.get(server).context("no such server")?;
        self.runtime.block_on(
            stream::iter(tokens.iter().cycle().take(count))
                .map(|issued| self.manager.validate_active(&issued.bearer))
                .buffer_unordered(CONCURRENCY)
                .try_for_each(|_| async { Ok(()) }),
        )?;
        Ok(())
    }

    /// Returns microseconds of a server per operation that it gets.
    fn cpu_each(
        &self,
        server: usize,
        operations: usize,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<f64> {
        let redis = self.servers.get(server).context("no such server")?;
        let before = server::cpu(redis)?;
        work()?;
        Ok(micros(server::cpu(redis)? - before) / operations as f64)
    }
}
