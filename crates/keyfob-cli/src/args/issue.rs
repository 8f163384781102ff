//! The arguments of `issue`.

use std::path::PathBuf;

use clap::Args;
use keyfob::values::Actor;

use crate::grant_args::GrantArgs;

const AFTER_HELP: &str = "\
The bearer is shown once and not stored. Default lifetimes: access 1h, session 1d, refresh 30d,
api-key 365d.

With --from, each line is a JSON object. All fields are optional: kind, subject, issuer,
audience [], scopes [], client, username, auth_time, acr, amr [], cnf {jkt or x5t#S256}, ttl,
expires_at, not_before, idle, absolute, uses, metadata {device {id, user_agent, ip, platform,
version}, app, app_version, labels {}, tags []}, may_issue {scopes, audiences}, claims {}. Invalid lines are reported on stderr and
the other lines are issued. The exit code is then 2. Without --json, each output line has id, kind,
expiry and bearer, separated by tabs.

Examples:
  keyfob issue --subject user123 --scope read --scope write --ttl 15m
  keyfob issue --kind api-key --client acme --ttl never --label environment=production
  keyfob issue --kind session --subject user123 --idle 30m --absolute 12h --device-id phone-7
  keyfob issue --subject user123 --auth-time now --acr aal2 --amr pwd --amr otp
  keyfob issue --subject user123 --claim 'plan=\"team\"' --claim seats=12
  keyfob issue --from grants.jsonl --json > issued.jsonl";

/// Issue a token, or many from a file
///
/// Issues a token and shows its bearer once. The store keeps only a digest of the bearer.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    pub(crate) grant: GrantArgs,

    /// Issue one token for each line of JSON in this file. - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "grant", help_heading = "Batch")]
    pub(crate) from: Option<PathBuf>,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,
}
