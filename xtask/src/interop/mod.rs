//! Other people's programs that use a running `keyfob serve`: `cargo xtask interop [NAME ...]`.
//!
//! Each program has a module, and a row in [`PROGRAMS`]. It installs what it needs below `target`, and
//! starts servers on free ports of the loopback.

mod openapi_typescript;
mod promtool;
mod schemathesis;
mod service;
mod spectral;
mod tools;

use anyhow::{Context, Result, bail};

/// One program.
struct Program {
    /// The name on the command line.
    name: &'static str,
    /// What it shows.
    about: &'static str,
    /// Runs it. Fails if the program does not accept what the server does.
    run: fn() -> Result<()>,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "openapi-typescript",
        about: "makes a client from /openapi.json that compiles and takes the tour",
        run: openapi_typescript::run,
    },
    Program { name: "promtool", about: "reads /metrics as Prometheus does", run: promtool::run },
    Program {
        name: "schemathesis",
        about: "holds the server to /openapi.json",
        run: schemathesis::run,
    },
    Program {
        name: "spectral",
        about: "holds /openapi.json to the rules of spectral:oas",
        run: spectral::run,
    },
];

/// Runs the programs of these names; without a name, all.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let chosen = match names {
        [] => PROGRAMS.iter().collect(),
        names => names.iter().map(|name| program(name)).collect::<Result<Vec<_>>>()?,
    };
    let mut failed = Vec::new();
    for program in chosen {
        crate::say(&format!("interop {}: {}", program.name, program.about));
        if let Err(error) = (program.run)() {
            crate::say(&format!("interop {} failed: {error:#}", program.name));
            failed.push(program.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn program(name: &str) -> Result<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name).with_context(|| {
        let known: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
        format!("{name} is not one of the programs: {}", known.join(", "))
    })
}
