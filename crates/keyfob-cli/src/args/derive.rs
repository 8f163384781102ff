//! `derive`: a token, and what is to be derived from it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::{Actor, Audience, Kind, Scope, Subject, Ttl};

use super::value;

const AFTER_HELP: &str = "\
The bearer of the token that it is derived from is read from stdin or from a file, as 'validate' does.
What is derived speaks for the same subject, has no scope but those that are named, ends with what it
is derived from at the latest, and is revoked with it.

Examples:
  keyfob derive --acting agent-7 --scope calendar --ttl 5m < session.txt
  keyfob derive --scope read --audience billing --json < access.txt";

/// Derive a narrower token for a service or an agent
///
/// Reads the bearer of a token and issues a narrower one from it, for whoever acts for its subject.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DeriveArgs {
    /// Read the bearer from this file instead of stdin; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Who acts for the subject
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) acting: Option<Subject>,

    /// What it is for; access unless it is said
    #[arg(long, value_parser = value::kind())]
    pub(crate) kind: Option<Kind>,

    /// What it allows; may be repeated
    #[arg(long)]
    pub(crate) scope: Vec<Scope>,

    /// Whom it is meant for; may be repeated
    #[arg(long)]
    pub(crate) audience: Vec<Audience>,

    /// How long it is good: 15m, 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) ttl: Option<Ttl>,

    /// Who issues it, for the events and the history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,

    /// Taken only to be refused without being repeated.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
