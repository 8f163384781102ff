//! The definition of the command line, one file per group of commands.
//!
//! Values are parsed into domain types here. An error never repeats a refused value: it may be a
//! secret in the wrong argument.

mod client;
mod config;
mod demo;
mod derive;
mod issue;
mod keys;
mod leaked;
mod limit;
mod proven_key;
mod query;
mod recover;
mod refresh;
mod revoke;
mod rotate;
mod serve;
mod server;
mod update;
mod validate;
mod webhook;

use clap::{ArgAction, Parser, Subcommand};
use keyfob::BearerPrefix;

use crate::failure::Failure;
use crate::key_source::KeySource;

pub(crate) use client::{ClientAddArgs, ClientArgs, ClientCommand};
pub(crate) use config::{ConfigArgs, ConfigCommand};
pub(crate) use demo::DemoArgs;
pub(crate) use derive::DeriveArgs;
pub(crate) use issue::IssueArgs;
pub(crate) use keys::{KeysArgs, KeysCommand};
pub(crate) use leaked::LeakedArgs;
pub(crate) use limit::{CountedArgs, LimitAction, LimitArgs, LimitTestArgs, PolicyArgs};
pub(crate) use query::{CountArgs, EventsArgs, EventsStart, HistoryArgs, ListArgs, ShowArgs, Sort};
pub(crate) use recover::RecoverArgs;
pub(crate) use refresh::RefreshArgs;
pub(crate) use revoke::{RevokeArgs, Target};
pub(crate) use rotate::RotateArgs;
pub(crate) use serve::{InitArgs, ServeArgs};
pub(crate) use server::{Needs, Place, PlaceFlags, ServerSettings};
pub(crate) use update::UpdateArgs;
pub(crate) use validate::ValidateArgs;
pub(crate) use webhook::{TokensArgs, WebhookArgs, WebhookCommand};

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 refused or not found; 2 invalid arguments or input; 3 store unavailable;
130 interrupted.

Examples:
  keyfob demo
  keyfob issue --subject user123 --scope read --ttl 15m
  keyfob validate --scope read < bearer.txt
  keyfob list subject:user123 state:active
  keyfob revoke --subject user123 --reason 'password changed'

Run 'keyfob --help' for stores, JSON and exit codes.";

const AFTER_LONG_HELP: &str = "\
Stores:
  file:PATH                    one file; the default is keyfob/tokens.redb in the data directory of
                               the user. The first 'issue' or 'demo' creates it, and a file
                               beside it that sets room aside for revocations on a full disk.
                               Commands take turns, also with 'events --follow'. While a service
                               has the file, they fail. Who may only read the file can list,
                               show and validate
  memory:                      memory; discarded when the command ends
  redis://[user[:password]@]host[:port][/database]
  redis+unix://[user[:password]@]/path/of/the/socket
  redis+cluster://host:port,…  redis+sentinel://host:port,…/primary
                               Redis 7 or Valkey. For TLS use rediss://, rediss+cluster:// or
                               rediss+sentinel://. Options after ?: namespace, lanes, wait,
                               response_timeout, connect_timeout, budget, witness; ca, cert, key;
                               password_file, password_command, password_lifetime; sentinel_user,
                               sentinel_password, sentinel_password_file
Other users of this machine can see a password in --store. Put such a URL into KEYFOB_STORE.

JSON (--json), one object per line on stdout:
  token     {\"id\",\"kind\",\"state\",\"subject\",\"issuer\",\"audience\":[],\"scopes\":[],\"client\",
            \"issued_at\",\"not_before\",\"expires_at\",\"idle_timeout\",\"absolute_expiry\",\"last_used\",
            \"family\",\"uses_left\",\"metadata\":{\"device\":{\"id\",\"user_agent\",\"ip\",\"platform\",
            \"version\"},\"app\",\"app_version\",\"labels\":{},\"tags\":[]},\"claims\":{},
            \"revocation\":{\"at\",\"reason\",\"by\",\"through\"}|null}
            from show, list, update and client; issue, derive, rotate and client add add \"bearer\"
  refresh   {\"case\":\"rotated\"|\"replayed\",\"access\":{…},\"refresh\":{…}}, each with \"bearer\"
  validate  {\"ok\":true,\"token\":{…}} or {\"ok\":false,\"code\",\"message\"}; with --all also
            \"refusals\":[{\"code\",\"message\"}]; for an API key also
            \"secret\":{\"used\":\"newest\"|\"older\",\"until\"}
  revoke    {\"target\":{…},\"outcome\":\"revoked\"|\"already_revoked\"|\"counted\"|\"interrupted\",…}
  recover   {\"outcome\":\"recovered\"|\"counted\",\"lines\",\"malformed\",\"gap\",\"tokens\",\"families\",
            \"subjects\",\"clients\",\"all\",\"count\",\"already_revoked\",\"not_found\",\"unreadable\"}
  history   {\"at\",\"by\",\"reason\",\"what\"}
  events    CloudEvents 1.0
  count     {\"count\"}
  limit     test {\"call\",\"admitted\",\"uncounted\",…} and show {…}, each with \"policy\",\"by\",
            \"limit\",\"remaining\",\"reset_after_ms\",\"retry_after_ms\"
  stats     {\"exact\",\"total\",\"by_state\":{},\"by_kind\":{},
            \"by_client\":[{\"client\",\"counts\":{}}],\"unsure\"}; a client whose name is not
            available has a \"digest\"
  keys      {\"key\",\"outcome\"}; list {\"key\",\"state\",\"created\",\"terms\",\"records\"};
            reseal {\"outcome\",\"resealed\",\"examined\",\"unreadable\",\"under\":{}}
  doctor    {\"ok\",\"store\",\"store_time\",\"node_time\",\"findings\":[{\"severity\",\"what\",\"advice\"}]}
  config    check {\"ok\":true}; show: every setting
  serve     {\"url\"}, with --dev also \"admin_key\"; init {\"admin_key\"}
  demo      {\"step\",\"title\",\"lines\":[]}
Times are RFC 3339 in UTC. On stderr:
  errors    {\"error\":{\"code\",\"message\",\"hint\"}}
  notes     {\"note\":{\"code\",\"message\",\"cursor\"}}
  logs      {\"log\":{\"level\",\"target\",\"message\",…}}
Codes are stable; messages are not.

Without --json, lists are tables on a terminal and tab-separated fields elsewhere.

Exit codes:
  0    done
  1    refused, or not found
  2    the arguments or the input are not valid
  3    the store is unavailable, or is not a store
  130  interrupted (events --follow exits with 0: an interrupt is its normal end)

Servers:
  With --server URL, a command asks a server ('keyfob serve') instead of opening a store, with the
  same output and exit codes. Its API key is in KEYFOB_TOKEN, or in a file: --token-file. A server
  records the client of that key, so there is no --by. These work on a store only: serve, init,
  demo, and revoke --wait. 'webhook' works through a server only. 'keys list' shows the ring of the server, unless --keys names another one;
  'keys generate' and 'keys activate' change the ring of --keys, and 'keys retire' that and the store
  of the server.

Environment:
  KEYFOB_STORE    same as --store
  KEYFOB_SERVER   same as --server; KEYFOB_TOKEN has the API key, KEYFOB_TOKEN_FILE names its file
  KEYFOB_KEYS     same as --keys: the source of the key ring, never the ring itself
  KEYFOB_METRICS  same as --metrics; the node exporter reads files that end in .prom
  KEYFOB_PREFIX   same as --prefix
  KEYFOB_CONFIG   same as --config of serve and config
  KEYFOB_LOG      the log filter for stderr: a level, or levels by module (keyfob=debug,warn)
  NO_COLOR        disables colours, also on a terminal";

/// Issue, validate and revoke tokens
///
/// keyfob issues opaque bearer tokens, validates them and revokes them. It stores them in a file or in
/// Redis.
#[derive(Debug, Parser)]
#[command(name = "keyfob", version, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The settings of every command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// The token store: file:PATH, redis://… or memory:
    #[arg(
        long,
        global = true,
        env = "KEYFOB_STORE",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub(crate) store: Option<String>,

    /// Whether `--store` itself, not the environment, gave a URL with a password.
    #[arg(skip)]
    pub(crate) password_is_in_argument: bool,

    /// Which of `--store` and `--server` are flags, not variables of the environment.
    #[arg(skip)]
    pub(crate) place_flags: PlaceFlags,

    #[command(flatten)]
    pub(crate) server: ServerSettings,

    /// The settings that the command line itself gave, not the environment: flag, name in the
    /// configuration, text.
    #[arg(skip)]
    pub(crate) flags: Vec<(&'static str, &'static str, String)>,

    /// The key ring that seals the store: FILE, env:VARIABLE or command:COMMAND
    #[arg(
        long,
        global = true,
        env = "KEYFOB_KEYS",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub(crate) keys: Option<KeySource>,

    /// Write JSON, one object per line
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    /// Do not shorten tables to the width of the terminal
    ///
    /// A table on a terminal has its width: names are cut, times have no milliseconds or are relative. With
    /// this, all of it is shown. COLUMNS sets another width.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) wide: bool,

    /// Write metrics to this file at the end, in the text format of Prometheus
    #[arg(
        long,
        global = true,
        env = "KEYFOB_METRICS",
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub(crate) metrics: Option<std::path::PathBuf>,

    /// The prefix of bearers: 3 to 16 characters of a-z and 0-9
    #[arg(
        long,
        global = true,
        env = "KEYFOB_PREFIX",
        value_name = "WORD",
        default_value = "fob",
        help_heading = "Global options"
    )]
    pub(crate) prefix: BearerPrefix,

    /// Log more to stderr. Use -vv or -vvv for still more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the life of a token, step by step
    ///
    /// Issues a token, validates it, finds it, revokes it and shows that it is refused. Runs on the
    /// store of --store. It prints a time as 2025-09-12 10:30:00 +0000 UTC, where other commands
    /// print 2025-09-12T10:30:00Z.
    Demo(DemoArgs),
    /// Issue a token, or many from a file
    Issue(Box<IssueArgs>),
    /// Check whether a bearer is valid
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
    /// Revoke bearers that were found where they should not be
    Leaked(LeakedArgs),
    /// Revoke again what a restored store has forgotten, from an audit log
    Recover(RecoverArgs),
    /// Change the metadata of a token
    Update(Box<UpdateArgs>),
    /// Show the changes of a token
    History(HistoryArgs),
    /// Print events, and optionally wait for new ones
    Events(EventsArgs),
    /// Count all tokens by kind, state and client
    ///
    /// Reads counters that the store updates with every write, so the cost does not depend on the
    /// number of tokens. A token is counted until it expires. Within an eighth of its lifetime before
    /// it expires or becomes valid, its count is an estimate. The output says for how many tokens.
    /// Some tokens that ended with an ancestor, or with a subject that has very many tokens, may be
    /// counted as active until they expire.
    #[command(
        after_help = "Examples:\n  keyfob stats\n  keyfob stats --json\n  keyfob stats --exact"
    )]
    Stats(StatsArgs),
    /// Test a rate limit, or show its status
    Limit(Box<LimitArgs>),
    /// Check the store, the clock and the settings, and report what to fix
    ///
    /// Exits with 1 if there is a fault. With a fault, a guarantee of keyfob does not hold.
    #[command(after_help = "Examples:\n  keyfob doctor\n  keyfob doctor --json")]
    Doctor,
    /// Serve tokens over HTTP: OAuth endpoints, an API, and checks for gateways
    Serve(Box<ServeArgs>),
    /// Check and show the configuration of serve
    Config(ConfigArgs),
    /// Make the first admin key of a store
    Init(InitArgs),
    /// Add, list, rotate and disable the clients of a server
    Client(ClientArgs),
    /// Have events sent to receivers: add, list, test and change webhooks, and their dead letters
    Webhook(WebhookArgs),
    /// Generate, list, activate and retire the keys that seal a store, and reseal it
    Keys(KeysArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  keyfob completions bash > ~/.local/share/bash-completion/completions/keyfob\n  \
                      keyfob completions fish > ~/.config/fish/completions/keyfob.fish"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of keyfob or of a command
    #[command(
        after_help = "Examples:\n  keyfob man | man -l -\n  keyfob man issue > keyfob-issue.1"
    )]
    Man {
        /// The command. Default: keyfob itself
        command: Option<String>,
    },
    /// Print a regular expression that finds bearers, for secret scanners
    #[command(
        after_help = "Examples:\n  keyfob scanner-regex\n  git grep -nP \"$(keyfob scanner-regex)\""
    )]
    ScannerRegex,
}

impl Command {
    /// Whether the command may run for long, so that its log is read like that of a service.
    pub(crate) fn is_long_running(&self) -> bool {
        match self {
            Self::Serve(_) => true,
            Self::Events(args) => args.follow,
            Self::Issue(args) => args.from.is_some(),
            Self::Revoke(args) => matches!(args.target(), Some(Target::Matching(_))),
            _ => false,
        }
    }
}

impl Settings {
    /// Where the tokens are.
    pub(crate) fn place(&self) -> Result<Place<'_>, Failure> {
        self.server.place(self.store.as_deref(), self.place_flags)
    }
}

impl Command {
    /// What the command needs.
    pub(crate) fn needs(&self) -> Needs {
        match self {
            Self::Issue(_)
            | Self::Validate(_)
            | Self::Derive(_)
            | Self::Rotate(_)
            | Self::Show(_)
            | Self::List(_)
            | Self::Count(_)
            | Self::Update(_)
            | Self::History(_)
            | Self::Events(_)
            | Self::Stats(_)
            | Self::Client(_)
            | Self::Refresh(_)
            | Self::Leaked(_)
            | Self::Recover(_)
            | Self::Limit(_)
            | Self::Doctor => Needs::Tokens,
            Self::Webhook(_) => Needs::Server("a server sends the events"),
            Self::Revoke(args) if args.wait.is_some() => {
                Needs::Store("a server waits for as many replicas as its own --store says")
            }
            Self::Revoke(_) => Needs::Tokens,
            Self::Demo(_) => {
                Needs::Store("the demo issues and revokes tokens of a store of its own")
            }
            Self::Serve(_) => Needs::Store("this is the server"),
            Self::Init(_) => Needs::Store("a server takes no request before there is a first key"),
            Self::Keys(KeysArgs { command }) if command.needs_store() => Needs::Tokens,
            Self::Keys(_)
            | Self::Config(_)
            | Self::Completions { .. }
            | Self::Man { .. }
            | Self::ScannerRegex => Needs::Nothing,
        }
    }
}

/// The arguments of `stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    /// Read every token instead. The result is exact and includes expired tokens that are still stored.
    /// On a large store this is slow and causes load
    #[arg(long)]
    pub(crate) exact: bool,
}
