//! The project's own commands, as `cargo xtask COMMAND`.
//!
//! | command | what it does |
//! |---|---|
//! | `test` | installs `redis-server`, `nats-server`, `curl` and `jq` if they are missing, then runs every test, and `alerts` |
//! | `alerts` | checks alert rules, dashboard and rendered metrics with `promtool` |
//! | `check` | house rules, plain words, the documentation, `layers`, `surface`, formatting, lints, documentation, and licences if `cargo-deny` is installed |
//! | `layers` | checks what may import what: see `layers/mod.rs` |
//! | `surface` | compares the public names of `keyfob` with the list of them |
//! | `openapi` | compares the OpenAPI document of the service with the one in the repository |
//! | `interop` | runs other people's programs against a server: see `interop/mod.rs` |
//! | `console` | uses the console in a browser: see `interop/console` |
//! | `bench` | builds the benchmark in release and runs it: see `docs/benchmarks.md` |

mod book;
mod cargo;
mod interop;
mod layers;
mod openapi;
mod programs;
mod prometheus;
mod shown;
mod surface;
mod tidy;
mod words;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [ARG ...]     run every test, or pass ARG to `cargo test`
  alerts             check alert rules, dashboard and rendered metrics with promtool
  check              check house rules, imports, public names, formatting, lints,
                     documentation and licences; this is what CI runs first
  layers             check what may import what
  surface [--bless]  compare the public names of keyfob with the list, or write the list
  openapi [--bless]  compare the OpenAPI document with the kept one, or write it
  interop [NAME ...] run other people's programs against a server; without NAME, all of them
  console [--pictures] [WALK ...]
                     use the console in a browser; without WALK, in every way
  bench [GROUP ...] [--json] [--quick] [--against DIR]
                     measure: validate, stores, cluster, idle, sealing, memory, revocation, scale,
                     peers, jwt, http; without GROUP, all of them except http";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    match command.as_deref() {
        Some("test") => test(&rest),
        Some("alerts") if rest.is_empty() => prometheus::check(),
        Some("check") if rest.is_empty() => check(),
        Some("surface") => surface::run(&rest),
        Some("layers") if rest.is_empty() => layers::check(),
        Some("openapi") => openapi::run(&rest),
        Some("interop") => interop::run(&rest),
        Some("console") => interop::console::run(&rest),
        Some("bench") => bench(&rest),
        Some("help" | "--help" | "-h") => {
            say(USAGE);
            Ok(())
        }
        Some(other) => bail!("{other} is not a command, or takes no such arguments\n\n{USAGE}"),
        None => bail!("which command?\n\n{USAGE}"),
    }
}

fn test(args: &[String]) -> Result<()> {
    programs::ensure_installed()?;
    let is_whole = args.is_empty();
    let args = args.iter().map(String::as_str);
    // Most tests wait for servers and for time to pass, so run more of them than there are cores.
    let threads = std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| "4".to_owned());
    // The tests of the command line run its binary, which this builds.
    let test = ["test", "--workspace", "--all-features"].into_iter().chain(args);
    cargo::run(test, &[("RUST_TEST_THREADS", &threads)])?;
    // A caller that asks for some tests does not want the alerts checked.
    if is_whole { prometheus::check() } else { Ok(()) }
}

fn check() -> Result<()> {
    tidy::check()?;
    words::check()?;
    book::check()?;
    shown::check()?;
    layers::check()?;
    surface::run(&[])?;
    cargo::run(["fmt", "--all", "--check"], &[])?;
    let lints =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    cargo::run(lints, &[])?;
    let without_features = [
        "clippy",
        "-p",
        "keyfob",
        "-p",
        "keyfob-tower",
        "--no-default-features",
        "--",
        "-D",
        "warnings",
    ];
    cargo::run(without_features, &[])?;
    cargo::run(["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    if cargo::has("deny") {
        // Advisories are left out: their data needs the network.
        cargo::run(
            [
                "deny",
                "--all-features",
                "check",
                "--hide-inclusion-graph",
                "bans",
                "licenses",
                "sources",
            ],
            &[],
        )?;
    } else {
        say("note: cargo-deny is not installed, so licences and duplicates are not checked");
    }
    Ok(())
}

fn bench(args: &[String]) -> Result<()> {
    programs::ensure_installed()?;
    let run = ["run", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--"];
    cargo::run(run.into_iter().chain(args.iter().map(String::as_str)), &[])
}

#[expect(clippy::print_stderr, reason = "this is a command that people run")]
fn say(line: &str) {
    eprintln!("{line}");
}
