//! Introspection (H1, H2, H3).

use std::sync::Arc;

use anyhow::Result;
use keyfob::{Grant, Kind, TokenManager};
use tokio::runtime::Runtime;

use super::CONNECTIONS;
use super::echo;
use super::keyfob::{CLIENT, Service};
use super::load::Load;
use super::oidc_provider::OidcProvider;
use super::request::{FORM, Request, basic};
use crate::measure::rounds;
use crate::population;
use crate::report::{Figure, Report};
use crate::server::Server;
use crate::size::Size;
use crate::target::Target;

/// The number of tokens, all of them cached.
const TOKENS: usize = 1_000;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    warm(report, runtime, size)?;
    if let Err(error) = on_redis(report, runtime, size) {
        report.note(format!("H3 was not measured: {error:#}"));
    }
    Ok(())
}

fn warm(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let service = Service::in_memory()?;
    let authorization = service.introspecting_client()?;
    let bearers = service.issue(TOKENS)?;
    let load = service.introspect(&authorization, &bearers);
    let (bare, port) = echo::start()?;
    let headers = [("authorization", &*authorization)];
    let requests = bearers
        .iter()
        .map(|bearer| Request::post("/echo", FORM, &headers, &format!("token={bearer}")));
    let contains = r#""active":true"#;
    let echo = Arc::new(Load { port, requests: requests.collect(), status: 200, contains });
    let count = size.operations(150_000);
    let [ours, floor] = rounds(
        size.rounds(9),
        [&mut || load.cpu_each(runtime, &service.process, count), &mut || {
            echo.cpu_each(runtime, &bare, count)
        }],
    )?;
    let what = "introspection, cached, client authenticated: CPU of the server";
    let figure = Figure::of("H1", what, &ours, "µs");
    report.add(figure.ahead_of("a bare form-in, JSON-out echo on axum", &ours, &floor).judged());
    let outcome = load.run(runtime, CONNECTIONS, count)?;
    let bare_outcome = echo.run(runtime, CONNECTIONS, count)?;
    let p99 = outcome.latencies.quantile(0.99);
    let figure = Figure::plain("H1", "the same: p99 at 64 connections", p99, "µs");
    let figure = figure.beside_value("the bare echo", bare_outcome.latencies.quantile(0.99));
    report.add(figure.against(Target::value_at_most(1_500.0)));
    let figure = Figure::plain("H1", "the same: rate at 64 connections", outcome.rate, "/s");
    report.add(figure.beside_value("the bare echo", bare_outcome.rate));
    let peer = match OidcProvider::start(None) {
        Ok(peer) => peer,
        Err(error) => {
            report.note(format!("H2 was not measured, oidc-provider is missing: {error:#}"));
            return Ok(());
        }
    };
    let [ours, theirs] = rounds(
        size.rounds(7),
        [&mut || load.cpu_each(runtime, &service.process, count), &mut || {
            peer.introspect.cpu_each(runtime, &peer.process, size.operations(10_000))
        }],
    )?;
    let what = "introspection, cached: how many times cheaper than oidc-provider in memory";
    let figure = Figure::of("H2", what, &ours, "µs");
    report.add(figure.ahead_of("oidc-provider 9.13.3, in memory", &ours, &theirs).judged());
    Ok(())
}

/// Introspects each token once, so that each is loaded from Redis.
fn on_redis(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let redis = Server::start()?;
    let (count, count_of_rounds) = (size.operations(50_000), size.rounds(5));
    let url = redis.url("http");
    let manager = TokenManager::new(redis.store(runtime, "http")?);
    let grant = Grant::new(Kind::ApiKey).client(CLIENT).scope("keyfob:introspect");
    let key = runtime.block_on(manager.issue(grant))?.bearer;
    // One warm-up round is not counted.
    let tokens = (count * (count_of_rounds + 1)) as u64;
    let issued = population::issue(&manager, 0..tokens, 128, 1, population::indexed);
    let issued = runtime.block_on(issued)?;
    let bearers: Vec<_> = issued.iter().map(|issued| issued.bearer.expose().to_owned()).collect();
    runtime.block_on(manager.shutdown());
    let service = Service::on(&url, key.expose())?;
    let authorization = basic(CLIENT, key.expose());
    let mut fresh = bearers.chunks(count);
    let peer = OidcProvider::start(Some(&format!("redis://127.0.0.1:{}/1", redis.port())))?;
    let before = redis.cpu()?;
    let [ours, theirs] = rounds(
        count_of_rounds,
        [
            &mut || {
                let bearers = fresh.next().unwrap_or_default();
                let load = service.introspect(&authorization, bearers);
                load.cpu_each(runtime, &service.process, bearers.len())
            },
            &mut || peer.introspect.cpu_each(runtime, &peer.process, size.operations(10_000)),
        ],
    )?;
    let what = "introspection, each loaded from Redis: CPU of the server";
    let figure = Figure::of("H3", what, &ours, "µs");
    report.add(figure.ahead_of("oidc-provider 9.13.3 on ioredis", &ours, &theirs).judged());
    let spent = (redis.cpu()? - before).as_secs_f64();
    report.note(format!("Redis used {spent:.1} s of CPU in the rounds of H3, for both"));
    Ok(())
}
