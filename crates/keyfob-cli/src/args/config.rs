//! The arguments of `config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const AFTER_HELP: &str = "\
A setting comes from the file, from a variable of the environment, or from a flag; the later ones
override. The variable of a setting has the names of its section and of itself: KEYFOB_LISTEN,
KEYFOB_HTTP_MAX_CONNECTIONS. Lists have commas. A setting that does not exist is an error.

Examples:
  keyfob config check --config /etc/keyfob/keyfob.toml
  keyfob config show --redacted --config keyfob.toml
  keyfob config schema > keyfob.schema.json";

/// Check and show the configuration of serve
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// An action on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration, the key ring and the certificates. The store is not opened
    #[command(after_help = "Examples:\n  keyfob config check --config /etc/keyfob/keyfob.toml")]
    Check(ConfigFile),
    /// Show every setting with its value, the defaults included, as TOML
    #[command(
        after_help = "Examples:\n  keyfob config show --redacted\n  keyfob config show --config keyfob.toml --json"
    )]
    Show {
        #[command(flatten)]
        file: ConfigFile,

        /// Replace the passwords in the URL of the store
        #[arg(long)]
        redacted: bool,
    },
    /// Print the JSON Schema of the file, for editors
    #[command(after_help = "Examples:\n  keyfob config schema > keyfob.schema.json")]
    Schema,
}

/// The file of a configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The file. Without it, the environment and the defaults count
    #[arg(long, value_name = "FILE", env = "KEYFOB_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}
