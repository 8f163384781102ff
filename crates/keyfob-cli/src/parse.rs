//! Parses the command line.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::{OsStr, Resettable};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use keyfob::InvalidValue;
use keyfob::values::{Field, InvalidReason};

use crate::args::{Cli, Command, PlaceFlags};
use crate::bearer_scan;
use crate::failure::{Exit, Failure};

/// The definition of the command line.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Parses the words. Prints help and version itself.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Cli, Failure> {
    let leaked = words.iter().find_map(|word| bearer_scan::find_bearer(&word.to_string_lossy()));
    if leaked.is_some() {
        return Err(Failure::BearerInArgument { id: leaked });
    }
    let matches = command()
        .try_get_matches_from(&words)
        .map_err(|error| failure(without_environment(error, &words)))?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(failure)?;
    cli.settings.password_is_in_argument = matches.value_source("store")
        == Some(ValueSource::CommandLine)
        && cli.settings.store.as_deref().is_some_and(has_password);
    let is_flag = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    cli.settings.place_flags = PlaceFlags { store: is_flag("store"), server: is_flag("server") };
    cli.settings.flags = flags(&matches);
    match &cli.command {
        // The word may be a bearer, so the error must not repeat it.
        command if has_extra_words(command) => Err(Failure::BearerInArgument { id: None }),
        _ => Ok(cli),
    }
}

/// The global settings that the command line itself gave, which override the environment and a file.
fn flags(matches: &ArgMatches) -> Vec<(&'static str, &'static str, String)> {
    let given = |(flag, name)| {
        let is_given = matches.value_source(name) == Some(ValueSource::CommandLine);
        let raw = matches.get_raw(name).and_then(|mut all| all.next()).filter(|_| is_given)?;
        Some((flag, name, raw.to_str()?.to_owned()))
    };
    [("--store", "store"), ("--keys", "keys"), ("--prefix", "prefix")]
        .into_iter()
        .filter_map(given)
        .collect()
}

/// The same error without the variables of the environment, so that its usage line does not show
/// their flags as required.
fn without_environment(error: clap::Error, words: &[OsString]) -> clap::Error {
    let command = command().mut_args(|argument| argument.env(Resettable::<OsStr>::Reset));
    match command.try_get_matches_from(words) {
        Err(plain) if plain.kind() == error.kind() => plain,
        _ => error,
    }
}

/// Whether a store URL contains a password.
fn has_password(url: &str) -> bool {
    let user_info = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    let password = user_info.and_then(|(user_info, _)| user_info.split_once(':'));
    password.is_some_and(|(_, password)| !password.is_empty())
}

/// Whether a word was given to a command that takes only a bearer.
fn has_extra_words(command: &Command) -> bool {
    let misplaced = match command {
        Command::Validate(args) => &args.misplaced,
        Command::Refresh(args) => &args.misplaced,
        Command::Derive(args) => &args.misplaced,
        Command::Leaked(args) => &args.misplaced,
        _ => return false,
    };
    !misplaced.is_empty()
}

fn failure(error: clap::Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::Usage,
        _ => return usage(&error),
    };
    // Ignored: the reader may close the pipe early.
    let _ = error.print();
    Failure::AlreadyReported(exit)
}

fn usage(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    let rendered = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let (first, details) = rendered.split_once("\n\n").unwrap_or((rendered, ""));
    // A tip must not turn a typing error into the revocation of every token.
    let is_safe =
        |line: &&str| !(line.trim_start().starts_with("tip:") && line.contains("'--all'"));
    let details: Vec<&str> = details.trim_end().lines().filter(is_safe).collect();
    let details = details
        .join("\n")
        .trim_start_matches('\n')
        .replace("For more information, try '--help'.", "Run with --help to see all options.");
    let argument = error.get(ContextKind::InvalidArg).and_then(|argument| match argument {
        ContextValue::String(name) => Some(name.as_str()),
        _ => None,
    });
    if let (ErrorKind::ValueValidation, Some(argument), Some(source)) =
        (error.kind(), argument, error.source())
    {
        let message = format!("{argument}: {source}{}", advice(argument, source));
        return Failure::Usage { code: "invalid_value", message, details };
    }
    if let (ErrorKind::InvalidValue, Some(argument)) = (error.kind(), argument) {
        let message = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(known)) if !known.is_empty() => {
                format!("{argument} is not valid. Use one of {}", known.join(", "))
            }
            _ => format!("{argument} needs a value"),
        };
        return Failure::Usage { code: "invalid_value", message, details };
    }
    if let Some(message) = missing_or_conflicting(error) {
        return Failure::Usage { code: "usage", message, details };
    }
    let unknown = match error.kind() {
        ErrorKind::UnknownArgument => {
            error.get(ContextKind::InvalidArg).map(|name| ("argument", name))
        }
        ErrorKind::InvalidSubcommand => {
            error.get(ContextKind::InvalidSubcommand).map(|name| ("command", name))
        }
        _ => None,
    };
    if let Some((what, ContextValue::String(name))) = unknown {
        let message = format!("unknown {what} '{name}'");
        return Failure::Usage { code: "usage", message, details };
    }
    let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    Failure::Usage { code: "usage", message, details }
}

/// What to do about a value that is not valid, where the flag has a way of its own.
fn advice(argument: &str, source: &(dyn std::error::Error + 'static)) -> &'static str {
    let Some(invalid) = source.downcast_ref::<InvalidValue>() else { return "" };
    match (invalid.field(), invalid.reason()) {
        (Field::Scope, InvalidReason::Character { .. }) => ". Repeat the flag for each scope",
        (Field::Time, InvalidReason::OutOfRange { .. }) if argument.starts_with("--expires-at") => {
            ". For a token that never expires, use --ttl never"
        }
        _ => "",
    }
}

/// The maximum number of arguments that an error lists.
const MAX_LISTED: usize = 3;

/// Describes missing arguments, and arguments that exclude each other.
fn missing_or_conflicting(error: &clap::Error) -> Option<String> {
    let listed = |kind| match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) if names.len() <= MAX_LISTED => Some(names.join(", ")),
        ContextValue::Strings(names) => Some(format!("{}, …", names[..MAX_LISTED].join(", "))),
        _ => None,
    };
    let argument = listed(ContextKind::InvalidArg)?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument => Some(format!("missing argument: {argument}")),
        ErrorKind::ArgumentConflict => {
            let other = listed(ContextKind::PriorArg)?;
            Some(format!("{argument} cannot be used together with {other}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_in_a_url_is_seen() {
        for url in ["redis://:a@h", "redis://u:a@h:1/0", "redis://:pa/ss@h", "redis://:p@ss@h"] {
            assert!(super::has_password(url), "{url}");
        }
        for url in ["redis://h:1", "redis://u@h", "redis://u:@h", "file:/a:b@c", "memory:"] {
            assert!(!super::has_password(url), "{url}");
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        super::command().debug_assert();
    }
}
