//! The arguments of `revoke`.

use clap::{ArgAction, ArgGroup, Args};
use keyfob::manager::PageCursor;
use keyfob::values::{Actor, FamilyId, Reason};
use keyfob::{ClientId, RevokeRequest, Subject, TokenId};

use crate::values::BindArg;

const AFTER_HELP: &str = "\
A family, a subject, a client or the whole store is revoked in one step, for any number of tokens.
With --where, the matching tokens are revoked page by page. Tokens that are issued meanwhile may be
missed. Run the command again until --dry-run counts 0.

Bind a value that comes from elsewhere, so that nothing in it is parsed as a filter. Put the filter in
single quotes, so that the shell leaves $who alone.

On a terminal, --all and --where ask for confirmation. Without a terminal, --all needs --yes.

Examples:
  keyfob revoke tok_00d1h88n000000000000000001 --reason 'user logout' --by ops
  keyfob revoke --subject user123 --reason 'password changed'
  keyfob revoke --where 'app:shop tag:beta' --dry-run
  keyfob revoke --where 'subject:$who kind:session' --bind who=\"$WHO\" --dry-run
  keyfob revoke --where 'app:shop tag:beta' --throttle 500 --yes
  keyfob revoke --all --reason 'signing host compromised' --yes";

/// The targets that are revoked in one step. They cannot be throttled or resumed. Clap ignores
/// `requires` when another target is present, so these conflict explicitly.
const ONE_STEP: [&str; 5] = ["id", "family", "subject", "client", "all"];

/// Revoke one token, a family, or all of a subject, a client, a filter or the store
///
/// A revocation is final. A token keeps its first revocation and its reason.
#[derive(Debug, Args)]
#[command(
    after_help = AFTER_HELP,
    group = ArgGroup::new("target")
        .required(true)
        .args(["id", "family", "subject", "client", "all", "matching"])
)]
pub(crate) struct RevokeArgs {
    /// Revoke one token and all tokens that were minted from it
    id: Option<TokenId>,

    /// Revoke a family: its root token and all tokens that were minted from it
    #[arg(long, value_name = "ID")]
    family: Option<FamilyId>,

    /// Revoke all tokens of a subject
    #[arg(long)]
    subject: Option<Subject>,

    /// Revoke all tokens of a client
    #[arg(long)]
    client: Option<ClientId>,

    /// Revoke every token of the store
    #[arg(long)]
    all: bool,

    /// Revoke all tokens that match a filter
    #[arg(long = "where", value_name = "FILTER")]
    matching: Option<String>,

    /// Bind a value to the name $NAME in the filter. It is never parsed as a filter
    #[arg(
        long,
        value_name = "NAME=VALUE",
        action = ArgAction::Append,
        requires = "matching",
        conflicts_with_all = ONE_STEP,
        help_heading = "With --where"
    )]
    pub(crate) bind: Vec<BindArg>,

    /// The reason to record
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    by: Option<Actor>,

    /// Only count the tokens that would be revoked
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The maximum number of tokens to revoke per second
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        requires = "matching",
        conflicts_with_all = ONE_STEP,
        help_heading = "With --where"
    )]
    pub(crate) throttle: Option<u32>,

    /// Resume an interrupted run at this cursor
    #[arg(
        long,
        value_name = "CURSOR",
        requires = "matching",
        conflicts_with_all = ONE_STEP,
        help_heading = "With --where"
    )]
    pub(crate) resume: Option<PageCursor>,

    /// Do not ask for confirmation
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// The tokens to revoke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Token(TokenId),
    Family(FamilyId),
    Subject(Subject),
    Client(ClientId),
    All,
    Matching(String),
}

impl RevokeArgs {
    /// The target. The argument group requires exactly one.
    pub(crate) fn target(&self) -> Option<Target> {
        let named = [
            self.id.map(Target::Token),
            self.family.map(Target::Family),
            self.subject.clone().map(Target::Subject),
            self.client.clone().map(Target::Client),
            self.matching.clone().map(Target::Matching),
            self.all.then_some(Target::All),
        ];
        named.into_iter().flatten().next()
    }

    /// The reason and the actor.
    pub(crate) fn request(&self) -> RevokeRequest {
        let request = match self.reason.clone() {
            Some(reason) => RevokeRequest::reason(reason),
            None => RevokeRequest::default(),
        };
        match self.by.clone() {
            Some(by) => request.by(by),
            None => request,
        }
    }
}
