//! Runs the commands. Each has a file or a folder.

mod client;
mod completions;
mod config;
mod count;
mod demo;
mod derive;
mod doctor;
mod events;
mod history;
mod init;
mod issue;
mod keys;
mod leaked;
mod limit;
mod list;
mod man;
mod pages;
mod recover;
mod refresh;
mod reseal;
mod revoke;
mod rotate;
mod scanner_regex;
mod serve;
mod show;
mod stats;
mod update;
mod validate;
mod webhook;

use keyfob::clock::{Clock, SystemClock};
use keyfob_redb::Access;

use crate::args::{Cli, ClientArgs, ClientCommand, Command, KeysCommand, Needs, Place, Settings};
use crate::context::{Context, filter};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::metrics;
use crate::open::{IfMissing, Opening};
use crate::output::Output;
use crate::service::configuration::{Configuration, Source};

/// The configuration of a service, and where it can be read again.
pub(crate) type Service = (Source, Configuration);

/// Runs the command. `service` is there for `serve`. Shuts the manager down before it returns, also on a failure.
pub(crate) async fn run(cli: Cli, service: Option<Service>) -> Result<(), Failure> {
    let mut output = Output::new(cli.settings.json, cli.settings.wide);
    if cli.settings.password_is_in_argument {
        let message = "other users of this machine can see the password in --store. Put the URL into \
                       KEYFOB_STORE";
        output.note("password_in_argument", message);
    }
    check_place(&cli)?;
    let if_missing = match &cli.command {
        Command::Completions { shell } => return completions::run(*shell, &mut output),
        Command::Man { command } => return man::run(command.as_deref(), &mut output),
        Command::ScannerRegex => return scanner_regex::run(&cli.settings.prefix, &mut output),
        Command::Serve(args) => {
            return match service {
                Some((source, configuration)) => {
                    serve::run(args, source, configuration, &mut output).await
                }
                None => Ok(()),
            };
        }
        Command::Config(args) => return config::run(args, &cli.settings, &mut output).await,
        Command::Limit(args) => {
            let limit = limit::run(args, &cli.settings, &mut output);
            let outcome = Interrupt::listen().or(limit).await;
            let flushed = output.flush();
            return outcome.and(flushed);
        }
        Command::Keys(args) if !asks_for_keys(&args.command, &cli.settings)? => {
            return keys::without_store(&args.command, &cli.settings, &mut output).await;
        }
        Command::Demo(args) => {
            if args.full {
                // Before the manager is created: it records metrics from then on.
                metrics::start();
            }
            IfMissing::Create
        }
        Command::Issue(_)
        | Command::Init(_)
        | Command::Client(ClientArgs { command: ClientCommand::Add(_) }) => IfMissing::Create,
        // A command that only reads must not create an empty store for a mistyped name. While nodes have
        // lost their namespace, a new one would take its place.
        _ => IfMissing::Fail,
    };
    check_arguments(&cli.command)?;
    let wait = match &cli.command {
        Command::Revoke(args) => args.wait,
        _ => None,
    };
    let opening = Opening { if_missing, access: access(&cli.command), wait };
    let mut context = Context::open(&cli.settings, opening, output).await?;
    let outcome = dispatch(&cli, &mut context).await;
    context.backend.shutdown().await;
    let flushed = context.output.flush();
    outcome.and(flushed)
}

/// Whether a command about keys asks the store or the server. A list asks the server for its ring, unless
/// another one is named.
fn asks_for_keys(command: &KeysCommand, settings: &Settings) -> Result<bool, Failure> {
    let is_list = matches!(command, KeysCommand::List { .. }) && settings.keys.is_none();
    Ok(command.needs_store() || (is_list && matches!(settings.place()?, Place::Server(_))))
}

/// Refuses a server where the command works on a store only.
fn check_place(cli: &Cli) -> Result<(), Failure> {
    let needs = cli.command.needs();
    match (needs, cli.settings.place()?) {
        (Needs::Store(why), Place::Server(_)) => Err(Failure::NeedsStore { why }),
        (Needs::Server(why), Place::Store) => Err(Failure::NeedsServer { why }),
        _ => Ok(()),
    }
}

/// The rights that a command needs on a store file.
fn access(command: &Command) -> Access {
    match command {
        Command::Show(_)
        | Command::List(_)
        | Command::Count(_)
        | Command::History(_)
        | Command::Stats(_)
        | Command::Client(ClientArgs { command: ClientCommand::List { .. } })
        | Command::Events(_) => Access::Read,
        // These write little, and their answer does not depend on it.
        Command::Validate(_) | Command::Doctor => Access::WriteIfAllowed,
        _ => Access::Write,
    }
}

/// Refuses what can be known to be wrong without the store, so that a store that is away does not
/// hide it.
fn check_arguments(command: &Command) -> Result<(), Failure> {
    let now = SystemClock.now();
    match command {
        Command::List(args) => filter(&args.filter, &args.bind, now).map(drop),
        Command::Count(args) => filter(&args.filter, &args.bind, now).map(drop),
        Command::Revoke(args) => revoke::check(args, now),
        Command::Issue(args) if args.from.is_none() => issue::check(args, now),
        _ => Ok(()),
    }
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
        Command::Leaked(args) => leaked::run(args, context).await,
        Command::Webhook(args) => webhook::run(&args.command, context).await,
        Command::Recover(args) => recover::run(args, context).await,
        Command::Update(args) => update::run(args, context).await,
        Command::History(args) => history::run(args, context).await,
        Command::Stats(args) => stats::run(args, context).await,
        Command::Client(args) => client::run(&args.command, context).await,
        Command::Doctor => doctor::run(context).await,
        Command::Init(args) => init::run(args, context).await,
        Command::Demo(_)
        | Command::Events(_)
        | Command::Issue(_)
        | Command::Keys(_)
        | Command::Revoke(_)
        | Command::Limit(_)
        | Command::Serve(_)
        | Command::Config(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::ScannerRegex => Ok(()),
    }
}
