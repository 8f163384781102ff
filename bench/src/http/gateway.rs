//! The checks for gateways, `/authz` over HTTP and Envoy's over gRPC, against bare servers (H5).

use std::sync::Arc;

use anyhow::Result;
use tokio::runtime::Runtime;

use super::echo;
use super::grpc::{self, Checks};
use super::keyfob::Service;
use super::load::Load;
use super::request::Request;
use crate::measure::rounds;
use crate::report::{Figure, Report};
use crate::size::Size;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let service = Service::in_memory()?;
    let bearers = service.issue(1_000)?;
    let (bare, port) = echo::start()?;
    let requests = |path: &str| -> Vec<Request> {
        let request = |bearer: &String| {
            Request::get(path, &[("authorization", &*format!("Bearer {bearer}"))])
        };
        bearers.iter().map(request).collect()
    };
    let load =
        |port, path| Arc::new(Load { port, requests: requests(path), status: 200, contains: "" });
    let (check, empty) = (load(service.port, "/authz"), load(port, "/empty"));
    let count = size.operations(150_000);
    let [ours, floor] = rounds(
        size.rounds(7),
        [&mut || check.cpu_each(runtime, &service.process, count), &mut || {
            empty.cpu_each(runtime, &bare, count)
        }],
    )?;
    let figure = Figure::of("H5", "/authz, cached: CPU of the server", &ours, "µs");
    report.add(figure.beside("an empty answer of axum", &ours, &floor).judged());
    let (bare, port) = grpc::start()?;
    let (check, allow) = (Checks::new(service.port, &bearers), Checks::new(port, &bearers));
    let count = size.operations(60_000);
    let [ours, floor] = rounds(
        size.rounds(7),
        [&mut || check.cpu_each(runtime, &service.process, count), &mut || {
            allow.cpu_each(runtime, &bare, count)
        }],
    )?;
    let figure = Figure::of("H5", "Envoy's check, cached: CPU of the server", &ours, "µs");
    let what = "the same call, always allowed, on tonic";
    report.add(figure.beside(what, &ours, &floor).judged());
    Ok(())
}
