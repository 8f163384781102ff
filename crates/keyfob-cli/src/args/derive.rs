//! The arguments of `derive`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::values::Actor;
use keyfob::{Audience, Kind, Scope, Subject, Ttl};

use super::proven_key::ProvenKeyArgs;
use crate::values;

const AFTER_HELP: &str = "\
The bearer of the parent token is read from stdin or from a file, as in 'validate'. The derived token
has the same subject and only the scopes that you name. It expires with its parent at the latest and
is revoked with it.

Examples:
  keyfob derive --acting agent-7 --scope calendar --ttl 5m < session.txt
  keyfob derive --scope read --audience billing --json < access.txt";

/// Derive a narrower token for a service or an agent
///
/// Reads the bearer of a token and issues a narrower token from it, for a service or an agent that
/// acts for its subject.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DeriveArgs {
    /// Read the bearer from this file instead of stdin. - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// The actor that acts for the subject
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) acting: Option<Subject>,

    /// The kind of the token. Default: access
    #[arg(long, value_parser = values::kind())]
    pub(crate) kind: Option<Kind>,

    /// A scope that the token allows. Repeat for more
    #[arg(long)]
    pub(crate) scope: Vec<Scope>,

    /// A service that the token is meant for. Repeat for more
    #[arg(long)]
    pub(crate) audience: Vec<Audience>,

    /// How long the token is valid: 15m, 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) ttl: Option<Ttl>,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,

    #[command(flatten)]
    pub(crate) proven_key: ProvenKeyArgs,

    /// Accepted only to refuse it without repeating it.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
