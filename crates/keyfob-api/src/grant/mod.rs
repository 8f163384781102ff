//! The request for a token, as JSON: a body of `POST /v1/tokens`, or a line of `keyfob issue --from`.

mod times;

pub use times::{AuthTime, Lifetime, TimeSpec};

use keyfob_core::invalid::InvalidValue;
use keyfob_core::names::NameSet;
use keyfob_core::text::{
    Actor, Audience, AuthenticationContext, AuthenticationMethod, ClientId, Issuer, Scope, Subject,
    Username,
};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{ClientKey, Confirmation, Grant, Kind, MayIssue, Metadata, PrivateClaims};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{self, InvalidJson};
#[cfg(feature = "schema")]
use crate::schema::{ConfirmationSchema, MetadataSchema, Names, Object, Text, TtlText};

/// The request for a token. All members are optional.
///
/// ```
/// use keyfob_api::GrantSpec;
/// use keyfob_core::{Timestamp, Ttl};
///
/// let spec = GrantSpec::from_json(r#"{"subject":"user123","scopes":["read"],"ttl":"15m"}"#)?;
/// let grant = spec.into_grant(None, Timestamp::default())?;
/// assert!(grant.check().is_ok());
/// let spec = GrantSpec { subject: Some("user123".parse()?), ..GrantSpec::default() };
/// assert_eq!(serde_json::to_string(&spec)?, r#"{"subject":"user123"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantSpec {
    /// The kind of the token. Default: access.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::KindSchema>"))]
    pub kind: Option<Kind>,
    /// The subject that the token speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub subject: Option<Subject>,
    /// The issuer, as validators see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub issuer: Option<Issuer>,
    /// The services that the token is meant for.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<256>>"))]
    pub audience: NameSet<Audience>,
    /// The scopes that the token allows.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<crate::schema::ScopeText>"))]
    pub scopes: NameSet<Scope>,
    /// The client that receives the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub client: Option<ClientId>,
    /// A readable name of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub username: Option<Username>,
    /// When the subject was authenticated: `now`, or RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<AuthTime>,
    /// How strongly the subject was authenticated. Needs `auth_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<128>>"))]
    pub acr: Option<AuthenticationContext>,
    /// How the subject was authenticated, such as `pwd` or `otp`. Needs `auth_time`.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<32>>"))]
    pub amr: NameSet<AuthenticationMethod>,
    /// The key whose possession the presenter must prove (RFC 7800).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<ConfirmationSchema>"))]
    pub cnf: Option<Confirmation>,
    /// The public key by which the client authenticates, as a JWK, instead of a secret: for API keys with a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::ClientKeySchema>"))]
    pub client_key: Option<ClientKey>,
    /// How long the token is valid: `15m`, `36h`, `90d`, or `never`. Excludes `expires_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Lifetime>,
    /// When the token expires: RFC 3339, or `+15m` from now. Excludes `ttl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<TimeSpec>,
    /// When the token becomes valid: RFC 3339, or `+5m` from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<TimeSpec>,
    /// The token expires when it is unused for this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub idle: Option<Ttl>,
    /// The maximum lifetime, which no renewal can extend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub absolute: Option<Ttl>,
    /// How often the token may be used: at least once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 4_294_967_295u32)))]
    pub uses: Option<u32>,
    /// The device, the application, labels and tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<MetadataSchema>"))]
    pub metadata: Option<Metadata>,
    /// The form of the token: `opaque`, or `jwt` for services that check it offline. Default: opaque.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<TokenFormat>,
    /// What the holder of an API key may hand out to others, in addition to what the key itself has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::MayIssueSchema>"))]
    pub may_issue: Option<MayIssue>,
    /// The application's own claims: an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Object>"))]
    pub claims: Option<Box<RawValue>>,
}

/// The form of an access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A text that says nothing. A service that takes it asks the service.
    #[default]
    Opaque,
    /// A signed JWT (RFC 9068), which can be checked without the service. It needs an audience and a client.
    Jwt,
}

/// Why a [`GrantSpec`] does not make a grant. It contains no value of a member.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidGrantSpec {
    /// Both `ttl` and `expires_at` are given.
    #[error("ttl and expires_at exclude each other. Remove one of them")]
    TwoExpiries,
    /// `acr` or `amr` is given without `auth_time`.
    #[error("acr and amr need auth_time. Say when the subject was authenticated")]
    NoAuthTime,
    /// A JWT is asked for where nobody can sign it.
    #[error("a JWT is issued by a server, which has the keys that sign it. Name one: --server URL")]
    NotAServer,
    /// A member is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
}

impl InvalidGrantSpec {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        "invalid_value"
    }
}

impl GrantSpec {
    /// Reads a specification from one object.
    ///
    /// # Errors
    /// If the text is not such an object. The error contains no value of it.
    pub fn from_json(text: &str) -> Result<Self, InvalidJson> {
        json::parse_object(text.as_bytes())
    }

    /// Builds the grant. Relative times count from `now`; `by` is recorded as the one who issues.
    ///
    /// The grant is for an opaque token. A server that issues JWTs takes [`GrantSpec::format`] out before.
    ///
    /// The values of the grant are checked when a token is issued, or by [`Grant::check`].
    ///
    /// # Errors
    /// If members exclude or need each other, or the claims are not valid.
    pub fn into_grant(self, by: Option<&Actor>, now: Timestamp) -> Result<Grant, InvalidGrantSpec> {
        if self.ttl.is_some() && self.expires_at.is_some() {
            return Err(InvalidGrantSpec::TwoExpiries);
        }
        if self.format == Some(TokenFormat::Jwt) {
            return Err(InvalidGrantSpec::NotAServer);
        }
        let claims = match &self.claims {
            Some(object) => PrivateClaims::from_json(object.get())?,
            None => PrivateClaims::none(),
        };
        let mut grant = Grant::new(self.kind.unwrap_or(Kind::Access));
        grant = self.subject.into_iter().fold(grant, Grant::subject);
        grant = self.issuer.into_iter().fold(grant, Grant::issuer);
        grant = self.audience.iter().cloned().fold(grant, Grant::audience);
        grant = self.scopes.iter().cloned().fold(grant, Grant::scope);
        grant = self.client.into_iter().fold(grant, Grant::client);
        grant = self.username.into_iter().fold(grant, Grant::username);
        grant = match self.auth_time {
            Some(at) => grant.authenticated(at.resolve(now), self.acr, self.amr),
            None if self.acr.is_none() && self.amr.is_empty() => grant,
            None => return Err(InvalidGrantSpec::NoAuthTime),
        };
        grant = self.cnf.into_iter().fold(grant, Grant::confirmation);
        grant = self.client_key.into_iter().fold(grant, Grant::client_key);
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
        grant = self.may_issue.into_iter().fold(grant, Grant::may_issue);
        grant = by.cloned().into_iter().fold(grant, Grant::by);
        Ok(grant.private_claims(claims))
    }
}

#[cfg(test)]
mod tests;
