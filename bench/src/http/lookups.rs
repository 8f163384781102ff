//! Look-up and creation, against OpenBao (H4).

use anyhow::Result;
use tokio::runtime::Runtime;

use super::keyfob::Service;
use super::openbao::OpenBao;
use crate::measure::rounds;
use crate::report::{Figure, Report};
use crate::size::Size;
use crate::target::Target;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let peer = match OpenBao::start() {
        Ok(peer) => peer,
        Err(error) => {
            report.note(format!("H4 was not measured, OpenBao is missing: {error:#}"));
            return Ok(());
        }
    };
    let service = Service::in_memory()?;
    let authorization = service.introspecting_client()?;
    let bearers = service.issue(1_000)?;
    let look_up = service.introspect(&authorization, &bearers);
    let create = service.issuing();
    let (many, few) = (size.operations(100_000), size.operations(8_000));
    let [ours, theirs] = rounds(
        size.rounds(5),
        [&mut || look_up.cpu_each(runtime, &service.process, many), &mut || {
            peer.look_up.cpu_each(runtime, &peer.process, few)
        }],
    )?;
    let figure = Figure::of("H4", "introspection, cached: CPU of the server", &ours, "µs");
    let what = "look-up of OpenBao 2.7.2, in memory";
    report.add(figure.ahead_of(what, &ours, &theirs).judged());
    let (many, few) = (size.operations(20_000), size.operations(4_000));
    let [ours, theirs] = rounds(
        size.rounds(5),
        [&mut || create.cpu_each(runtime, &service.process, many), &mut || {
            peer.create.cpu_each(runtime, &peer.process, few)
        }],
    )?;
    let figure = Figure::of("H4", "issuing a token, in memory: CPU of the server", &ours, "µs");
    let figure = figure.ahead_of("create of OpenBao 2.7.2, in memory", &ours, &theirs);
    report.add(figure.against(Target::ratio_at_least(10.0)));
    Ok(())
}
