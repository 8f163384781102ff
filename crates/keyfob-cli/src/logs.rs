//! Logging to stderr. `KEYFOB_LOG` and `-v` set the level.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::output;

const VARIABLE: &str = "KEYFOB_LOG";

/// Starts logging. `-v` overrides the variable.
pub(crate) fn start(verbose: u8) -> Result<(), Failure> {
    let configured = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
    let directives = match (verbose, configured) {
        (0, Some(configured)) => configured,
        (0, None) => "warn".to_owned(),
        (1, _) => "info".to_owned(),
        (2, _) => "debug".to_owned(),
        (_, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_new(directives).map_err(|_| Failure::Usage {
        code: "invalid_value",
        message: format!("{VARIABLE} is not a log filter"),
        details: "Write a level, or levels by module: warn, or keyfob=debug,warn.".into(),
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && output::colours_are_allowed())
        .init();
    Ok(())
}
