//! `revoke`: what is taken back, why and by whom.

use clap::{ArgGroup, Args};
use keyfob::{Actor, ClientId, FamilyId, PageCursor, Reason, RevokeRequest, Subject, TokenId};

const AFTER_HELP: &str = "\
A subject, a client, a family and everything are revoked in one step, however many tokens there
are. --where walks the tokens that match: ones that are issued meanwhile may be missed, so run it
again until --dry-run counts none.

On a terminal, --all and --where ask first. Elsewhere, --all needs --yes.

Examples:
  keyfob revoke tok_00d1h88n000000000000000001 --reason 'user logout' --by ops
  keyfob revoke --subject user123 --reason 'password changed'
  keyfob revoke --where 'app:shop tag:beta' --dry-run
  keyfob revoke --where 'app:shop tag:beta' --throttle 500 --yes
  keyfob revoke --all --reason 'signing host compromised' --yes";

/// The targets that are revoked in one step, which can be neither throttled nor resumed. Clap does
/// not look at what an argument requires when another target is there, so they conflict as well.
const ONE_STEP: [&str; 5] = ["id", "family", "subject", "client", "all"];

/// Revoke one token, a family, or all of a subject, a client, a filter or the store
///
/// Revoking is final. The first revocation of a token is kept, with its reason.
#[derive(Debug, Args)]
#[command(
    after_help = AFTER_HELP,
    group = ArgGroup::new("target")
        .required(true)
        .args(["id", "family", "subject", "client", "all", "matching"])
)]
pub(crate) struct RevokeArgs {
    /// One token, and all that was minted from it
    id: Option<TokenId>,

    /// A family: the token at its root, and all that was minted from it
    #[arg(long, value_name = "ID")]
    family: Option<FamilyId>,

    /// Everything of a subject
    #[arg(long)]
    subject: Option<Subject>,

    /// Everything of a client
    #[arg(long)]
    client: Option<ClientId>,

    /// Every token of the store
    #[arg(long)]
    all: bool,

    /// Everything that matches a filter
    #[arg(long = "where", value_name = "FILTER")]
    matching: Option<String>,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,

    /// By whom
    #[arg(long, value_name = "ACTOR")]
    by: Option<Actor>,

    /// Only count what would be revoked
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Revoke at most so many tokens in a second
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        requires = "matching",
        conflicts_with_all = ONE_STEP,
        help_heading = "With --where"
    )]
    pub(crate) throttle: Option<u32>,

    /// Go on where an interrupted run stopped
    #[arg(
        long,
        value_name = "CURSOR",
        requires = "matching",
        conflicts_with_all = ONE_STEP,
        help_heading = "With --where"
    )]
    pub(crate) resume: Option<PageCursor>,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// What is taken back.
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
    /// What is to be revoked; the group sees to it that one thing is named.
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

    /// Why, and by whom.
    pub(crate) fn why(&self) -> RevokeRequest {
        let why = match self.reason.clone() {
            Some(reason) => RevokeRequest::reason(reason),
            None => RevokeRequest::default(),
        };
        match self.by.clone() {
            Some(by) => why.by(by),
            None => why,
        }
    }
}
