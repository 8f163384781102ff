//! `validate`: a bearer, and what is demanded of it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::{Audience, ClaimName, DeviceId, Issuer, Kind, Scope, Ttl};

use super::value;

const AFTER_HELP: &str = "\
A bearer is a secret. It is read from stdin or from a file and never taken as an argument, where
others on this machine could see it. At most 64 KiB are read, and one newline at the end is left out.

Exits with 0 when the bearer is good and with 1 when it is refused. A token whose uses are counted
loses one, unless --all is given.

Examples:
  keyfob validate < bearer.txt
  keyfob validate --bearer-file /run/secrets/bearer --audience shop --scope read
  keyfob validate --all --json --issuer example-service < bearer.txt";

/// Say whether a bearer is good
///
/// Reads a bearer and says whether it is good and whose it is, or why it is refused.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ValidateArgs {
    /// Read the bearer from this file instead of stdin; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Name everything that is wrong, not only the first; uses nothing up
    #[arg(long)]
    pub(crate) all: bool,

    /// Demand one of these kinds; may be repeated
    #[arg(long, value_parser = value::kind(), help_heading = "Demands")]
    pub(crate) kind: Vec<Kind>,

    /// Demand one of these issuers; may be repeated
    #[arg(long, help_heading = "Demands")]
    pub(crate) issuer: Vec<Issuer>,

    /// Demand that it is meant for one of these; may be repeated
    #[arg(long, help_heading = "Demands")]
    pub(crate) audience: Vec<Audience>,

    /// Demand this scope; repeated, all of them
    #[arg(long, help_heading = "Demands")]
    pub(crate) scope: Vec<Scope>,

    /// Demand one of these scopes; may be repeated
    #[arg(long, value_name = "SCOPE", help_heading = "Demands")]
    pub(crate) any_scope: Vec<Scope>,

    /// Allow that clocks differ by so much
    #[arg(long, value_name = "DURATION", help_heading = "Demands")]
    pub(crate) clock_skew: Option<Ttl>,

    /// Demand that it was issued no longer ago
    #[arg(long, value_name = "DURATION", help_heading = "Demands")]
    pub(crate) max_age: Option<Ttl>,

    /// Demand that it is bound to the device that presents it, which is this
    #[arg(long, value_name = "ID", help_heading = "Demands")]
    pub(crate) device_id: Option<DeviceId>,

    /// Demand that it has this claim; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Demands")]
    pub(crate) require_claim: Vec<ClaimName>,

    /// Taken only to be refused without being repeated.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
