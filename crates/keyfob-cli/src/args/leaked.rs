//! The arguments of `leaked`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::values::{Actor, Reason};

const AFTER_HELP: &str = "\
Reads one text per line, as a scanner reports them: from stdin or from a file. A bearer is a secret, so it
is refused as an argument. What is no bearer of this store is forgotten. The secret has to be right: anyone who
knows only the id of a token revokes nothing by it.

Each line of the output is what was done (revoked, already_revoked, replaced, not_ours) and whose the token
is. With --json, each line is an object.

Examples:
  keyfob leaked --from found.txt --json
  git grep -hoP \"$(keyfob scanner-regex)\" | keyfob leaked --reason 'leaked: in our repository'";

/// Revoke bearers that were found where they should not be
///
/// Reads texts, one per line. Revokes the token of each that is a bearer of this store.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LeakedArgs {
    /// Read the texts from this file instead of stdin. - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,

    /// The reason to record. Default: leaked
    #[arg(long)]
    pub(crate) reason: Option<Reason>,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,

    /// Accepted only to refuse it without repeating it.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
