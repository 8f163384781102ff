//! The flags of `issue` that describe a token. They make the same [`GrantSpec`] that a line of JSON is.
//!
//! Flags and JSON differ in the metadata, the claims and the confirmation: flags give them one by one,
//! JSON gives whole objects.

use std::net::IpAddr;

use clap::{ArgAction, Args, ValueEnum};
use keyfob::token::Confirmation;
use keyfob::values::{
    AppId, AuthenticationContext, AuthenticationMethod, ClaimText, Issuer, NameSet, Platform,
    UserAgent, Username, Version,
};
use keyfob::{
    Audience, ClientId, DeviceId, InvalidValue, Kind, Metadata, Scope, Subject, Tag, Ttl,
};
use keyfob_api::{AuthTime, GrantSpec, Lifetime, TimeSpec, TokenFormat};
use serde_json::value::RawValue;

use crate::values::{self, ClaimArg, LabelArg};

/// The flags that describe a token.
#[derive(Clone, Debug, Args)]
#[group(id = "grant", multiple = true)]
pub(crate) struct GrantArgs {
    /// The kind of the token. Default: access
    #[arg(long, value_parser = values::kind())]
    kind: Option<Kind>,

    /// The form of the token: jwt, for services that check it offline. Default: opaque
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// The subject that the token speaks for
    #[arg(long)]
    subject: Option<Subject>,

    /// The issuer, as validators see it
    #[arg(long)]
    issuer: Option<Issuer>,

    /// A service that the token is meant for. Repeat for more
    #[arg(long)]
    audience: Vec<Audience>,

    /// A scope that the token allows. Repeat for more
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,

    /// The client that receives the token
    #[arg(long)]
    client: Option<ClientId>,

    /// A readable name of the subject
    #[arg(long)]
    username: Option<Username>,

    /// When the subject was authenticated: now, or 2026-12-01T00:00:00Z
    #[arg(long, value_name = "TIME", help_heading = "Authentication")]
    auth_time: Option<AuthTime>,

    /// How strongly the subject was authenticated
    #[arg(long, requires = "auth_time", value_name = "CONTEXT", help_heading = "Authentication")]
    acr: Option<AuthenticationContext>,

    /// An authentication method, such as pwd or otp. Repeat for more
    #[arg(long, requires = "auth_time", value_name = "METHOD", help_heading = "Authentication")]
    amr: Vec<AuthenticationMethod>,

    /// The thumbprint of the DPoP key that the presenter must prove
    #[arg(long, value_name = "THUMBPRINT", help_heading = "Authentication")]
    jkt: Option<ClaimText>,

    /// The thumbprint of the certificate that the presenter must show
    #[arg(
        long = "x5t-s256",
        value_name = "THUMBPRINT",
        conflicts_with = "jkt",
        help_heading = "Authentication"
    )]
    certificate: Option<ClaimText>,

    /// How long the token is valid: 15m, 36h, 90d, '1h 30m', or never
    #[arg(long, value_name = "DURATION", conflicts_with = "expires_at", help_heading = "Lifetime")]
    ttl: Option<Lifetime>,

    /// When the token expires: 2027-01-01T00:00:00Z, or +15m from now
    #[arg(long, value_name = "TIME", help_heading = "Lifetime")]
    expires_at: Option<TimeSpec>,

    /// When the token becomes valid: 2026-12-01T00:00:00Z, or +5m from now
    #[arg(long, value_name = "TIME", help_heading = "Lifetime")]
    not_before: Option<TimeSpec>,

    /// Expire the token when it is unused for this long
    #[arg(long, value_name = "DURATION", help_heading = "Lifetime")]
    idle: Option<Ttl>,

    /// The maximum lifetime, which no renewal can extend
    #[arg(long, value_name = "DURATION", help_heading = "Lifetime")]
    absolute: Option<Ttl>,

    /// How often the token may be used
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Lifetime"
    )]
    uses: Option<u32>,

    /// The application's id of the device
    #[arg(long, value_name = "ID", help_heading = "Metadata")]
    device_id: Option<DeviceId>,

    /// The User-Agent of the request
    #[arg(long, value_name = "TEXT", help_heading = "Metadata")]
    user_agent: Option<UserAgent>,

    /// The client address of the request
    #[arg(long, value_name = "ADDRESS", help_heading = "Metadata")]
    ip: Option<IpAddr>,

    /// The platform of the device, such as iOS
    #[arg(long, help_heading = "Metadata")]
    platform: Option<Platform>,

    /// The version of the platform
    #[arg(long, value_name = "VERSION", help_heading = "Metadata")]
    device_version: Option<Version>,

    /// The application that uses the token
    #[arg(long, help_heading = "Metadata")]
    app: Option<AppId>,

    /// The version of the application
    #[arg(long, value_name = "VERSION", help_heading = "Metadata")]
    app_version: Option<Version>,

    /// A label. Repeat with other keys for more
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "Metadata")]
    label: Vec<LabelArg>,

    /// A tag. Repeat for more
    #[arg(long, help_heading = "Metadata")]
    tag: Vec<Tag>,

    /// A claim of the application. Repeat with other names for more
    #[arg(long, value_name = "NAME=JSON", action = ArgAction::Append)]
    claim: Vec<ClaimArg>,
}

/// A form of tokens other than the usual one.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A signed JWT (RFC 9068)
    Jwt,
}

impl TryFrom<GrantArgs> for GrantSpec {
    type Error = InvalidValue;

    fn try_from(args: GrantArgs) -> Result<Self, InvalidValue> {
        let (metadata, claims) = (args.metadata()?, args.claims());
        let jkt = args.jkt.map(Confirmation::Jkt);
        let certificate = args.certificate.map(Confirmation::CertificateThumbprint);
        Ok(Self {
            kind: args.kind,
            subject: args.subject,
            issuer: args.issuer,
            audience: NameSet::from_names(args.audience)?,
            scopes: NameSet::from_names(args.scopes)?,
            client: args.client,
            username: args.username,
            auth_time: args.auth_time,
            acr: args.acr,
            amr: NameSet::from_names(args.amr)?,
            cnf: jkt.or(certificate),
            client_key: None,
            ttl: args.ttl,
            expires_at: args.expires_at,
            not_before: args.not_before,
            idle: args.idle,
            absolute: args.absolute,
            uses: args.uses,
            metadata: Some(metadata),
            format: args.format.map(|Format::Jwt| TokenFormat::Jwt),
            may_issue: None,
            claims,
        })
    }
}

impl GrantArgs {
    fn metadata(&self) -> Result<Metadata, InvalidValue> {
        let mut metadata = Metadata::default();
        metadata.device.id.clone_from(&self.device_id);
        metadata.device.user_agent.clone_from(&self.user_agent);
        metadata.device.ip = self.ip;
        metadata.device.platform.clone_from(&self.platform);
        metadata.device.version.clone_from(&self.device_version);
        metadata.app.clone_from(&self.app);
        metadata.app_version.clone_from(&self.app_version);
        for LabelArg { key, value } in &self.label {
            // A repeated key is an error: the last one must not win silently.
            metadata.labels.insert(key.clone(), value.clone())?;
        }
        metadata.tags = NameSet::from_names(self.tag.iter().cloned())?;
        Ok(metadata)
    }

    /// The claims as one object. Repeated names stay, so that they are refused.
    fn claims(&self) -> Option<Box<RawValue>> {
        if self.claim.is_empty() {
            return None;
        }
        let member =
            |claim: &ClaimArg| format!("{}:{}", serde_json::json!(claim.name.as_str()), claim.json);
        let members: Vec<_> = self.claim.iter().map(member).collect();
        // Each value was parsed as JSON, so the object is JSON.
        RawValue::from_string(format!("{{{}}}", members.join(","))).ok()
    }
}
