//! Other people's programs that use a running `keyfob serve`: `cargo xtask interop [NAME ...]`.
//!
//! Each program has a module, and a row in [`PROGRAMS`]. It installs what it needs below `target`, and
//! starts servers on free ports of the loopback.

mod apache;
mod caddy;
pub(crate) mod console;
mod envoy;
mod gateway;
mod haproxy;
mod http;
mod install;
mod jose;
mod nginx;
mod oauth_clients;
mod openapi_typescript;
mod page;
mod process;
mod promtool;
mod schemathesis;
mod service;
mod services;
mod signals;
mod spectral;
mod tools;
mod traefik;
mod webhooks;

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
    Program { name: "apache", about: "guards a page by introspection", run: apache::run },
    Program {
        name: "authlib",
        about: "drives the endpoints of OAuth",
        run: oauth_clients::authlib,
    },
    Program { name: "caddy", about: "guards a page by forward_auth", run: caddy::run },
    Program { name: "envoy", about: "guards a page by gRPC", run: envoy::run },
    Program { name: "go", about: "guards its page by introspection", run: services::go },
    Program { name: "haproxy", about: "guards a page by an action in Lua", run: haproxy::run },
    Program {
        name: "jose",
        about: "checks JWTs and sees a revocation in the status list",
        run: jose::run,
    },
    Program { name: "nginx", about: "guards a page by auth_request", run: nginx::run },
    Program { name: "node", about: "guards its page by introspection", run: services::node },
    Program {
        name: "oauth4webapi",
        about: "drives the endpoints of OAuth",
        run: oauth_clients::oauth4webapi,
    },
    Program {
        name: "openapi-typescript",
        about: "makes a client from /openapi.json that compiles and takes the tour",
        run: openapi_typescript::run,
    },
    Program {
        name: "openid-client",
        about: "drives the endpoints of OAuth",
        run: oauth_clients::openid_client,
    },
    Program { name: "promtool", about: "reads /metrics as Prometheus does", run: promtool::run },
    Program { name: "python", about: "guards its page by introspection", run: services::python },
    Program {
        name: "schemathesis",
        about: "holds the server to /openapi.json",
        run: schemathesis::run,
    },
    Program {
        name: "signals",
        about: "manages streams of Shared Signals, polls and is pushed tokens, with jose",
        run: signals::run,
    },
    Program {
        name: "spectral",
        about: "holds /openapi.json to the rules of spectral:oas",
        run: spectral::run,
    },
    Program {
        name: "standardwebhooks",
        about: "receives events and checks their signatures",
        run: webhooks::run,
    },
    Program { name: "traefik", about: "guards a page by ForwardAuth", run: traefik::run },
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
