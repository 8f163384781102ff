//! Where the tokens are: in a store, or behind a server.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;

/// The settings of every command about a server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct ServerSettings {
    /// Ask this server instead of opening a store: http://… or https://…
    #[arg(long = "server", global = true, env = "KEYFOB_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,

    /// Read the API key for the server from this file
    #[arg(
        long,
        global = true,
        env = "KEYFOB_TOKEN_FILE",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub(crate) token_file: Option<PathBuf>,

    /// Trust the certificates in this file (PEM) instead of those of the system
    #[arg(
        long,
        global = true,
        env = "KEYFOB_SERVER_CA",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub(crate) server_ca: Option<PathBuf>,

    /// Show this certificate (PEM) to the server
    #[arg(
        long,
        global = true,
        env = "KEYFOB_SERVER_CERT",
        value_name = "FILE",
        requires = "server_key",
        hide_short_help = true
    )]
    pub(crate) server_cert: Option<PathBuf>,

    /// The private key of --server-cert (PEM)
    #[arg(
        long,
        global = true,
        env = "KEYFOB_SERVER_KEY",
        value_name = "FILE",
        requires = "server_cert",
        hide_short_help = true
    )]
    pub(crate) server_key: Option<PathBuf>,
}

/// Which of `--store` and `--server` are flags, not variables of the environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct PlaceFlags {
    pub(crate) store: bool,
    pub(crate) server: bool,
}

/// Where the tokens are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place<'a> {
    Store,
    /// Behind the server at this URL.
    Server(&'a str),
}

/// What a command needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needs {
    /// Tokens, in a store or behind a server.
    Tokens,
    /// A store. The sentence says why a server is of no use.
    Store(&'static str),
    /// A server. The sentence says why a store is of no use.
    Server(&'static str),
    /// Neither.
    Nothing,
}

impl ServerSettings {
    /// Where the tokens are. A flag is stronger than a variable of the environment.
    pub(super) fn place(
        &self,
        store: Option<&str>,
        flags: PlaceFlags,
    ) -> Result<Place<'_>, Failure> {
        let Some(server) = &self.server else { return Ok(Place::Store) };
        match (store, flags.store, flags.server) {
            (Some(_), true, true) => Err(both("--store and --server exclude each other")),
            (Some(_), true, false) => Ok(Place::Store),
            // Which one is meant cannot be known, and the wrong tokens could be revoked.
            (Some(_), false, false) => Err(both(
                "both KEYFOB_STORE and KEYFOB_SERVER are set: unset one, or pass --store or --server",
            )),
            _ => Ok(Place::Server(server)),
        }
    }
}

fn both(message: &str) -> Failure {
    Failure::Usage { code: "usage", message: message.to_owned(), details: String::new() }
}
