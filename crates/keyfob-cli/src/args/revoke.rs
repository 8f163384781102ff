//! The arguments of `revoke`.

use clap::{ArgAction, ArgGroup, Args};
use keyfob::manager::PageCursor;
use keyfob::values::{Actor, FamilyId, Reason};
use keyfob::{ClientId, Subject, TokenId};
use keyfob_api::RevokeTarget;
use keyfob_api::revoke::Everything;

use crate::backend::RevokeNote;
use crate::failure::Failure;
use crate::values::BindArg;

const AFTER_HELP: &str = "\
A family, a subject, a client or the whole store is revoked in one step, for any number of tokens.
With --where, the matching tokens are revoked page by page. Tokens that are issued meanwhile may be
missed. Run the command again until --dry-run counts 0.

Services that run send the revocations of the last minute again to a new primary after a fail-over,
also those of this command. Where none runs, nobody does. On Redis with replicas, --wait 1 makes it
return only when one replica has the revocation too.

Bind a value that comes from elsewhere, so that nothing in it is parsed as a filter. Put the filter in
single quotes, so that the shell leaves $who alone.

With --all and --where, the command asks for confirmation. Where it cannot ask, because stdin or stderr is
not a terminal, it needs --yes.

Examples:
  keyfob revoke tok_00d1h88n000000000000000001 --reason 'user logout' --by ops
  keyfob revoke --subject user123 --reason 'password changed'
  keyfob revoke --where 'app:shop tag:beta' --dry-run
  keyfob revoke --where 'subject:$who kind:session' --bind who=\"$WHO\" --dry-run
  keyfob revoke --where 'app:shop tag:beta' --throttle 500 --yes
  keyfob revoke --issued-before 2026-11-28T09:00:00Z --reason 'restored from a backup' --yes
  keyfob revoke tok_00d1h88n000000000000000001 --wait 1
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
        .args(["id", "family", "subject", "client", "all", "matching", "issued_before"])
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

    /// Revoke all tokens that were issued before this time, as in a filter: RFC 3339, a date, or -2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = filter_time)]
    issued_before: Option<String>,

    /// Return only when so many replicas of Redis have the revocation too
    ///
    /// If fewer have it in time, the command fails with outcome_unknown. It is safe to run it again.
    #[arg(long, value_name = "REPLICAS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) wait: Option<u32>,

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

impl Target {
    /// The target of a request that is done in one step.
    pub(crate) fn in_one_step(&self) -> Result<RevokeTarget, Failure> {
        Ok(match self {
            Self::Token(id) => RevokeTarget::Token(*id),
            Self::Family(family) => RevokeTarget::Family(*family),
            Self::Subject(subject) => RevokeTarget::Subject(subject.clone()),
            Self::Client(client) => RevokeTarget::Client(client.clone()),
            Self::All => RevokeTarget::All(Everything),
            Self::Matching(_) => {
                let message = "a filter is revoked page by page".into();
                return Err(Failure::Usage { code: "usage", message, details: String::new() });
            }
        })
    }
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
            self.issued_before
                .as_ref()
                .map(|time| Target::Matching(format!("issued-before:{time}"))),
            self.all.then_some(Target::All),
        ];
        named.into_iter().flatten().next()
    }

    /// The reason and the actor.
    pub(crate) fn note(&self) -> RevokeNote {
        RevokeNote { reason: self.reason.clone(), by: self.by.clone() }
    }
}

/// Refuses what would be more than a time in a filter.
fn filter_time(text: &str) -> Result<String, String> {
    let is_time = |c: char| c.is_ascii_alphanumeric() || "+-:./[]_".contains(c);
    if !text.is_empty() && text.chars().all(is_time) {
        Ok(text.to_owned())
    } else {
        Err("write a time as RFC 3339, a date, or a duration before now such as -2h".to_owned())
    }
}
