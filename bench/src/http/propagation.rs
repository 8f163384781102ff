//! The delay of a revocation between two servers on one Redis, under load: from the answer of one to the
//! first refusal by the cache of the other one (P1 over HTTP).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use keyfob::{Grant, Kind, TokenManager};
use serde_json::json;
use tokio::runtime::Runtime;

use super::keyfob::{Service, text};
use super::request::{self, FORM, Request};
use crate::measure::{Series, micros};
use crate::report::{Figure, Report};
use crate::server::Server;
use crate::size::Size;
use crate::target::Target;

/// The max staleness of a server, in microseconds.
const BOUND: f64 = 250_000.0;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let redis = Server::start()?;
    let manager = TokenManager::new(redis.store(runtime, "pair")?);
    let key = runtime.block_on(manager.issue(Grant::new(Kind::ApiKey).scope("keyfob:admin")))?;
    runtime.block_on(manager.shutdown());
    let url = redis.url("pair");
    let [a, b] = [(); 2].map(|()| Service::on(&url, key.bearer.expose()));
    let (a, b) = (a?, b?);
    let is_over = Arc::new(AtomicBool::new(false));
    let loads = [a.issuing(), b.issuing()].map(|load| {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || -> Result<usize> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                load.run(&runtime, 4, 200)?;
                count += 200;
            }
            Ok(count)
        })
    });
    let begun = Instant::now();
    let delays = delays([(&a, &b), (&b, &a)], size.operations(1_000));
    is_over.store(true, Ordering::Relaxed);
    let mut issued = 0;
    for load in loads {
        issued += load.join().map_err(|_| anyhow::anyhow!("a load has failed"))??;
    }
    let (rate, (delays, latest)) = (issued as f64 / begun.elapsed().as_secs_f64(), delays?);
    add(report, "revoked through one server under load, refused by the other one", &delays, latest);
    report.note(format!("meanwhile the two servers issued {rate:.0} tokens a second"));
    Ok(())
}

/// Adds the figures of [`delays`].
pub(super) fn add(report: &mut Report, what: &str, delays: &Series, latest: f64) {
    for (share, name) in [(0.5, "median"), (0.99, "p99"), (1.0, "latest")] {
        let figure = Figure::plain("P1", format!("{what}: {name}"), delays.quantile(share), "µs");
        report.add(figure);
    }
    let what = "the same: the latest request that was still answered \"active\"";
    report.add(Figure::plain("P1", what, latest, "µs").against(Target::value_at_most(BOUND)));
}

/// Returns microseconds from each revocation at the first server of a pair to the first refusal by the second one, and to
/// the latest request after it that was answered "active".
pub(super) fn delays<const N: usize>(
    pairs: [(&Service, &Service); N],
    count: usize,
) -> Result<(Series, f64)> {
    let (mut delays, mut latest) = (Vec::with_capacity(count), 0.0f64);
    for (here, there) in pairs.into_iter().cycle().take(count) {
        let bearer = text(&here.post("/v1/tokens", &json!({"subject": "alice"}))?, "bearer")?;
        for _ in 0..3 {
            ensure!(is_active(there, &bearer)?, "a new token is not active");
        }
        ensure!(ask(here, "/oauth2/revoke", &bearer)?.0 == 200, "a token cannot be revoked");
        let returned = Instant::now();
        loop {
            let sent = micros(returned.elapsed());
            if !is_active(there, &bearer)? {
                break;
            }
            latest = latest.max(sent);
            ensure!(returned.elapsed() < PATIENCE, "a token stays active");
        }
        delays.push(micros(returned.elapsed()));
    }
    Ok((Series::of(delays), latest))
}

fn is_active(service: &Service, bearer: &str) -> Result<bool> {
    let (status, body) = ask(service, "/oauth2/introspect", bearer)?;
    ensure!(status == 200, "introspection answered {status}: {body}");
    let answer: serde_json::Value = serde_json::from_str(&body)?;
    answer.get("active").and_then(serde_json::Value::as_bool).context("no verdict")
}

fn ask(service: &Service, path: &str, bearer: &str) -> Result<(u16, String)> {
    let authorization = format!("Bearer {}", service.key);
    let headers = [("authorization", &*authorization)];
    let request = Request::post(path, FORM, &headers, &format!("token={bearer}"));
    let answer = request::ask(service.port, &request)?;
    Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
}
