//! The benchmark of keyfob. Every figure is taken beside a reference in the same run.
//!
//! | module | what |
//! |---|---|
//! | `validate` | validation from the cache, against the shortest code that does the same |
//! | `stores` | what the stores cost, against the minimal use of Redis and redb |
//! | `memory` | memory and disk space per token |
//! | `sealing` | the cost of sealing a store |
//! | `cluster` | how much more a cluster of three primaries can do than one server |
//! | `idle` | what a server works for nodes and followers of events that do nothing |
//! | `revocation` | how soon another process refuses a revoked token |
//! | `scale` | the cost of each operation as tokens grow |
//! | `peers` | other libraries that a user might choose |
//! | `jwt` | a JWT that is checked offline, beside the opaque path |
//! | `http` | the server, against a bare one and against other token services |
//!
//! `measure` takes figures, `target` has their targets, `report` shows them.

mod child;
mod cluster;
mod contender;
mod fleet;
mod floor;
mod folder;
mod http;
mod idle;
mod jwt;
mod measure;
mod memory;
mod peers;
mod population;
mod process_state;
mod report;
mod revocation;
mod scale;
mod sealing;
mod server;
mod size;
mod stores;
mod target;
mod validate;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use tokio::runtime::{Builder, Runtime};

use report::{Earlier, Report, progress};
use size::Size;

const USAGE: &str = "\
usage: keyfob-bench [validate|stores|cluster|idle|sealing|memory|revocation|scale|peers|jwt|http ...]
                    [--json] [--quick] [--against DIR]

  without a name every group but http is run, which takes about fourteen minutes
  http      measures keyfob serve, and installs oidc-provider and OpenBao below target
  --json    prints the results for machines
  --against compares with the results.json of an earlier run, and says what moved beyond its spread
  --quick   a smoke test of a minute: smaller, its figures are not meaningful";

const GROUPS: [&str; 11] = [
    "peers",
    "jwt",
    "validate",
    "stores",
    "cluster",
    "idle",
    "sealing",
    "revocation",
    "scale",
    "memory",
    HTTP,
];

/// The group that is run only if it is named: it installs other services.
const HTTP: &str = "http";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some((role, rest)) = args.split_first()
        && role == process_state::ROLE
    {
        return child::play(rest);
    }
    let (mut as_json, mut size, mut groups, mut earlier) = (false, Size::Full, Vec::new(), None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--json" => as_json = true,
            "--against" => {
                let folder = rest.next().context("--against needs a folder")?;
                // Before this run writes its own results, perhaps to the same folder.
                earlier = Some(Earlier::read(Path::new(folder))?);
            }
            "--quick" => size = Size::Quick,
            "--help" | "-h" => {
                progress(USAGE);
                return Ok(());
            }
            name if GROUPS.contains(&name) => groups.push(name),
            other => bail!("{other:?} is not a group\n\n{USAGE}"),
        }
    }
    let mut report = Report::default();
    describe(&mut report, size)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut fleet = fleet::Fleet::default();
    let mut failed = Vec::new();
    for name in GROUPS {
        if groups.contains(&name) || (groups.is_empty() && name != HTTP) {
            progress(name);
            // Keep the results of the other groups, which took minutes.
            if let Err(error) = group(name, &mut report, &runtime, size, &mut fleet) {
                report.note(format!("the group {name} failed: {error:#}"));
                failed.push(name);
            }
        }
    }
    if let Err(error) = scale::first_answer(&mut report, &runtime, size, &mut fleet) {
        report.note(format!("the first answer of a process failed: {error:#}"));
        failed.push("scale");
    }
    report.publish(as_json, &folder::of_results(), earlier.as_ref())?;
    if !failed.is_empty() {
        bail!("not everything was measured; see the notes on {}", failed.join(", "));
    }
    Ok(())
}

fn group(
    name: &str,
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    fleet: &mut fleet::Fleet,
) -> Result<()> {
    match name {
        "peers" => peers::measure(report, runtime, size),
        "jwt" => jwt::measure(report, runtime, size),
        "validate" => validate::measure(report, runtime, size),
        "stores" => stores::measure(report, runtime, size),
        "cluster" => cluster::measure(report, runtime, size),
        "idle" => idle::measure(report, runtime, size),
        "sealing" => sealing::measure(report, runtime, size),
        "revocation" => revocation::measure(report, runtime, size),
        "scale" => scale::measure(report, runtime, size, fleet),
        "memory" => memory::measure(report, runtime, size, fleet),
        HTTP => http::measure(report, runtime, size, fleet),
        other => bail!("the group {other} does nothing"),
    }
}

/// Notes the machine that the figures were taken on.
fn describe(report: &mut Report, size: Size) -> Result<()> {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or("an unknown processor", |model| model.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let redis = server::Server::start()?.version()?;
    report.note(format!("{model}, {cores} cores, load {load} at the start; Redis {redis}"));
    if size == Size::Quick {
        report.note("this was a quick run: smaller than the size to which the targets apply");
    }
    Ok(())
}
