//! The commands, one file each; here is which is which, and how each of them ends.

mod completions;
mod count;
mod demo;
mod derive;
mod doctor;
mod events;
mod grant_line;
mod history;
mod issue;
mod issue_many;
mod keys;
mod limit;
mod list;
mod man;
mod refresh;
mod reseal;
mod revoke;
mod rotate;
mod scanner_regex;
mod show;
mod stats;
mod sweep;
mod update;
mod validate;
mod walk;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::metrics;
use crate::open::Missing;
use crate::output::Output;

/// Runs what the command line says. However it ends, the manager is shut down first.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let mut output = Output::new(cli.settings.json);
    let missing = match &cli.command {
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
                // Before there is anything to count.
                metrics::start();
            }
            Missing::Make
        }
        Command::Issue(_) => Missing::Make,
        // Whoever only reads a store does not want an empty one where the name was mistyped.
        _ => Missing::Refuse,
    };
    let mut context = Context::open(&cli.settings, missing, output).await?;
    let outcome = dispatch(&cli, &mut context).await;
    context.manager.shutdown().await;
    let flushed = context.output.flush();
    outcome.and(flushed)
}

async fn dispatch(cli: &Cli, context: &mut Context) -> Result<(), Failure> {
    let interrupt = context.interrupt.clone();
    match &cli.command {
        // These end in their own way when they are interrupted.
        Command::Events(args) => events::run(args, context).await,
        Command::Issue(args) => issue::run(args, context).await,
        Command::Revoke(args) => revoke::run(args, context).await,
        Command::Keys(args) => keys::with_store(&args.command, &cli.settings, context).await,
        Command::Demo(args) => interrupt.or(demo::run(args, &cli.settings, context)).await,
        command => interrupt.or(simple(command, context)).await,
    }
}

async fn simple(command: &Command, context: &mut Context) -> Result<(), Failure> {
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
