//! From the words of the command line to what they say.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use super::{Cli, Command, leak};
use crate::failure::{Exit, Failure};

/// The definition of the command line.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Parses the words. Help and version are printed here.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Cli, Failure> {
    if let Some(leak) = words.iter().find_map(|word| leak::find(&word.to_string_lossy())) {
        return Err(Failure::BearerInArgument { id: leak.id });
    }
    let matches = command().try_get_matches_from(words).map_err(failure)?;
    let cli = Cli::from_arg_matches(&matches).map_err(failure)?;
    match &cli.command {
        // Whatever was meant by it, it was meant to be a bearer.
        command if is_misplaced(command) => Err(Failure::BearerInArgument { id: None }),
        _ => Ok(cli),
    }
}

/// Whether something was given where only a bearer could have been meant.
fn is_misplaced(command: &Command) -> bool {
    let misplaced = match command {
        Command::Validate(args) => &args.misplaced,
        Command::Refresh(args) => &args.misplaced,
        Command::Derive(args) => &args.misplaced,
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
    // A reader that is gone has seen enough of the help.
    let _ = error.print();
    Failure::Told(exit)
}

fn usage(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    let rendered = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let (first, details) = rendered.split_once("\n\n").unwrap_or((rendered, ""));
    let details = details.trim_end().to_owned();
    let argument = error.get(ContextKind::InvalidArg).and_then(|argument| match argument {
        ContextValue::String(name) => Some(name.as_str()),
        _ => None,
    });
    if let (ErrorKind::ValueValidation, Some(argument), Some(source)) =
        (error.kind(), argument, error.source())
    {
        let message = format!("{argument}: {source}");
        return Failure::Usage { code: "invalid_value", message, details };
    }
    if let (ErrorKind::InvalidValue, Some(argument)) = (error.kind(), argument) {
        let message = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(known)) if !known.is_empty() => {
                format!("{argument}: write one of {}", known.join(", "))
            }
            _ => format!("{argument} needs a value"),
        };
        return Failure::Usage { code: "invalid_value", message, details };
    }
    let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    Failure::Usage { code: "usage", message, details }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definition_holds_together() {
        super::command().debug_assert();
    }
}
