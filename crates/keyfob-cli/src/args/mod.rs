//! What can be said on the command line, one file for each group of commands.
//!
//! Values are parsed into the types of the domain here, at the edge. A value that is refused is
//! never repeated: it may be a secret that landed in the wrong place.

mod demo;
mod derive;
mod issue;
mod keys;
mod leak;
mod limit;
mod parse;
mod reading;
mod refresh;
mod revoke;
mod rotate;
mod update;
mod validate;
mod value;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};
use keyfob::BearerPrefix;

use crate::keys::KeySource;

pub(crate) use demo::DemoArgs;
pub(crate) use derive::DeriveArgs;
pub(crate) use issue::{GrantArgs, IssueArgs};
pub(crate) use keys::{KeysArgs, KeysCommand};
pub(crate) use limit::{CountedArgs, LimitAction, LimitArgs, LimitTestArgs, PolicyArgs};
pub(crate) use parse::{command, parse};
pub(crate) use reading::{CountArgs, EventsArgs, From, HistoryArgs, ListArgs, ShowArgs, Sort};
pub(crate) use refresh::RefreshArgs;
pub(crate) use revoke::{RevokeArgs, Target};
pub(crate) use rotate::RotateArgs;
pub(crate) use update::UpdateArgs;
pub(crate) use validate::ValidateArgs;
pub(crate) use value::{AuthTime, Lifetime, TimeArg};

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 refused or not found; 2 wrong arguments or input; 3 the store is unavailable;
130 interrupted.

Examples:
  keyfob demo
  keyfob issue --subject user123 --scope read --ttl 15m
  keyfob validate --scope read < bearer.txt
  keyfob list subject:user123 state:active
  keyfob revoke --subject user123 --reason 'password changed'

'keyfob --help' says more: stores, JSON, exit codes.";

const AFTER_LONG_HELP: &str = "\
Stores:
  file:PATH                    one file; the default is keyfob/tokens.redb in the data directory of
                               the user. It is made by the first 'issue' or 'demo'. One process
                               opens it at a time; another waits for it for two seconds
  memory:                      nothing is kept when the command ends
  redis://[[user]:password@]host[:port][/database]
  redis+cluster://host:port,…  redis+sentinel://host:port,…/primary
                               Redis 7 or Valkey; with TLS rediss:// and so on. After a ?: namespace,
                               lanes, wait, response_timeout, connect_timeout, ca
A password in --store can be seen by others on this machine: put such a URL into KEYFOB_STORE.

JSON (--json), one object per line on stdout:
  token     {\"id\",\"kind\",\"state\",\"subject\",\"issuer\",\"audience\":[],\"scopes\":[],\"client\",
            \"issued_at\",\"not_before\",\"expires_at\",\"idle_timeout\",\"absolute_expiry\",\"last_used\",
            \"family\",\"uses_left\",\"metadata\":{\"device\":{\"id\",\"user_agent\",\"ip\",\"platform\",
            \"version\"},\"app\",\"app_version\",\"labels\":{},\"tags\":[]},\"claims\":{},
            \"revocation\":{\"at\",\"reason\",\"by\",\"through\"}|null}
            from show, list and update; issue, derive and rotate add \"bearer\"
  refresh   {\"case\":\"rotated\"|\"replayed\",\"access\":{…},\"refresh\":{…}}, each with \"bearer\"
  validate  {\"ok\":true,\"token\":{…}} or {\"ok\":false,\"code\",\"message\"}; with --all also
            \"refusals\":[{\"code\",\"message\"}]
  revoke    {\"target\":{…},\"outcome\":\"revoked\"|\"already_revoked\"|\"counted\"|\"interrupted\",…}
  history   {\"at\",\"by\",\"reason\",\"what\"}
  events    CloudEvents 1.0
  count     {\"count\"}
  limit     test {\"call\",\"admitted\",\"uncounted\",…} and show {…}, each with \"policy\",\"by\",
            \"limit\",\"remaining\",\"reset_after_ms\",\"retry_after_ms\"
  stats     {\"exact\",\"total\",\"by_state\":{},\"by_kind\":{},
            \"by_client\":[{\"client\",\"counts\":{}}],\"unsure\"}; a client without a name at hand has
            a \"digest\"
  keys      {\"key\",\"outcome\"}; list {\"key\",\"state\",\"created\",\"terms\",\"records\"};
            reseal {\"outcome\",\"resealed\",\"examined\",\"unreadable\",\"under\":{}}
  doctor    {\"ok\",\"store\",\"store_time\",\"node_time\",\"findings\":[{\"severity\",\"what\",\"advice\"}]}
  demo      {\"step\",\"title\",\"lines\":[]}
Times are RFC 3339 in UTC. On stderr:
  errors    {\"error\":{\"code\",\"message\",\"hint\"}}
  notes     {\"note\":{\"code\",\"message\",\"cursor\"}}
Codes are stable; messages are not.

Without --json, lists are tables on a terminal and tab-separated fields elsewhere.

Exit codes:
  0    done
  1    refused, or not found
  2    the arguments or the input are wrong
  3    the store is unavailable, or is none
  130  interrupted (events --follow, which ends no other way, exits with 0)

Environment:
  KEYFOB_STORE    as --store
  KEYFOB_KEYS     as --keys: where the key ring is, and never the ring itself
  KEYFOB_METRICS  as --metrics; a file that ends in .prom is for the node exporter
  KEYFOB_PREFIX   as --prefix
  KEYFOB_LOG      what is logged to stderr: a level, or levels by module (keyfob=debug,warn)
  NO_COLOR        no colours, even on a terminal";

/// Issue tokens, check them, and take them back
///
/// keyfob issues opaque bearer tokens, answers whether one is good and whose it is, and takes them
/// back. It keeps them in a file or in Redis.
#[derive(Debug, Parser)]
#[command(name = "keyfob", version, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Where the tokens are: file:PATH, redis://… or memory:
    #[arg(
        long,
        global = true,
        env = "KEYFOB_STORE",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Everywhere"
    )]
    pub(crate) store: Option<String>,

    /// Where the keys are that seal the store: FILE, env:VARIABLE or command:COMMAND
    #[arg(
        long,
        global = true,
        env = "KEYFOB_KEYS",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Everywhere"
    )]
    pub(crate) keys: Option<KeySource>,

    /// Write JSON, one object per line
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,

    /// When done, write what was counted to this file, as Prometheus reads it
    #[arg(
        long,
        global = true,
        env = "KEYFOB_METRICS",
        value_name = "FILE",
        help_heading = "Everywhere"
    )]
    pub(crate) metrics: Option<std::path::PathBuf>,

    /// The word that bearers start with: 3 to 16 of a-z and 0-9
    #[arg(
        long,
        global = true,
        env = "KEYFOB_PREFIX",
        value_name = "WORD",
        default_value = "fob",
        help_heading = "Everywhere"
    )]
    pub(crate) prefix: BearerPrefix,

    /// Log more to stderr; -vv and -vvv still more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub(crate) verbose: u8,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Walk through the life of a token
    ///
    /// Issues a token, validates it, finds it, revokes it and shows that it is refused, all on the
    /// store that is named.
    Demo(DemoArgs),
    /// Issue a token, or many from a file
    Issue(Box<IssueArgs>),
    /// Say whether a bearer is good
    Validate(Box<ValidateArgs>),
    /// Exchange a refresh token for an access token and the next refresh token
    Refresh(Box<RefreshArgs>),
    /// Derive a narrower token for a service or an agent
    Derive(Box<DeriveArgs>),
    /// Give an API key a new secret
    Rotate(RotateArgs),
    /// Show one token in full
    Show(ShowArgs),
    /// List the tokens that match a filter
    List(ListArgs),
    /// Count the tokens that match a filter
    Count(CountArgs),
    /// Revoke one token, a family, or all of a subject, a client, a filter or the store
    Revoke(Box<RevokeArgs>),
    /// Change the metadata of a token
    Update(Box<UpdateArgs>),
    /// Tell what happened to a token
    History(HistoryArgs),
    /// Print events, and go on printing them as they come
    Events(EventsArgs),
    /// Count all tokens by kind, state and client
    ///
    /// It reads counts that are kept as tokens are written, so it costs the same however many there
    /// are. A token is counted until its end. Within an eighth of a life before that, and before a
    /// beginning, the numbers are estimates, and it says for how many tokens. Some of the tokens that
    /// ended with one that they descend from, or with a subject that has very many, may be counted as
    /// active until their time is over.
    #[command(
        after_help = "Examples:\n  keyfob stats\n  keyfob stats --json\n  keyfob stats --exact"
    )]
    Stats(StatsArgs),
    /// Try a rate limit, or show how one stands
    Limit(Box<LimitArgs>),
    /// Check the store, the clock and the settings, and say what to mend
    ///
    /// Exits with 1 when there is a fault: something with which a promise of keyfob does not hold.
    #[command(after_help = "Examples:\n  keyfob doctor\n  keyfob doctor --json")]
    Doctor,
    /// Generate, list, activate and retire the keys that seal a store, and reseal it
    Keys(KeysArgs),
    /// Print completions for a shell
    #[command(
        after_help = "Examples:\n  keyfob completions bash > ~/.local/share/bash-completion/completions/keyfob\n  \
                      keyfob completions fish > ~/.config/fish/completions/keyfob.fish"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of keyfob or of one of its commands
    #[command(
        after_help = "Examples:\n  keyfob man | man -l -\n  keyfob man issue > keyfob-issue.1"
    )]
    Man {
        /// The command; without it, keyfob itself
        command: Option<String>,
    },
    /// Print a regular expression that finds bearers, for secret scanners
    #[command(
        after_help = "Examples:\n  keyfob scanner-regex\n  git grep -nP \"$(keyfob scanner-regex)\""
    )]
    ScannerRegex,
}

/// How tokens are counted.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    /// Look at every token instead: exact, and with those that are expired and not yet forgotten; on
    /// a large store that takes a while and puts load on it
    #[arg(long)]
    pub(crate) exact: bool,
}

/// The file that something is read from, or stdin.
pub(crate) fn source(path: Option<&PathBuf>) -> crate::input::Source {
    path.map_or(crate::input::Source::Stdin, |path| crate::input::Source::named(path))
}
