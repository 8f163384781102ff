//! `rotate`: an API key, and how long its older secret stays good.

use clap::Args;
use keyfob::{Actor, TokenId};

use super::value::OverlapFor;

const AFTER_HELP: &str = "\
At most two secrets are good at a time: the new one, and for as long as they overlap the one before.
A secret that was never used, be it the first, gives way to the new one, and the one before it stays.
What was derived from the key lives on. If a secret got out, revoke the key and issue another.

Examples:
  keyfob rotate tok_00d1h88n000000000000000001
  keyfob rotate tok_00d1h88n000000000000000001 --overlap 7d --by ops
  keyfob rotate tok_00d1h88n000000000000000001 --overlap 0";

/// Give an API key a new secret
///
/// Gives an API key a new secret and shows it, once. The one before stays good for a while.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RotateArgs {
    /// The API key
    pub(crate) id: TokenId,

    /// How long the secret before stays good: 24h, 7d, or 0 to end it now
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) overlap: OverlapFor,

    /// Who does it, for the events and the history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,
}
