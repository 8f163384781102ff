//! What a server works for nodes that do nothing but keep their caches trusted (I1), and for nodes that
//! follow events when there are none (I2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use keyfob::{CacheConfig, TokenManager};
use keyfob_testkit::redis::{CommandStats, RedisCluster, RedisServer};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::population;
use crate::report::{Figure, Report, progress};
use crate::server::{self, Server};
use crate::size::Size;

/// Commands that are called less often than this each second are not named.
const MIN_RATE: f64 = 10.0;

/// Nodes of one namespace, each with a store and connections of its own.
struct Nodes {
    managers: Vec<TokenManager>,
    /// What follows events.
    followers: Vec<JoinHandle<()>>,
}

/// What servers did in a time.
struct Work {
    /// Percent of a core, of the server that worked most.
    percent: f64,
    /// The commands of all servers that are called most, with their calls a second.
    commands: String,
}

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    server::pin_away_from_server();
    on_one_server(report, runtime, size)?;
    on_a_cluster(report, runtime, size)?;
    server::unpin();
    Ok(())
}

fn on_one_server(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let server = Server::start()?;
    let url = server.url("idle");
    let alone = watch(runtime, size, &[server.redis()])?;
    report.note(format!("a server without clients takes {:.2} % of a core", alone.percent));
    for (count, what, url) in [
        (200, "200 idle nodes with caches on one server", url.clone()),
        (200, "the same with address=fixed", format!("{url}&address=fixed")),
    ] {
        let nodes = Nodes::caching(runtime, &url, scaled(count, size))?;
        let work = watch(runtime, size, &[server.redis()])?;
        add(report, "I1", what, &work, true);
        nodes.end(runtime);
    }
    let nodes = Nodes::following(runtime, &url, scaled(100, size))?;
    let work = watch(runtime, size, &[server.redis()])?;
    add(report, "I2", "100 idle nodes that follow events on one server", &work, false);
    nodes.end(runtime);
    Ok(())
}

fn on_a_cluster(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let cluster = RedisCluster::without_replicas(3)?;
    cluster.nodes().iter().try_for_each(server::pin_to_first_core)?;
    let url = server::cluster_url(&cluster, "idle");
    let servers: Vec<_> = cluster.nodes().iter().collect();
    let nodes = Nodes::caching(runtime, &url, scaled(200, size))?;
    let work = watch(runtime, size, &servers)?;
    add(report, "I1", "200 idle nodes, the busiest of 3 primaries of a cluster", &work, true);
    nodes.end(runtime);
    let nodes = Nodes::following(runtime, &url, scaled(100, size))?;
    let work = watch(runtime, size, &servers)?;
    let what = "100 idle nodes that follow events, the busiest of 3 primaries";
    add(report, "I2", what, &work, false);
    nodes.end(runtime);
    Ok(())
}

fn scaled(count: usize, size: Size) -> usize {
    match size {
        Size::Full => count,
        Size::Quick => count / 10,
    }
}

fn add(report: &mut Report, id: &'static str, what: &str, work: &Work, judged: bool) {
    let figure = Figure::plain(id, what, work.percent, "% of a core");
    report.add(if judged { figure.judged() } else { figure });
    report.note(format!("{what}: {} a second", work.commands));
}

/// Lets the nodes settle, then measures servers for ten seconds in which nothing happens.
fn watch(runtime: &Runtime, size: Size, servers: &[&RedisServer]) -> Result<Work> {
    let (settle, time) = match size {
        Size::Full => (Duration::from_secs(5), Duration::from_secs(12)),
        Size::Quick => (Duration::from_secs(1), Duration::from_secs(2)),
    };
    runtime.block_on(async { tokio::time::sleep(settle).await });
    let cpu = || servers.iter().map(|redis| server::cpu(redis)).collect::<Result<Vec<_>>>();
    let stats = servers.iter().map(|redis| redis.command_stats()).collect::<Result<Vec<_>, _>>()?;
    let (begun, before) = (Instant::now(), cpu()?);
    runtime.block_on(async { tokio::time::sleep(time).await });
    let (after, seconds) = (cpu()?, begun.elapsed().as_secs_f64());
    let spent = after.iter().zip(&before).map(|(after, before)| *after - *before);
    let most = spent.max().unwrap_or_default();
    let mut calls: BTreeMap<String, CommandStats> = BTreeMap::new();
    for (redis, before) in servers.iter().zip(&stats) {
        for (name, stats) in server::calls_since(redis, before)? {
            let all = calls.entry(name).or_default();
            all.calls += stats.calls;
            all.usec += stats.usec;
        }
    }
    let a_second = |count: u64| count as f64 / seconds;
    let mut rates: Vec<_> = calls.into_iter().collect();
    rates.retain(|(_, stats)| a_second(stats.calls) >= MIN_RATE);
    rates.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.calls));
    let commands = rates.into_iter().map(|(name, CommandStats { calls, usec })| {
        format!("{:.0} {name} ({:.2} %)", a_second(calls), a_second(usec) / 1e4)
    });
    let commands: Vec<_> = commands.collect();
    let percent = most.as_secs_f64() / seconds * 100.0;
    Ok(Work { percent, commands: commands.join(", ") })
}

impl Nodes {
    fn open(runtime: &Runtime, url: &str, count: usize, cache: CacheConfig) -> Result<Self> {
        progress(&format!("  opening {count} nodes"));
        let manager = |_| -> Result<TokenManager> {
            let store = Arc::new(server::store(runtime, url)?);
            Ok(population::caching_manager(store, cache))
        };
        let managers = (0..count).map(manager).collect::<Result<_>>()?;
        Ok(Self { managers, followers: Vec::new() })
    }

    /// Opens nodes that each have a token in their cache.
    fn caching(runtime: &Runtime, url: &str, count: usize) -> Result<Self> {
        let nodes = Self::open(runtime, url, count, CacheConfig::default().with_max_tokens(100))?;
        for (number, manager) in (0..).zip(&nodes.managers) {
            let issued = runtime.block_on(manager.issue(population::indexed(number)))?;
            runtime.block_on(manager.validate_active(&issued.bearer))?;
        }
        Ok(nodes)
    }

    /// Opens nodes without a cache that each follow the events from now on.
    fn following(runtime: &Runtime, url: &str, count: usize) -> Result<Self> {
        let mut nodes = Self::open(runtime, url, count, CacheConfig::OFF)?;
        for manager in &nodes.managers {
            let from = runtime.block_on(manager.latest_event())?;
            let mut events = manager.events_from(from);
            let follow = async move { while let Some(Ok(_)) = events.next().await {} };
            nodes.followers.push(runtime.spawn(follow));
        }
        Ok(nodes)
    }

    fn end(self, runtime: &Runtime) {
        self.followers.iter().for_each(JoinHandle::abort);
        for manager in &self.managers {
            runtime.block_on(manager.shutdown());
        }
    }
}
