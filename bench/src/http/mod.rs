//! `keyfob serve` over HTTP, compared with a bare server and with other token services (H1 to H7, X1).
//!
//! | module | what |
//! |---|---|
//! | `introspection` | introspection: warm, against a bare echo and `oidc-provider`; uncached, on Redis |
//! | `lookups` | look-up and creation, against OpenBao |
//! | `gateway` | the checks for gateways, over HTTP and gRPC, against bare servers |
//! | `nginx` | what the check adds to a page behind nginx |
//! | `propagation` | the delay of a revocation from one server to another |
//! | `edge` | a server without a store, in front of another one |
//! | `start` | from the start of a server to its first answer, on a large store |
//! | `resident` | memory of idle connections and of cached tokens |
//!
//! `process` starts servers and counts their processor time, `load` sends requests (`request`), `echo` is the bare
//! server, `grpc` the same over gRPC, `keyfob`, `oidc_provider` and `openbao` start the services.

pub(crate) mod echo;
mod edge;
mod gateway;
pub(crate) mod grpc;
mod install;
mod introspection;
mod keyfob;
mod load;
mod lookups;
mod nginx;
mod oidc_provider;
mod openbao;
mod process;
mod propagation;
mod request;
mod resident;
mod start;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::fleet::Fleet;
use crate::report::Report;
use crate::server;
use crate::size::Size;

/// The number of connections of a load.
const CONNECTIONS: usize = 64;

type Part = fn(&mut Report, &Runtime, Size) -> Result<()>;

pub(crate) fn measure(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    fleet: &mut Fleet,
) -> Result<()> {
    let program = keyfob::build()?;
    report.note(format!(
        "the servers of the rows H are {}, built with the profile dist",
        program.display()
    ));
    server::pin_away_from_server();
    let parts: [(&str, Part); 7] = [
        ("introspection", introspection::measure),
        ("look-ups", lookups::measure),
        ("the check for gateways", gateway::measure),
        ("a page behind nginx", nginx::measure),
        ("the delay of a revocation", propagation::measure),
        ("an edge", edge::measure),
        ("memory", resident::measure),
    ];
    let mut failed = Vec::new();
    for (name, part) in parts {
        if let Err(error) = part(report, runtime, size) {
            report.note(format!("{name} over HTTP failed: {error:#}"));
            failed.push(name);
        }
    }
    if let Err(error) = start::measure(report, runtime, size, fleet) {
        report.note(format!("the start of a server failed: {error:#}"));
        failed.push("start");
    }
    server::unpin();
    anyhow::ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}
