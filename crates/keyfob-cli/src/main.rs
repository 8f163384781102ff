//! `keyfob`: the token manager on the command line.
//!
//! The parts: `args` is what can be said, `open` finds the store, `commands` has one file for each
//! command, `output` is the only way to stdout and `failure` the only way to an exit code.

mod args;
mod commands;
mod context;
mod failure;
mod input;
mod interrupt;
mod keys;
mod logs;
mod metrics;
mod open;
mod output;
mod progress;
mod table;
mod unechoed;
mod visible;

use std::process::ExitCode;

use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    // An error in the arguments has to be told in the right form too.
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    match args::parse(arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(json),
    }
}

fn run(cli: args::Cli) -> Result<(), Failure> {
    logs::start(cli.settings.verbose)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::Start)?;
    let kept = cli.settings.metrics.clone().map(|file| (metrics::start(), file));
    let outcome = runtime.block_on(commands::run(cli));
    // A thread that still waits for input must not hold the process up.
    runtime.shutdown_background();
    // However the command ended, what was counted is of interest.
    let written = kept.map_or(Ok(()), |(kept, file)| kept.write(&file));
    outcome.and(written)
}
