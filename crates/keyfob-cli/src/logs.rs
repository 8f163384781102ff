//! The log: to stderr, as `KEYFOB_LOG` and `-v` say.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::output;

const VARIABLE: &str = "KEYFOB_LOG";

/// Starts it. `-v` outranks the variable, for it is nearer to the user.
pub(crate) fn start(verbose: u8) -> Result<(), Failure> {
    let asked = std::env::var(VARIABLE).ok().filter(|asked| !asked.is_empty());
    let directives = match (verbose, asked) {
        (0, Some(asked)) => asked,
        (0, None) => "warn".to_owned(),
        (1, _) => "info".to_owned(),
        (2, _) => "debug".to_owned(),
        (_, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_new(directives).map_err(|_| Failure::Usage {
        code: "invalid_value",
        message: format!("{VARIABLE} is no log filter"),
        details: "Write a level, or levels by module: warn, or keyfob=debug,warn.".into(),
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && output::colours_are_welcome())
        .init();
    Ok(())
}
