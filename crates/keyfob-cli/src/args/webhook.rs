//! The arguments of `webhook`.

use clap::{ArgAction, ArgGroup, Args, Subcommand};
use keyfob::Ttl;

use crate::values::BindArg;

const AFTER_HELP: &str = "\
A server sends the events, so this needs --server. The secret of a webhook is shown once, when it is created
or rotated.

A filter is what keyfob list takes, without state, now and distances from now.

Examples:
  keyfob webhook add https://shop.example/hooks --type keyfob.token.revoked
  keyfob webhook add https://idp.example/events --set --audience https://idp.example
  keyfob webhook add https://shop.example/hooks --filter 'kind:api-key tag:beta'
  keyfob webhook add nats:keyfob.shop --description \"the stream of the shop\"
  keyfob webhook list
  keyfob webhook update wh-0123456789abcdef0123 --filter subject:user123
  keyfob webhook test wh-0123456789abcdef0123
  keyfob webhook dead-letters wh-0123456789abcdef0123";

/// Have events sent to receivers: add, list, test and change webhooks, and their dead letters
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct WebhookArgs {
    #[command(subcommand)]
    pub(crate) command: WebhookCommand,
}

/// An action on webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Add a webhook: events from now on are sent to this URL
    Add {
        /// The URL of the receiver; or nats: and a subject, to publish to the NATS server of the service
        url: String,
        /// Send only events of this type, such as keyfob.token.revoked, or whose types start so:
        /// keyfob.token. May be repeated
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        tokens: TokensArgs,
        /// What it is for
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// Send revocations as security event tokens with the signals of CAEP (Shared Signals)
        #[arg(long)]
        set: bool,
        /// The audience of security event tokens. Default: the URL
        #[arg(long, requires = "set")]
        audience: Option<String>,
    },
    /// List the webhooks, and how far each has come
    List,
    /// Change a webhook. What is not given stays
    #[command(group = ArgGroup::new("change").required(true).multiple(true)
        .args(["url", "types", "filter", "description"]))]
    Update {
        /// The webhook
        id: String,
        /// The URL of the receiver
        #[arg(long)]
        url: Option<String>,
        /// Send only events of this type, or whose types start so. May be repeated. '' alone: all
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        tokens: TokensArgs,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Send a test event, and show what the receiver answers
    Test {
        /// The webhook
        id: String,
    },
    /// Make a new secret. The older one signs too for a while
    Rotate {
        /// The webhook
        id: String,
        /// For how long the older secret signs too. Default: 1d
        #[arg(long, value_name = "DURATION")]
        overlap: Option<Ttl>,
    },
    /// Enable a webhook. It continues where it was
    Enable {
        /// The webhook
        id: String,
    },
    /// Disable a webhook. Its position stays
    Disable {
        /// The webhook
        id: String,
    },
    /// Delete a webhook and its dead letters
    Delete {
        /// The webhook
        id: String,
    },
    /// List the deliveries that were given up
    DeadLetters {
        /// The webhook
        id: String,
    },
    /// Send a dead letter again. It is dropped if it is delivered
    Send {
        /// The webhook
        id: String,
        /// The dead letter
        letter: String,
    },
    /// Drop a dead letter
    Drop {
        /// The webhook
        id: String,
        /// The dead letter
        letter: String,
    },
}

/// Which tokens a webhook is about.
#[derive(Debug, Args)]
pub(crate) struct TokensArgs {
    /// Send only events about tokens that match this filter, such as 'kind:api-key tag:beta'. '': all
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// Bind a value to the name $NAME in the filter. It is never parsed as a filter
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append, requires = "filter")]
    pub(crate) bind: Vec<BindArg>,
}
