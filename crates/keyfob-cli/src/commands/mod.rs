//! Runs the commands. Each has a file or a folder.

mod completions;
mod count;
mod demo;
mod derive;
mod doctor;
mod events;
mod history;
mod issue;
mod keys;
mod limit;
mod list;
mod man;
mod pages;
mod refresh;
mod reseal;
mod revoke;
mod rotate;
mod scanner_regex;
mod show;
mod stats;
mod update;
mod validate;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::metrics;
use crate::open::IfMissing;
use crate::output::Output;

/// Runs the command. Shuts the manager down before it returns, also on a failure.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let mut output = Output::new(cli.settings.json);
    let if_missing = match &cli.command {
        Command::Completions { shell } => return completions::run(*shell, &mut output),
        Command::Man { command } => return man::run(command.as_deref(), &mut output),
        Command::ScannerRegex => return scanner_regex::run(&cli.settings.prefix, &mut output),
        Command::Limit(args) => {
            let limit = limit::run(args, &cli.settings, &mut output);
            let outcome = Interrupt::listen().or(limit).await;
            let flushed = output.flush();
            return outcome.and(flushed);
        }
        Command::Keys(args) if !args.command.needs_store() => {
            return keys::without_store(&args.command, &cli.settings, &mut output).await;
        }
        Command::Demo(args) => {
            if args.full {
                // Before the manager is created: it records metrics from then on.
                metrics::start();
            }
            IfMissing::Create
        }
        Command::Issue(_) => IfMissing::Create,
        // While nodes have lost their namespace, a new one would take its place.
        Command::Doctor => IfMissing::Inspect,
        // A command that only reads must not create an empty store for a mistyped name.
        _ => IfMissing::Fail,
    };
    let mut context = Context::open(&cli.settings, if_missing, output).await?;
    let outcome = dispatch(&cli, &mut context).await;
    context.manager.shutdown().await;
    let flushed = context.output.flush();
    outcome.and(flushed)
}

async fn dispatch(cli: &Cli, context: &mut Context) -> Result<(), Failure> {
    let interrupt = context.interrupt.clone();
    match &cli.command {
        // These handle an interrupt themselves.
        Command::Events(args) => events::run(args, context).await,
        Command::Issue(args) => issue::run(args, context).await,
        Command::Revoke(args) => revoke::run(args, context).await,
        Command::Keys(args) => keys::with_store(&args.command, &cli.settings, context).await,
        Command::Demo(args) => interrupt.or(demo::run(args, &cli.settings, context)).await,
        command => interrupt.or(run_simple(command, context)).await,
    }
}

async fn run_simple(command: &Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Validate(args) => validate::run(args, context).await,
        Command::Refresh(args) => refresh::run(args, context).await,
        Command::Derive(args) => derive::run(args, context).await,
        Command::Rotate(args) => rotate::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Count(args) => count::run(args, context).await,
        Command::Update(args) => update::run(args, context).await,
        Command::History(args) => history::run(args, context).await,
        Command::Stats(args) => stats::run(args, context).await,
        Command::Doctor => doctor::run(context).await,
        Command::Demo(_)
        | Command::Events(_)
        | Command::Issue(_)
        | Command::Keys(_)
        | Command::Revoke(_)
        | Command::Limit(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::ScannerRegex => Ok(()),
    }
}
