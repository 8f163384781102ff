//! From the start of a server to its first answer, on a store of a million tokens (X1).

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use keyfob::{Grant, Issued, Kind, TokenManager};
use tokio::runtime::Runtime;

use super::keyfob::{CLIENT, Service};
use super::request::{self, FORM, Request, basic};
use crate::fleet::Fleet;
use crate::measure::Series;
use crate::report::{Figure, Report};
use crate::size::Size;
use crate::target::Target;

pub(super) fn measure(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    fleet: &mut Fleet,
) -> Result<()> {
    let tokens = size.tokens(1_000_000);
    let redis = fleet.redis(runtime)?;
    redis.filled.fill_to(runtime, tokens)?;
    let key = key(runtime, &redis.filled.manager)?;
    let url = redis.server.url("fleet");
    let bearers = active(runtime, &redis.filled.manager, &redis.filled.in_hand);
    starts(report, size, "on Redis", &url, &key, &bearers)?;

    let disk = fleet.disk()?;
    disk.filled.fill_to(runtime, tokens)?;
    let key = self::key(runtime, &disk.filled.manager)?;
    let bearers = active(runtime, &disk.filled.manager, &disk.filled.in_hand);
    let disk = fleet.take_disk().context("there is no file")?;
    runtime.block_on(disk.filled.manager.shutdown());
    let url = format!("file:{}", disk.path.display());
    // The file stays until its folder is dropped, and no other process may have it open.
    let folder = disk.close();
    starts(report, size, "on a file", &url, &key, &bearers)?;
    drop(folder);
    Ok(())
}

fn key(runtime: &Runtime, manager: &TokenManager) -> Result<String> {
    let grant = Grant::new(Kind::ApiKey).client(CLIENT).scope("keyfob:introspect");
    Ok(runtime.block_on(manager.issue(grant))?.bearer.expose().to_owned())
}

/// Returns bearer tokens of all ages that are active.
fn active(runtime: &Runtime, manager: &TokenManager, issued: &[Issued]) -> Vec<String> {
    let step = (issued.len() / 20).max(1);
    let is_active =
        |issued: &&Issued| runtime.block_on(manager.validate_active(&issued.bearer)).is_ok();
    let bearers = issued.iter().step_by(step).filter(is_active);
    bearers.map(|issued| issued.bearer.expose().to_owned()).collect()
}

fn starts(
    report: &mut Report,
    size: Size,
    place: &str,
    url: &str,
    key: &str,
    bearers: &[String],
) -> Result<()> {
    let authorization = basic(CLIENT, key);
    let headers = [("authorization", &*authorization)];
    let (mut times, mut resident) = (Vec::new(), 0.0f64);
    for round in 0..size.rounds(7) {
        let bearer = bearers.get(round % bearers.len().max(1)).context("no token is active")?;
        let body = format!("token={bearer}");
        let request = Request::post("/oauth2/introspect", FORM, &headers, &body);
        let begun = Instant::now();
        let service = Service::on(url, key)?;
        let answer = request::ask(service.port, &request)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(text.starts_with(r#"{"active":true"#), "{}: {text}", answer.status);
        resident = resident.max(service.process.resident_bytes()? / 1e6);
        service.process.end()?;
    }
    let what = format!("start of keyfob serve to its first introspection, 10⁶ tokens {place}");
    report.add(Figure::of("X1", what, &Series::of(times), "ms").judged());
    let what = format!("resident memory of that server {place}");
    report.add(Figure::plain("X1", what, resident, "MB").against(Target::value_at_most(40.0)));
    Ok(())
}
