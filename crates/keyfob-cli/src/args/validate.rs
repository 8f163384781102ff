//! The arguments of `validate`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::values::{ClaimName, Issuer};
use keyfob::{Audience, DeviceId, Kind, Scope, Ttl};

use super::proven_key::ProvenKeyArgs;
use crate::values;

const AFTER_HELP: &str = "\
A bearer is a secret. It is read from stdin or from a file. As an argument it would be visible to
other users of this machine, so it is refused there. At most 64 KiB are read. White space and a byte
order mark around the bearer are ignored.

Exits with 0 if the bearer is valid, and with 1 if it is refused. Uses up one use of a token with
limited uses, unless --all is given.

Examples:
  keyfob validate < bearer.txt
  keyfob validate --bearer-file /run/secrets/bearer --audience shop --scope read
  keyfob validate --all --json --issuer example-service < bearer.txt";

/// Check whether a bearer is valid
///
/// Reads a bearer. Shows its token if the bearer is valid, or the reason why it is refused.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ValidateArgs {
    /// Read the bearer from this file instead of stdin. - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Report every reason for a refusal, not only the first. Does not count as a use
    #[arg(long)]
    pub(crate) all: bool,

    /// Require this kind. Repeat to accept one of several
    #[arg(long, value_parser = values::kind(), help_heading = "Requirements")]
    pub(crate) kind: Vec<Kind>,

    /// Require this issuer. Repeat to accept one of several
    #[arg(long, help_heading = "Requirements")]
    pub(crate) issuer: Vec<Issuer>,

    /// Require this audience. Repeat to accept one of several
    #[arg(long, help_heading = "Requirements")]
    pub(crate) audience: Vec<Audience>,

    /// Require this scope. Repeat to require all of several
    #[arg(long, help_heading = "Requirements")]
    pub(crate) scope: Vec<Scope>,

    /// Require this scope. Repeat to accept one of several
    #[arg(long, value_name = "SCOPE", help_heading = "Requirements")]
    pub(crate) any_scope: Vec<Scope>,

    /// Allow clocks to differ by this much
    #[arg(long, value_name = "DURATION", help_heading = "Requirements")]
    pub(crate) clock_skew: Option<Ttl>,

    /// Require that the token was issued within this time
    #[arg(long, value_name = "DURATION", help_heading = "Requirements")]
    pub(crate) max_age: Option<Ttl>,

    /// Require that the token is bound to this device, which presents it
    #[arg(long, value_name = "ID", help_heading = "Requirements")]
    pub(crate) device_id: Option<DeviceId>,

    /// Require this claim. Repeat to require all of several
    #[arg(long, value_name = "NAME", help_heading = "Requirements")]
    pub(crate) require_claim: Vec<ClaimName>,

    #[command(flatten)]
    pub(crate) proven_key: ProvenKeyArgs,

    /// Accepted only to refuse it without repeating it.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
