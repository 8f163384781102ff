//! Grants: the requests that tokens are issued from.

use std::net::IpAddr;

use serde::Serialize;

use super::claims::{Confirmation, PrivateClaims, RegisteredClaims};
use super::jwt_form::JwtForm;
use super::{ClientKey, Kind, MayIssue, Metadata};
use crate::bearer::BearerKey;
use crate::field::Field;
use crate::id::Lane;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::names::NameSet;
use crate::stamp::Stamp;
use crate::text::{
    Actor, AppId, Audience, AuthenticationContext, AuthenticationMethod, ClientId, DeviceId,
    Issuer, LabelKey, LabelValue, Platform, Scope, Subject, Tag, UserAgent, Username, Version,
};
use crate::time::{Timestamp, Ttl};
use crate::token::RefreshPolicy;

/// The request for a token, for `TokenManager::issue`.
///
/// Each part is checked as it is given. The first part that is not valid is reported when the token
/// is issued, so a chain of calls needs no `?`.
///
/// ```
/// use keyfob::{Grant, Kind, Ttl};
///
/// let grant = Grant::new(Kind::Access)
///     .subject("user123")
///     .issuer("example-service")
///     .audience("example-app")
///     .scope("read")
///     .ttl(Ttl::from_hours(1))
///     .device_id("device123")
///     .label("environment", "production")
///     .tag("mobile");
/// assert!(grant.check().is_ok());
/// assert!(Grant::new(Kind::Access).subject("").check().is_err());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a grant does nothing until a token is issued from it"]
pub struct Grant {
    parts: GrantParts,
    invalid: Option<InvalidValue>,
}

/// The start of a login: the position in the lane's sequence and the time at which it began.
///
/// A revocation after that position prevents the login from issuing a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoginStamp {
    /// The value of the lane's sequence.
    pub stamp: Stamp,
    /// The lane of the subject.
    pub lane: Lane,
    /// When the login began.
    pub at: Timestamp,
}

impl LoginStamp {
    /// How long a login may take. Epochs are kept longer than this, so no revocation during a login
    /// is forgotten.
    pub const MAX_AGE: Ttl = Ttl::from_mins(30);
}

/// The end of a token's life, as a grant sets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// After the manager's lifetime for the kind.
    Default,
    /// This long after the token is issued.
    After(Ttl),
    /// At this time.
    At(Timestamp),
    /// Never.
    Never,
}

/// The parts of a [`Grant`] whose parts are all valid, for the manager that issues from it.
#[derive(Clone, Debug)]
pub struct GrantParts {
    /// See [`Grant::new`].
    pub kind: Kind,
    /// See [`Grant::subject`].
    pub subject: Option<Subject>,
    /// See [`Grant::issuer`].
    pub issuer: Option<Issuer>,
    /// See [`Grant::audience`].
    pub audiences: NameSet<Audience>,
    /// See [`Grant::scope`].
    pub scopes: NameSet<Scope>,
    /// See [`Grant::client`].
    pub client: Option<ClientId>,
    /// See [`Grant::ttl`].
    pub expiry: Expiry,
    /// See [`Grant::not_before`].
    pub not_before: Option<Timestamp>,
    /// See [`Grant::idle_timeout`].
    pub idle_timeout: Option<Ttl>,
    /// See [`Grant::absolute_lifetime`].
    pub absolute_lifetime: Option<Ttl>,
    /// See [`Grant::uses`].
    pub uses: Option<u32>,
    /// See [`Grant::metadata`].
    pub metadata: Metadata,
    /// The registered claims, without the actors.
    pub registered: RegisteredClaims,
    /// See [`Grant::claims`].
    pub private: PrivateClaims,
    /// See [`Grant::acting`].
    pub acting: Option<Subject>,
    /// See [`Grant::refresh_policy`].
    pub refresh_policy: Option<RefreshPolicy>,
    /// See [`Grant::jwt`].
    pub jwt: Option<(JwtForm, BearerKey)>,
    /// See [`Grant::login`].
    pub login: Option<LoginStamp>,
    /// See [`Grant::by`].
    pub by: Option<Actor>,
}

impl Grant {
    /// Creates a grant for a token of this kind, without further parts.
    pub fn new(kind: Kind) -> Self {
        let parts = GrantParts {
            kind,
            subject: None,
            issuer: None,
            audiences: NameSet::new(),
            scopes: NameSet::new(),
            client: None,
            expiry: Expiry::Default,
            not_before: None,
            idle_timeout: None,
            absolute_lifetime: None,
            uses: None,
            metadata: Metadata::default(),
            registered: RegisteredClaims::default(),
            private: PrivateClaims::none(),
            acting: None,
            refresh_policy: None,
            jwt: None,
            login: None,
            by: None,
        };
        Self { parts, invalid: None }
    }

    /// Checks that every part of the grant is valid.
    ///
    /// # Errors
    /// The first part that is not valid.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }

    /// Returns the parts, for the manager that issues from them.
    ///
    /// # Errors
    /// The first part that is not valid.
    pub fn into_parts(self) -> Result<GrantParts, InvalidValue> {
        self.check()?;
        Ok(self.parts)
    }

    fn with(mut self, set: impl FnOnce(&mut GrantParts) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self.parts).err();
        }
        self
    }

    /// Sets the subject: the user or the service that the token speaks for.
    pub fn subject(self, subject: impl TryInto<Subject, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.subject, subject))
    }

    /// Sets the issuer.
    pub fn issuer(self, issuer: impl TryInto<Issuer, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.issuer, issuer))
    }

    /// Adds an audience: a service that the token is meant for.
    pub fn audience(self, audience: impl TryInto<Audience, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.audiences.insert(audience.try_into().map_err(Into::into)?))
    }

    /// Adds a scope.
    pub fn scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Adds scopes that are separated by spaces (RFC 6749 section 3.3).
    pub fn scopes(self, scopes: &str) -> Self {
        scopes.split_ascii_whitespace().fold(self, Self::scope)
    }

    /// Sets the client that the token is issued to.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.client, client))
    }

    /// Sets how long after its issue the token expires. Default: the manager's lifetime for the kind.
    pub fn ttl(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.expiry = Expiry::After(ttl);
            Ok(())
        })
    }

    /// Sets when the token expires.
    pub fn expires_at(self, at: Timestamp) -> Self {
        self.with(|parts| {
            parts.expiry = Expiry::At(at);
            Ok(())
        })
    }

    /// Lets the token never expire by itself. Use it for few tokens.
    pub fn never_expires(self) -> Self {
        self.with(|parts| {
            parts.expiry = Expiry::Never;
            Ok(())
        })
    }

    /// Sets when the token becomes valid. Default: when it is issued.
    pub fn not_before(self, at: Timestamp) -> Self {
        self.with(|parts| {
            parts.not_before = Some(at);
            Ok(())
        })
    }

    /// Sets after how long without a use the token expires.
    pub fn idle_timeout(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.idle_timeout = Some(ttl);
            Ok(())
        })
    }

    /// Sets how long after its issue the token expires at the latest, whatever renews it.
    ///
    /// If a refresh token has a [`Grant::ttl`] as well, each rotation extends its expiry by that
    /// length, up to this end.
    pub fn absolute_lifetime(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.absolute_lifetime = Some(ttl);
            Ok(())
        })
    }

    /// Sets the number of uses: at least one. Default: any number.
    pub fn uses(self, uses: u32) -> Self {
        self.with(|parts| {
            if uses == 0 {
                return Err(InvalidValue::new(
                    Field::Uses,
                    InvalidReason::OutOfRange { allowed: "at least 1" },
                ));
            }
            parts.uses = Some(uses);
            Ok(())
        })
    }

    /// Sets the party that acts for the subject: a service or an agent (`act`, RFC 8693 section
    /// 4.1). In a derived token, it comes before the actors of the token that it is derived from.
    pub fn acting(self, actor: impl TryInto<Subject, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.acting, actor))
    }

    /// Sets how the refresh token rotates. Default: the manager's policy. Only for refresh tokens.
    pub fn refresh_policy(self, policy: RefreshPolicy) -> Self {
        self.with(|parts| {
            parts.refresh_policy = Some(policy);
            Ok(())
        })
    }

    /// Sets the identifier of the device, which the application chooses.
    pub fn device_id(self, id: impl TryInto<DeviceId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.id, id))
    }

    /// Sets the `User-Agent` of the request. For a header as it came, see
    /// [`LenientMetadata`](super::LenientMetadata): a value that is not valid fails the grant.
    pub fn user_agent(self, agent: impl TryInto<UserAgent, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.user_agent, agent))
    }

    /// Sets the client address.
    pub fn ip(self, ip: IpAddr) -> Self {
        self.with(|parts| {
            parts.metadata.device.ip = Some(ip);
            Ok(())
        })
    }

    /// Sets the platform of the device.
    pub fn platform(self, platform: impl TryInto<Platform, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.platform, platform))
    }

    /// Sets the version of the platform.
    pub fn device_version(self, version: impl TryInto<Version, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.version, version))
    }

    /// Sets the application that the token is for.
    pub fn app(self, app: impl TryInto<AppId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.app, app))
    }

    /// Sets the version of that application.
    pub fn app_version(self, version: impl TryInto<Version, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.app_version, version))
    }

    /// Adds a label.
    pub fn label(
        self,
        key: impl TryInto<LabelKey, Error: Into<InvalidValue>>,
        value: impl TryInto<LabelValue, Error: Into<InvalidValue>>,
    ) -> Self {
        self.with(|parts| {
            let key = key.try_into().map_err(Into::into)?;
            parts.metadata.labels.insert(key, value.try_into().map_err(Into::into)?)
        })
    }

    /// Adds a tag.
    pub fn tag(self, tag: impl TryInto<Tag, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.metadata.tags.insert(tag.try_into().map_err(Into::into)?))
    }

    /// Sets all metadata, and replaces the metadata that was given before.
    pub fn metadata(self, metadata: Metadata) -> Self {
        self.with(|parts| {
            parts.metadata = metadata;
            Ok(())
        })
    }

    /// Sets the application's own claims: a value that serializes to a JSON object.
    pub fn claims<T: Serialize + ?Sized>(self, claims: &T) -> Self {
        self.with(|parts| {
            parts.private = PrivateClaims::write(claims)?;
            Ok(())
        })
    }

    /// Sets the application's own claims from their stored form.
    pub fn private_claims(self, claims: PrivateClaims) -> Self {
        self.with(|parts| {
            parts.private = claims;
            Ok(())
        })
    }

    /// Sets a human-readable name of the subject.
    pub fn username(self, name: impl TryInto<Username, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.registered.username, name))
    }

    /// Sets when and how the subject was authenticated.
    pub fn authenticated(
        self,
        at: Timestamp,
        context: Option<AuthenticationContext>,
        methods: NameSet<AuthenticationMethod>,
    ) -> Self {
        self.with(|parts| {
            parts.registered.auth_time = Some(at);
            parts.registered.authentication_context = context;
            parts.registered.authentication_methods = methods;
            Ok(())
        })
    }

    /// Sets the key that the presenter has to prove possession of.
    pub fn confirmation(self, confirmation: Confirmation) -> Self {
        self.with(|parts| {
            parts.registered.confirmation = Some(confirmation);
            Ok(())
        })
    }

    /// Sets what the holder of the API key may hand out to others. Only for API keys.
    pub fn may_issue(self, allowed: MayIssue) -> Self {
        self.with(|parts| {
            parts.registered.may_issue = Some(allowed);
            Ok(())
        })
    }

    /// Sets the key by which the client of the API key authenticates, instead of by a secret (RFC 7523 section 2.2).
    /// Only for API keys with a client. The bearer token of such a key is refused without a proof of the key.
    pub fn client_key(self, key: ClientKey) -> Self {
        self.with(|parts| {
            parts.registered.client_key = Some(key);
            Ok(())
        })
    }

    /// Has the token issued in the form of a JWT, which the signer makes from the token. The secret of its bearer
    /// token follows from its id and the key, so that who verifies the JWT can present the token. Only for access
    /// tokens without limited uses and without an idle timeout: a service that checks them offline reports no use.
    pub fn jwt(self, form: JwtForm, key: BearerKey) -> Self {
        self.with(|parts| {
            parts.jwt = Some((form, key));
            Ok(())
        })
    }

    /// Sets the start of the login, which `TokenManager::begin_login` returned before the subject
    /// was authenticated.
    ///
    /// The token is not issued if everything of the subject was revoked since, or if the login took
    /// longer than [`LoginStamp::MAX_AGE`].
    pub fn login(self, stamp: LoginStamp) -> Self {
        self.with(|parts| {
            parts.login = Some(stamp);
            Ok(())
        })
    }

    /// Sets who issues the token, for events and the history.
    pub fn by(self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.by, actor))
    }
}

fn put<T>(
    slot: &mut Option<T>,
    value: impl TryInto<T, Error: Into<InvalidValue>>,
) -> Result<(), InvalidValue> {
    *slot = Some(value.try_into().map_err(Into::into)?);
    Ok(())
}
