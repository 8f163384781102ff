//! The arguments of `client`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyfob::token::Allowed;
use keyfob::values::{Name, NameSet, Reason};
use keyfob::{Audience, ClientId, InvalidValue, Scope, TokenId};
use keyfob_api::Lifetime;

use crate::values::{LabelArg, OverlapArg};

const AFTER_HELP: &str = "\
A client is the holder of an API key: client_id is the client of the key, and client_secret is its
bearer. With --public-key it has no secret: it signs assertions (private_key_jwt). So these commands are views on tokens of the kind api-key with the label keyfob=client.
'keyfob list', 'show', 'history' and 'revoke' work on them too.

The scopes of the server itself: keyfob:issue, keyfob:read, keyfob:revoke, keyfob:introspect,
keyfob:events, keyfob:keys, keyfob:signals, keyfob:edge, and keyfob:admin for all. A client hands out what it
has itself, and more with --may-issue-scope and --may-issue-audience.

Examples:
  keyfob client add shop --scope keyfob:introspect --audience shop
  keyfob client add shop --scope keyfob:introspect --public-key shop.pub.pem
  keyfob client add login --scope keyfob:issue --may-issue-scope read --may-issue-audience all
  keyfob client list
  keyfob client rotate shop --overlap 7d
  keyfob client disable shop --reason 'left the company'";

/// Add, list, rotate and disable the clients of a server
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ClientArgs {
    #[command(subcommand)]
    pub(crate) command: ClientCommand,
}

/// An action on clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a client: issue an API key for it, and show its secret once
    #[command(after_help = "Examples:\n  keyfob client add shop --scope keyfob:introspect\n  \
                            keyfob client add login --scope keyfob:issue --may-issue-scope read --json")]
    Add(Box<ClientAddArgs>),
    /// List the clients
    #[command(after_help = "Examples:\n  keyfob client list\n  keyfob client list --all --json")]
    List {
        /// List also keys that are revoked or expired
        #[arg(long)]
        all: bool,
    },
    /// Give a client a new secret. The previous one stays valid during the overlap
    #[command(
        after_help = "Examples:\n  keyfob client rotate shop\n  keyfob client rotate shop --overlap 0"
    )]
    Rotate {
        /// The client_id
        client: ClientId,
        /// The key, if the client has several
        #[arg(long, value_name = "ID")]
        id: Option<TokenId>,
        /// How long the previous secret stays valid: 24h, 7d, or 0 to end it now
        #[arg(long, value_name = "DURATION", default_value = "24h")]
        overlap: OverlapArg,
    },
    /// Disable a client: revoke its keys, and what was derived from them
    #[command(after_help = "Examples:\n  keyfob client disable shop --reason 'left the company'")]
    Disable {
        /// The client_id
        client: ClientId,
        /// The reason to record
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },
}

/// The arguments of `client add`.
#[derive(Debug, Args)]
pub(crate) struct ClientAddArgs {
    /// The client_id
    pub(crate) client: ClientId,

    /// A scope of the client. Repeat for more
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<Scope>,

    /// An audience of the client: it sees only tokens for its audiences. Repeat for more
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Vec<Audience>,

    /// A scope that the client may hand out, or all. Repeat for more
    #[arg(long, value_name = "SCOPE")]
    may_issue_scope: Vec<String>,

    /// An audience that the client may hand out, or all. Repeat for more
    #[arg(long, value_name = "AUDIENCE")]
    may_issue_audience: Vec<String>,

    /// The client authenticates by this public key, and gets no secret: a file with PEM or a JWK, or - for
    /// standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,

    /// A label of the key. Repeat with other keys for more
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<LabelArg>,

    /// How long the key is valid: 90d, or never
    #[arg(long, value_name = "DURATION", default_value = "never")]
    pub(crate) ttl: Lifetime,

    /// Add another key although the client has one
    #[arg(long)]
    pub(crate) another: bool,
}

/// What a client may hand out: scopes and audiences.
type MayIssueArgs = Option<(Allowed<Scope>, Allowed<Audience>)>;

impl ClientAddArgs {
    /// What the client may hand out; `None` if nothing was named.
    pub(crate) fn may_issue(&self) -> Result<MayIssueArgs, InvalidValue> {
        if self.may_issue_scope.is_empty() && self.may_issue_audience.is_empty() {
            return Ok(None);
        }
        Ok(Some((allowed(&self.may_issue_scope)?, allowed(&self.may_issue_audience)?)))
    }
}

/// Reads names, of which `all` stands for every one.
fn allowed<T: Name + std::str::FromStr<Err = InvalidValue>>(
    names: &[String],
) -> Result<Allowed<T>, InvalidValue> {
    if names.iter().any(|name| name == "all") {
        return Ok(Allowed::All);
    }
    let names: Result<Vec<T>, _> = names.iter().map(|name| name.parse()).collect();
    Ok(Allowed::Only(NameSet::from_names(names?)?))
}
