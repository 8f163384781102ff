//! `issue`: what is to be granted.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use keyfob::{
    Actor, AppId, Audience, AuthenticationContext, AuthenticationMethod, ClaimText, ClientId,
    DeviceId, Issuer, Kind, Platform, Scope, Subject, Tag, Ttl, UserAgent, Username, Version,
};

use super::value::{self, AuthTime, Claim, Label, Lifetime, TimeArg};

const AFTER_HELP: &str = "\
The bearer is shown once and stored nowhere. Usual lifetimes: access 1h, session 1d, refresh 30d,
api-key 365d.

With --from, each line is an object with any of: kind, subject, issuer, audience [], scopes [],
client, username, auth_time, acr, amr [], cnf {jkt or x5t#S256}, ttl, expires_at, not_before, idle, absolute, uses, metadata {device {id,
user_agent, ip, platform, version}, app, app_version, labels {}, tags []}, claims {}. A line that is
refused is named on stderr and the others are issued; then the exit code is 2. Elsewhere than on a
terminal each line of the output is id, kind, expiry and bearer, separated by tabs.

Examples:
  keyfob issue --subject user123 --scope read --scope write --ttl 15m
  keyfob issue --kind api-key --client acme --ttl never --label environment=production
  keyfob issue --kind session --subject user123 --idle 30m --absolute 12h --device-id phone-7
  keyfob issue --subject user123 --auth-time now --acr aal2 --amr pwd --amr otp
  keyfob issue --subject user123 --claim 'plan=\"team\"' --claim seats=12
  keyfob issue --from grants.jsonl --json > issued.jsonl";

/// Issue a token, or many from a file
///
/// Issues a token and shows its bearer, once: only a digest of it is stored.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    pub(crate) grant: GrantArgs,

    /// Issue one token for each line of JSON in this file; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "grant", help_heading = "Many at once")]
    pub(crate) from: Option<PathBuf>,

    /// Who issues it, for the events and the history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,
}

/// What one token is to be.
#[derive(Debug, Args)]
#[group(id = "grant", multiple = true)]
pub(crate) struct GrantArgs {
    /// What it is for; access unless it is said
    #[arg(long, value_parser = value::kind())]
    pub(crate) kind: Option<Kind>,

    /// Whom it speaks for
    #[arg(long)]
    pub(crate) subject: Option<Subject>,

    /// Who issues it, as validators see it
    #[arg(long)]
    pub(crate) issuer: Option<Issuer>,

    /// Whom it is meant for; may be repeated
    #[arg(long)]
    pub(crate) audience: Vec<Audience>,

    /// What it allows; may be repeated
    #[arg(long)]
    pub(crate) scope: Vec<Scope>,

    /// The client that it is issued to
    #[arg(long)]
    pub(crate) client: Option<ClientId>,

    /// A name of the subject for people to read
    #[arg(long)]
    pub(crate) username: Option<Username>,

    /// When the subject was authenticated: now, or 2026-12-01T00:00:00Z
    #[arg(long, value_name = "TIME", help_heading = "Authentication")]
    pub(crate) auth_time: Option<AuthTime>,

    /// How strongly it was authenticated
    #[arg(long, requires = "auth_time", value_name = "CONTEXT", help_heading = "Authentication")]
    pub(crate) acr: Option<AuthenticationContext>,

    /// By what it was authenticated, such as pwd or otp; may be repeated
    #[arg(long, requires = "auth_time", value_name = "METHOD", help_heading = "Authentication")]
    pub(crate) amr: Vec<AuthenticationMethod>,

    /// The thumbprint of the DPoP key that its presenter has to prove
    #[arg(long, value_name = "THUMBPRINT", help_heading = "Authentication")]
    pub(crate) jkt: Option<ClaimText>,

    /// The thumbprint of the certificate that its presenter has to show
    #[arg(
        long = "x5t-s256",
        value_name = "THUMBPRINT",
        conflicts_with = "jkt",
        help_heading = "Authentication"
    )]
    pub(crate) certificate: Option<ClaimText>,

    /// How long it is good: 15m, 36h, 90d, '1h 30m', or never
    #[arg(long, value_name = "DURATION", conflicts_with = "expires_at", help_heading = "Lifetime")]
    pub(crate) ttl: Option<Lifetime>,

    /// When it ends: 2027-01-01T00:00:00Z, or +15m from now
    #[arg(long, value_name = "TIME", help_heading = "Lifetime")]
    pub(crate) expires_at: Option<TimeArg>,

    /// When it starts to be good: 2026-12-01T00:00:00Z, or +5m from now
    #[arg(long, value_name = "TIME", help_heading = "Lifetime")]
    pub(crate) not_before: Option<TimeArg>,

    /// How long it may go unused
    #[arg(long, value_name = "DURATION", help_heading = "Lifetime")]
    pub(crate) idle: Option<Ttl>,

    /// The life that no renewal can pass
    #[arg(long, value_name = "DURATION", help_heading = "Lifetime")]
    pub(crate) absolute: Option<Ttl>,

    /// How often it may be used
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Lifetime"
    )]
    pub(crate) uses: Option<u32>,

    /// What the application calls the device
    #[arg(long, value_name = "ID", help_heading = "Metadata")]
    pub(crate) device_id: Option<DeviceId>,

    /// The User-Agent that asks for it
    #[arg(long, value_name = "TEXT", help_heading = "Metadata")]
    pub(crate) user_agent: Option<UserAgent>,

    /// The address that asks for it
    #[arg(long, value_name = "ADDRESS", help_heading = "Metadata")]
    pub(crate) ip: Option<IpAddr>,

    /// The platform of the device, such as iOS
    #[arg(long, help_heading = "Metadata")]
    pub(crate) platform: Option<Platform>,

    /// The version of the platform
    #[arg(long, value_name = "VERSION", help_heading = "Metadata")]
    pub(crate) device_version: Option<Version>,

    /// The application that it is for
    #[arg(long, help_heading = "Metadata")]
    pub(crate) app: Option<AppId>,

    /// The version of the application
    #[arg(long, value_name = "VERSION", help_heading = "Metadata")]
    pub(crate) app_version: Option<Version>,

    /// A label; may be repeated with other keys
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "Metadata")]
    pub(crate) label: Vec<Label>,

    /// A tag; may be repeated
    #[arg(long, help_heading = "Metadata")]
    pub(crate) tag: Vec<Tag>,

    /// A claim of the application's own; may be repeated with other names
    #[arg(long, value_name = "NAME=JSON", action = ArgAction::Append)]
    pub(crate) claim: Vec<Claim>,
}
