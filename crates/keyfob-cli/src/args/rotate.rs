//! The arguments of `rotate`.

use clap::Args;
use keyfob::TokenId;
use keyfob::values::Actor;

use crate::values::OverlapArg;

const AFTER_HELP: &str = "\
At most two secrets are valid at a time: the new one, and the previous one during the overlap. A
secret that was never used, also the first one, is replaced by the new one. The secret before it then
stays valid.
Tokens that were derived from the key stay valid. If a secret is exposed, revoke the key and issue
another one.

Examples:
  keyfob rotate tok_00d1h88n000000000000000001
  keyfob rotate tok_00d1h88n000000000000000001 --overlap 7d --by ops
  keyfob rotate tok_00d1h88n000000000000000001 --overlap 0";

/// Give an API key a new secret
///
/// Gives an API key a new secret and shows it once. The previous secret stays valid during the
/// overlap.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RotateArgs {
    /// The id of the API key
    pub(crate) id: TokenId,

    /// How long the previous secret stays valid: 24h, 7d, or 0 to end it now
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) overlap: OverlapArg,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,
}
