//! The commands that only read: `show`, `list`, `count`, `history`, `events`.

use clap::{Args, ValueEnum};
use keyfob::store::Cursor;
use keyfob::{InvalidValue, PageCursor, TokenId};

/// What is said of filters wherever one is taken.
macro_rules! filter_help {
    ($examples:literal) => {
        concat!(
            "A filter is parts of the form key:value, all of which have to hold. Keys:\n",
            "  kind, state              one, or several with commas\n",
            "  id, family, subject, issuer, audience, client, device, app\n",
            "  tag, scope, label        all of them when given again; label:environment=production\n",
            "  any-tag, any-scope       one of them when given again\n",
            "  issued-after, issued-before, expires-after, expires-before\n",
            "                           2026-11-24T08:30:00Z, 2026-11-24, now, -7d, +1h\n",
            "A value with a space is put in double quotes: subject:\"Jane Doe\". A filter without id,\n",
            "family, subject, client, device, app, tag or label looks at every token of the store.\n\n",
            "Examples:\n",
            $examples
        )
    };
}

/// Show one token in full
///
/// Shows one token with all that is known of it, whatever state it is in.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyfob show tok_00d1h88n000000000000000001")]
pub(crate) struct ShowArgs {
    /// The token
    pub(crate) id: TokenId,
}

/// List the tokens that match a filter
///
/// Lists the tokens that match a filter: as a table on a terminal, otherwise id, kind, state,
/// subject, client and expiry, separated by tabs.
#[derive(Debug, Args)]
#[command(after_help = filter_help!(
    "  keyfob list
  keyfob list subject:user123 state:active
  keyfob list --sort expiring expires-before:+1h client:acme
  keyfob list --all-pages --json kind:api-key > keys.jsonl"
))]
pub(crate) struct ListArgs {
    /// Which tokens; without it, all of them
    pub(crate) filter: Vec<String>,

    /// How many at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one(), conflicts_with = "all_pages")]
    pub(crate) limit: u64,

    /// In which order
    #[arg(long, value_enum, default_value_t = Sort::Newest)]
    pub(crate) sort: Sort,

    /// All of them, however many
    #[arg(long)]
    pub(crate) all_pages: bool,

    /// Go on where an earlier list ended
    #[arg(long)]
    pub(crate) cursor: Option<PageCursor>,
}

/// In which order tokens are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Sort {
    /// The newest first
    Newest,
    /// The next to expire first
    Expiring,
}

/// Count the tokens that match a filter
///
/// It looks at all that the index lists for the filter, and without one at every token of the store.
#[derive(Debug, Args)]
#[command(after_help = filter_help!(
    "  keyfob count subject:user123 state:active
  keyfob count --json tag:mobile issued-after:-7d"
))]
pub(crate) struct CountArgs {
    /// Which tokens; without it, all of them
    pub(crate) filter: Vec<String>,
}

/// Tell what happened to a token
///
/// Tells what happened to a token, the oldest first: its last eight changes and its revocation.
/// Elsewhere than on a terminal: time, what, by whom and why, separated by tabs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyfob history tok_00d1h88n000000000000000001")]
pub(crate) struct HistoryArgs {
    /// The token
    pub(crate) id: TokenId,
}

const EVENTS_HELP: &str = "\
Each event is one line of JSON (CloudEvents 1.0), with or without --json. At the end, a note on
stderr tells the cursor to go on from; with --with-cursor every event has it as 'keyfobcursor', so
that a reader that keeps it misses nothing even when it is killed. The store keeps a bounded number
of events; a note says when some were trimmed before they were read.

Examples:
  keyfob events
  keyfob events --follow --after latest
  keyfob events --follow --with-cursor --after \"$(cat cursor)\"
  keyfob events --observations --limit 20";

/// Print events, and go on printing them as they come
///
/// Prints what happened in the store, in order: each event was written together with its change.
#[derive(Debug, Args)]
#[command(after_help = EVENTS_HELP)]
pub(crate) struct EventsArgs {
    /// Go on as events come, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,

    /// Where to begin: start, latest, or a cursor
    #[arg(long, value_name = "CURSOR", default_value = "start")]
    pub(crate) after: From,

    /// How many at most
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) limit: Option<u64>,

    /// Add to each event the cursor to go on from
    #[arg(long, conflicts_with = "observations")]
    pub(crate) with_cursor: bool,

    /// What was seen instead of what happened: refusals, replays, expiries, sampled uses
    #[arg(long)]
    pub(crate) observations: bool,
}

/// Where events begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum From {
    Latest,
    After(Cursor),
}

impl std::str::FromStr for From {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "latest" { Ok(Self::Latest) } else { text.parse().map(Self::After) }
    }
}

fn at_least_one() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}
