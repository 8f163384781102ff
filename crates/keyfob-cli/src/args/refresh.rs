//! `refresh`: a refresh token, and what is asked for with it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use keyfob::{Actor, Audience, ClientId, DeviceId, Scope, Ttl};

const AFTER_HELP: &str = "\
The bearer is read from stdin or from a file, as 'validate' does. It is good once; whoever lost the
answer may ask for the same again within the window of the family, ten seconds unless its grant says
otherwise, and gets the same. One that comes back later than that has two holders, and ends the
family.

With --json, the answer is {\"case\":\"rotated\"|\"replayed\",\"access\":{…},\"refresh\":{…}}, two tokens
with their bearers.

Examples:
  keyfob refresh < refresh.txt
  keyfob refresh --scope read --access-ttl 5m < refresh.txt
  keyfob refresh --json --bearer-file refresh.txt > pair.json";

/// Exchange a refresh token for an access token and the next refresh token
///
/// Reads the bearer of a refresh token and shows the pair that it is exchanged for. The one that was
/// read is retired.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RefreshArgs {
    /// Read the bearer from this file instead of stdin; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Narrow the access token to this scope; repeated, to all of them
    #[arg(long)]
    pub(crate) scope: Vec<Scope>,

    /// Narrow the access token to this audience; may be repeated
    #[arg(long)]
    pub(crate) audience: Vec<Audience>,

    /// How long the access token is to be good: 15m, 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) access_ttl: Option<Ttl>,

    /// The client that presents it
    #[arg(long)]
    pub(crate) client: Option<ClientId>,

    /// The device that presents it
    #[arg(long, value_name = "ID")]
    pub(crate) device_id: Option<DeviceId>,

    /// Who asks, for the events and the history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,

    /// Taken only to be refused without being repeated.
    #[arg(hide = true)]
    pub(crate) misplaced: Vec<OsString>,
}
