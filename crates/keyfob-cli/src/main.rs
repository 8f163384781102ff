//! `keyfob`: the token manager on the command line.
//!
//! | module | content |
//! |---|---|
//! | `args` | the definition of commands and flags |
//! | `commands` | one file or folder per command |
//! | `backend` | where the tokens are: in a store, or behind a server |
//! | `open` | opens the store |
//! | `service` | what `serve` is made of, beside the server |
//! | `output` | everything that goes to stdout |
//! | `process` | no core dumps, and no panics of libraries |
//! | `failure` | every error, hint and exit code |

mod args;
mod backend;
mod bearer_input;
mod bearer_scan;
mod commands;
mod context;
mod encoding;
mod failure;
mod grant_args;
mod input;
mod interrupt;
mod key_source;
mod logs;
mod metrics;
mod no_echo;
mod open;
mod output;
mod parse;
mod process;
mod progress;
mod relative_time;
mod server_url;
mod service;
mod store_url;
mod table;
mod terminal;
mod token_text;
mod values;
mod visible;

use std::process::ExitCode;

use keyfob_server::config::LogFormat;

use crate::failure::Failure;
use crate::logs::LogSettings;
use crate::service::configuration::Source;
use crate::service::traces;

fn main() -> ExitCode {
    process::forbid_dumps();
    process::silence_engine_panics();
    let arguments: Vec<_> = std::env::args_os().collect();
    // An error in the arguments needs the right form too, before they are parsed.
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    match parse::parse(arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run(cli: args::Cli) -> Result<(), Failure> {
    // The configuration of a service says how to log.
    let service = match &cli.command {
        args::Command::Serve(args) => {
            let source = Source::of_service(args, &cli.settings);
            let configuration = source.read()?;
            Some((source, configuration))
        }
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::Start)?;
    let traces = match &service {
        Some((_, configuration)) => {
            // The connection to the collector lives in the runtime.
            let _entered = runtime.enter();
            traces::start(&configuration.loaded.config.traces)?
        }
        None => None,
    };
    let (traces, trace_layer) = traces.unzip();
    let log = service.as_ref().map(|(_, configuration)| &configuration.loaded.config.log);
    logs::start(LogSettings {
        verbose: cli.settings.verbose,
        json: cli.settings.json || log.is_some_and(|log| log.format == LogFormat::Json),
        is_long_running: cli.command.is_long_running(),
        filter: log.and_then(|log| log.filter.clone()),
        is_service: service.is_some(),
        traces: trace_layer,
    })?;
    let recorder = cli.settings.metrics.clone().map(|file| (metrics::start(), file));
    let outcome = runtime.block_on(commands::run(cli, service));
    if let Some(traces) = traces {
        traces.flush();
    }
    // Do not wait for a thread that still reads input.
    runtime.shutdown_background();
    // Write the metrics of a failed command too.
    let written = recorder.map_or(Ok(()), |(recorder, file)| recorder.write(&file));
    outcome.and(written)
}
