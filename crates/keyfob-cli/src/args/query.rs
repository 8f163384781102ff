//! The arguments of the commands that only read: `show`, `list`, `count`, `history`, `events`.

use clap::{ArgAction, Args, ValueEnum};
use keyfob::manager::PageCursor;
use keyfob::store::Cursor;
use keyfob::{InvalidValue, TokenId};

use crate::values::BindArg;

/// The help on filters, for every command that takes one.
macro_rules! filter_help {
    ($examples:literal) => {
        concat!(
            "A filter is a list of key:value parts. A token must match every part. Keys:\n",
            "  kind, state              one value, or several with commas\n",
            "  id, family, subject, issuer, audience, client, device, app\n",
            "  tag, scope, label        repeat to require all; label:environment=production\n",
            "  any-tag, any-scope       repeat to require at least one\n",
            "  issued-after, issued-before, expires-after, expires-before\n",
            "                           2026-11-24T08:30:00Z, 2026-11-24, now, -7d, +1h\n",
            "Put a value with a space in double quotes, and the whole part in single quotes for the shell:\n",
            "'subject:\"Jane Doe\"'. Bind a value that comes from elsewhere, so that nothing in it is parsed:\n",
            "'subject:$who' --bind who=\"$WHO\", with single quotes around $who. A filter without id, family,\n",
            "subject, client, device, app, tag or label reads every token of the store.\n\n",
            "Examples:\n",
            $examples
        )
    };
}

/// Show one token in full
///
/// Shows one token with all its fields, in any state.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyfob show tok_00d1h88n000000000000000001")]
pub(crate) struct ShowArgs {
    /// The id of the token
    pub(crate) id: TokenId,
}

/// List the tokens that match a filter
///
/// Lists the tokens that match a filter. On a terminal it prints a table. Otherwise it prints id,
/// kind, state, subject, client and expiry, separated by tabs.
#[derive(Debug, Args)]
#[command(after_help = filter_help!(
    "  keyfob list
  keyfob list subject:user123 state:active
  keyfob list 'subject:\"Jane Doe\"'
  keyfob list 'subject:$who' --bind who=\"$WHO\"
  keyfob list --sort expiring expires-before:+1h client:acme
  keyfob list --all-pages --json kind:api-key > keys.jsonl"
))]
pub(crate) struct ListArgs {
    /// The filter. Default: all tokens
    pub(crate) filter: Vec<String>,

    /// Bind a value to the name $NAME in the filter. It is never parsed as a filter
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) bind: Vec<BindArg>,

    /// The maximum number of tokens
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one(), conflicts_with = "all_pages")]
    pub(crate) limit: u64,

    /// The order
    #[arg(long, value_enum, default_value_t = Sort::Newest)]
    pub(crate) sort: Sort,

    /// List all tokens, without a limit
    #[arg(long)]
    pub(crate) all_pages: bool,

    /// Continue an earlier list at this cursor
    #[arg(long)]
    pub(crate) cursor: Option<PageCursor>,
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Sort {
    /// Newest first
    Newest,
    /// Next to expire first
    Expiring,
}

/// Count the tokens that match a filter
///
/// Reads the tokens that the index lists for the filter. Without a filter it reads every token of the
/// store.
#[derive(Debug, Args)]
#[command(after_help = filter_help!(
    "  keyfob count subject:user123 state:active
  keyfob count 'label:team=$team' --bind team=\"$TEAM\"
  keyfob count --json tag:mobile issued-after:-7d"
))]
pub(crate) struct CountArgs {
    /// The filter. Default: all tokens
    pub(crate) filter: Vec<String>,

    /// Bind a value to the name $NAME in the filter. It is never parsed as a filter
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) bind: Vec<BindArg>,
}

/// Show the changes of a token
///
/// Shows the last eight changes of a token and its revocation, oldest first. Without a terminal it
/// prints time, change, actor and reason, separated by tabs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyfob history tok_00d1h88n000000000000000001")]
pub(crate) struct HistoryArgs {
    /// The id of the token
    pub(crate) id: TokenId,
}

const EVENTS_HELP: &str = "\
Each event is one line of JSON (CloudEvents 1.0), with or without --json. At the end, a note on
stderr gives the cursor to resume at. With --with-cursor, every event has its cursor in the field
'keyfobcursor'. A reader that stores this cursor misses no event, even if it is killed. The store
keeps a limited number of events. A note reports when events were deleted before they were read.

Examples:
  keyfob events
  keyfob events --follow --after latest
  keyfob events --follow --with-cursor --after \"$(cat cursor)\"
  keyfob events --observations --limit 20";

/// Print events, and optionally wait for new ones
///
/// Prints the events of the store, in order. Each event was written in one step with its change.
#[derive(Debug, Args)]
#[command(after_help = EVENTS_HELP)]
pub(crate) struct EventsArgs {
    /// Wait for new events, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,

    /// The position to start after: start, latest, or a cursor
    #[arg(long, value_name = "CURSOR", default_value = "start")]
    pub(crate) after: EventsStart,

    /// The maximum number of events
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) limit: Option<u64>,

    /// Add to each event the cursor to resume after it
    #[arg(long, conflicts_with = "observations")]
    pub(crate) with_cursor: bool,

    /// Print observations instead: refusals, replays, expiries, sampled uses
    #[arg(long)]
    pub(crate) observations: bool,
}

/// The position at which to start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum EventsStart {
    Latest,
    After(Cursor),
}

impl std::str::FromStr for EventsStart {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "latest" { Ok(Self::Latest) } else { text.parse().map(Self::After) }
    }
}

fn at_least_one() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}
