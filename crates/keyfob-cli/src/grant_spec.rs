//! A grant as a user writes it: in flags of `issue`, or in a line of JSON.
//!
//! Both forms fill the same fields; [`GrantSpec::into_grant`] is the one place that turns them into a
//! [`Grant`]. Flags and JSON differ in the metadata, the claims and the confirmation: flags give them
//! one by one, JSON gives whole objects.

use std::net::IpAddr;

use clap::{ArgAction, Args};
use keyfob::token::{Confirmation, PrivateClaims};
use keyfob::values::{
    Actor, AppId, AuthenticationContext, AuthenticationMethod, ClaimText, Issuer, NameSet,
    Platform, UserAgent, Username, Version,
};
use keyfob::{
    Audience, ClientId, DeviceId, Error, Grant, Kind, Metadata, Scope, Subject, Tag, Timestamp, Ttl,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::values::{self, AuthTime, ClaimArg, LabelArg, Lifetime, TimeArg};

/// The fields of a grant.
#[derive(Clone, Debug, Args, Deserialize)]
#[group(id = "grant", multiple = true)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantSpec {
    /// The kind of the token. Default: access
    #[arg(long, value_parser = values::kind())]
    kind: Option<Kind>,

    /// The subject that the token speaks for
    #[arg(long)]
    subject: Option<Subject>,

    /// The issuer, as validators see it
    #[arg(long)]
    issuer: Option<Issuer>,

    /// A service that the token is meant for. Repeat for more
    #[arg(long)]
    #[serde(default, deserialize_with = "names")]
    audience: Vec<Audience>,

    /// A scope that the token allows. Repeat for more
    #[arg(long = "scope", value_name = "SCOPE")]
    #[serde(default, deserialize_with = "names")]
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
    #[serde(default, deserialize_with = "names")]
    amr: Vec<AuthenticationMethod>,

    /// The confirmation of JSON. Flags give `jkt` or `x5t-s256`.
    #[arg(skip)]
    cnf: Option<Confirmation>,

    /// The thumbprint of the DPoP key that the presenter must prove
    #[arg(long, value_name = "THUMBPRINT", help_heading = "Authentication")]
    #[serde(skip)]
    jkt: Option<ClaimText>,

    /// The thumbprint of the certificate that the presenter must show
    #[arg(
        long = "x5t-s256",
        value_name = "THUMBPRINT",
        conflicts_with = "jkt",
        help_heading = "Authentication"
    )]
    #[serde(skip)]
    certificate: Option<ClaimText>,

    /// How long the token is valid: 15m, 36h, 90d, '1h 30m', or never
    #[arg(long, value_name = "DURATION", conflicts_with = "expires_at", help_heading = "Lifetime")]
    ttl: Option<Lifetime>,

    /// When the token expires: 2027-01-01T00:00:00Z, or +15m from now
    #[arg(long, value_name = "TIME", help_heading = "Lifetime")]
    expires_at: Option<TimeArg>,

    /// When the token becomes valid: 2026-12-01T00:00:00Z, or +5m from now
    #[arg(long, value_name = "TIME", help_heading = "Lifetime")]
    not_before: Option<TimeArg>,

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

    /// The metadata of JSON. Flags give its fields.
    #[arg(skip)]
    metadata: Option<Metadata>,

    /// The application's id of the device
    #[arg(long, value_name = "ID", help_heading = "Metadata")]
    #[serde(skip)]
    device_id: Option<DeviceId>,

    /// The User-Agent of the request
    #[arg(long, value_name = "TEXT", help_heading = "Metadata")]
    #[serde(skip)]
    user_agent: Option<UserAgent>,

    /// The client address of the request
    #[arg(long, value_name = "ADDRESS", help_heading = "Metadata")]
    #[serde(skip)]
    ip: Option<IpAddr>,

    /// The platform of the device, such as iOS
    #[arg(long, help_heading = "Metadata")]
    #[serde(skip)]
    platform: Option<Platform>,

    /// The version of the platform
    #[arg(long, value_name = "VERSION", help_heading = "Metadata")]
    #[serde(skip)]
    device_version: Option<Version>,

    /// The application that uses the token
    #[arg(long, help_heading = "Metadata")]
    #[serde(skip)]
    app: Option<AppId>,

    /// The version of the application
    #[arg(long, value_name = "VERSION", help_heading = "Metadata")]
    #[serde(skip)]
    app_version: Option<Version>,

    /// A label. Repeat with other keys for more
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "Metadata")]
    #[serde(skip)]
    label: Vec<LabelArg>,

    /// A tag. Repeat for more
    #[arg(long, help_heading = "Metadata")]
    #[serde(skip)]
    tag: Vec<Tag>,

    /// The claims of JSON. Flags give them one by one.
    #[arg(skip)]
    claims: Option<Box<RawValue>>,

    /// A claim of the application. Repeat with other names for more
    #[arg(long, value_name = "NAME=JSON", action = ArgAction::Append)]
    #[serde(skip)]
    claim: Vec<ClaimArg>,
}

/// A reason why the fields do not make a grant. It contains no value of a field.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidGrantSpec {
    #[error("ttl and expires_at exclude each other. Remove one of them")]
    TwoExpiries,
    #[error("acr and amr need auth_time. Say when the subject was authenticated")]
    NoAuthTime,
    #[error(transparent)]
    Keyfob(#[from] Error),
}

impl GrantSpec {
    /// Builds the grant. Relative times count from `now`.
    pub(crate) fn into_grant(
        self,
        by: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Grant, InvalidGrantSpec> {
        if self.ttl.is_some() && self.expires_at.is_some() {
            return Err(InvalidGrantSpec::TwoExpiries);
        }
        let claims = self.private_claims()?;
        let amr = NameSet::from_names(self.amr).map_err(Error::from)?;
        let mut grant = Grant::new(self.kind.unwrap_or(Kind::Access));
        grant = self.subject.into_iter().fold(grant, Grant::subject);
        grant = self.issuer.into_iter().fold(grant, Grant::issuer);
        grant = self.audience.into_iter().fold(grant, Grant::audience);
        grant = self.scopes.into_iter().fold(grant, Grant::scope);
        grant = self.client.into_iter().fold(grant, Grant::client);
        grant = self.username.into_iter().fold(grant, Grant::username);
        grant = match self.auth_time {
            Some(at) => grant.authenticated(at.resolve(now), self.acr, amr),
            None if self.acr.is_none() && amr.is_empty() => grant,
            None => return Err(InvalidGrantSpec::NoAuthTime),
        };
        let jkt = self.jkt.map(Confirmation::Jkt);
        let certificate = self.certificate.map(Confirmation::CertificateThumbprint);
        grant = self.cnf.or(jkt).or(certificate).into_iter().fold(grant, Grant::confirmation);
        grant = match self.ttl {
            None => grant,
            Some(Lifetime::For(ttl)) => grant.ttl(ttl),
            Some(Lifetime::Never) => grant.never_expires(),
        };
        grant =
            self.expires_at.map(|at| at.resolve(now)).into_iter().fold(grant, Grant::expires_at);
        grant =
            self.not_before.map(|at| at.resolve(now)).into_iter().fold(grant, Grant::not_before);
        grant = self.idle.into_iter().fold(grant, Grant::idle_timeout);
        grant = self.absolute.into_iter().fold(grant, Grant::absolute_lifetime);
        grant = self.uses.into_iter().fold(grant, Grant::uses);
        grant = self.metadata.into_iter().fold(grant, Grant::metadata);
        grant = self.device_id.into_iter().fold(grant, Grant::device_id);
        grant = self.user_agent.into_iter().fold(grant, Grant::user_agent);
        grant = self.ip.into_iter().fold(grant, Grant::ip);
        grant = self.platform.into_iter().fold(grant, Grant::platform);
        grant = self.device_version.into_iter().fold(grant, Grant::device_version);
        grant = self.app.into_iter().fold(grant, Grant::app);
        grant = self.app_version.into_iter().fold(grant, Grant::app_version);
        grant =
            self.label.into_iter().fold(grant, |grant, label| grant.label(label.key, label.value));
        grant = self.tag.into_iter().fold(grant, Grant::tag);
        grant = by.cloned().into_iter().fold(grant, Grant::by);
        Ok(grant.private_claims(claims))
    }

    /// The claims, from the object of JSON or from the flags.
    fn private_claims(&self) -> Result<PrivateClaims, Error> {
        let claims = match &self.claims {
            Some(object) => PrivateClaims::from_json(object.get()),
            None => {
                let member = |claim: &ClaimArg| {
                    format!("{}:{}", serde_json::json!(claim.name.as_str()), claim.json)
                };
                let members: Vec<_> = self.claim.iter().map(member).collect();
                PrivateClaims::from_json(format!("{{{}}}", members.join(",")))
            }
        };
        Ok(claims?)
    }
}

/// Reads the names through a [`NameSet`], so that a line with too many names is refused.
fn names<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    NameSet<T>: Deserialize<'de>,
    T: Clone + Ord,
{
    let names = NameSet::<T>::deserialize(deserializer)?;
    Ok(names.iter().cloned().collect())
}
