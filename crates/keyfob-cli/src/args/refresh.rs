//! The arguments of `refresh`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::values::Actor;
use keyfob::{Audience, ClientId, DeviceId, Scope, Ttl};

use super::proven_key::ProvenKeyArgs;

const AFTER_HELP: &str = "\
The bearer is read from stdin or from a file, as in 'validate'. It is valid once. A client that lost
the response may retry within the retry window of the family (default: 10 seconds) and gets the same
pair. A used bearer that is presented after the grace period is treated as stolen and ends the family.

With --json, the output is {\"case\":\"rotated\"|\"replayed\",\"access\":{…},\"refresh\":{…}}, two tokens
with their bearers.

Examples:
  keyfob refresh < refresh.txt
  keyfob refresh --scope read --access-ttl 5m < refresh.txt
  keyfob refresh --json --bearer-file refresh.txt > pair.json";

/// Exchange a refresh token for an access token and the next refresh token
///
/// Reads the bearer of a refresh token, exchanges it and shows the new pair. The old bearer is no
/// longer valid.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RefreshArgs {
    /// Read the bearer from this file instead of stdin. - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Narrow the access token to this scope. Repeat for more
    #[arg(long)]
    pub(crate) scope: Vec<Scope>,

    /// Narrow the access token to this audience. Repeat for more
    #[arg(long)]
    pub(crate) audience: Vec<Audience>,

    /// How long the access token is valid: 15m, 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) access_ttl: Option<Ttl>,

    /// The client that presents the bearer
    #[arg(long)]
    pub(crate) client: Option<ClientId>,

    /// The device that presents the bearer
    #[arg(long, value_name = "ID")]
    pub(crate) device_id: Option<DeviceId>,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,

    #[command(flatten)]
    pub(crate) proven_key: ProvenKeyArgs,

    /// Accepted only to refuse it without repeating it.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
