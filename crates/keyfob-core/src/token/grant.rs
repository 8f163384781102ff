//! What is to be granted: the request that a token is issued from.

use std::net::IpAddr;

use serde::Serialize;

use super::claims::{Confirmation, PrivateClaims, RegisteredClaims};
use super::{Kind, Metadata};
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

/// What is to be granted, built up and handed to `TokenManager::issue`.
///
/// Each part is checked as it is given; the first that does not hold is reported when the token is
/// issued, so that a chain of calls needs no `?` in between.
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
pub struct Grant {
    parts: GrantParts,
    invalid: Option<InvalidValue>,
}

/// The beginning of a login: what was revoked by then, and when that was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoginStamp {
    pub stamp: Stamp,
    pub lane: Lane,
    pub at: Timestamp,
}

impl LoginStamp {
    /// How long a login may take: less than an epoch is kept, so that none is forgotten meanwhile.
    pub const GOOD_FOR: Ttl = Ttl::from_mins(30);
}

/// When a token is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// After what is usual for its kind.
    Usual,
    After(Ttl),
    At(Timestamp),
    Never,
}

#[derive(Clone, Debug)]
pub struct GrantParts {
    pub kind: Kind,
    pub subject: Option<Subject>,
    pub issuer: Option<Issuer>,
    pub audiences: NameSet<Audience>,
    pub scopes: NameSet<Scope>,
    pub client: Option<ClientId>,
    pub expiry: Expiry,
    pub not_before: Option<Timestamp>,
    pub idle_timeout: Option<Ttl>,
    pub absolute_lifetime: Option<Ttl>,
    pub uses: Option<u32>,
    pub metadata: Metadata,
    pub registered: RegisteredClaims,
    pub private: PrivateClaims,
    pub acting: Option<Subject>,
    pub refresh_policy: Option<RefreshPolicy>,
    pub seen: Option<LoginStamp>,
    pub by: Option<Actor>,
}

impl Grant {
    /// A grant of this kind, with nothing in it.
    pub fn new(kind: Kind) -> Self {
        let parts = GrantParts {
            kind,
            subject: None,
            issuer: None,
            audiences: NameSet::new(),
            scopes: NameSet::new(),
            client: None,
            expiry: Expiry::Usual,
            not_before: None,
            idle_timeout: None,
            absolute_lifetime: None,
            uses: None,
            metadata: Metadata::default(),
            registered: RegisteredClaims::default(),
            private: PrivateClaims::none(),
            acting: None,
            refresh_policy: None,
            seen: None,
            by: None,
        };
        Self { parts, invalid: None }
    }

    /// Whether every part that was given holds.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }

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

    /// Whom the token is to speak for.
    pub fn subject(self, subject: impl TryInto<Subject, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.subject, subject))
    }

    /// Who issues it.
    pub fn issuer(self, issuer: impl TryInto<Issuer, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.issuer, issuer))
    }

    /// Adds one whom it is meant for.
    pub fn audience(self, audience: impl TryInto<Audience, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.audiences.insert(audience.try_into().map_err(Into::into)?))
    }

    /// Adds one thing that it allows.
    pub fn scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Adds several, as a scope of RFC 6749 section 3.3 has them: separated by spaces.
    pub fn scopes(self, scopes: &str) -> Self {
        scopes.split_ascii_whitespace().fold(self, Self::scope)
    }

    /// The client that it is issued to.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.client, client))
    }

    /// How long it is to be good. Without this, what is usual for the kind.
    pub fn ttl(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.expiry = Expiry::After(ttl);
            Ok(())
        })
    }

    /// When it is to end.
    pub fn expires_at(self, at: Timestamp) -> Self {
        self.with(|parts| {
            parts.expiry = Expiry::At(at);
            Ok(())
        })
    }

    /// It is never to end by itself. Say this of few tokens.
    pub fn never_expires(self) -> Self {
        self.with(|parts| {
            parts.expiry = Expiry::Never;
            Ok(())
        })
    }

    /// When it starts to be good.
    pub fn not_before(self, at: Timestamp) -> Self {
        self.with(|parts| {
            parts.not_before = Some(at);
            Ok(())
        })
    }

    /// How long it may go unused.
    pub fn idle_timeout(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.idle_timeout = Some(ttl);
            Ok(())
        })
    }

    /// The life that no renewal can pass. A rotation of a refresh token that has a
    /// [`Grant::ttl`] beside it moves its expiry on, up to there.
    pub fn absolute_lifetime(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.absolute_lifetime = Some(ttl);
            Ok(())
        })
    }

    /// How often it may be used: at least once.
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

    /// Who is to act for the subject: a service, or an agent. Of a token that is derived, put before
    /// whoever acted already.
    pub fn acting(self, actor: impl TryInto<Subject, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.acting, actor))
    }

    /// How it is rotated, where that is to differ from what the manager does. Of a refresh token
    /// only.
    pub fn refresh_policy(self, policy: RefreshPolicy) -> Self {
        self.with(|parts| {
            parts.refresh_policy = Some(policy);
            Ok(())
        })
    }

    /// What its user calls the device.
    pub fn device_id(self, id: impl TryInto<DeviceId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.id, id))
    }

    /// The `User-Agent` that asks for it.
    pub fn user_agent(self, agent: impl TryInto<UserAgent, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.user_agent, agent))
    }

    /// The address that asks for it.
    pub fn ip(self, ip: IpAddr) -> Self {
        self.with(|parts| {
            parts.metadata.device.ip = Some(ip);
            Ok(())
        })
    }

    /// The platform of the device.
    pub fn platform(self, platform: impl TryInto<Platform, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.platform, platform))
    }

    /// The version of the platform.
    pub fn device_version(self, version: impl TryInto<Version, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.device.version, version))
    }

    /// The application that it is for.
    pub fn app(self, app: impl TryInto<AppId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.metadata.app, app))
    }

    /// The version of that application.
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

    /// All the metadata at once, in place of what was given before.
    pub fn metadata(self, metadata: Metadata) -> Self {
        self.with(|parts| {
            parts.metadata = metadata;
            Ok(())
        })
    }

    /// The application's own claims: anything that serialises to a JSON object.
    pub fn claims<T: Serialize + ?Sized>(self, claims: &T) -> Self {
        self.with(|parts| {
            parts.private = PrivateClaims::write(claims)?;
            Ok(())
        })
    }

    /// The application's own claims, written already.
    pub fn private_claims(self, claims: PrivateClaims) -> Self {
        self.with(|parts| {
            parts.private = claims;
            Ok(())
        })
    }

    /// A name for a person to read.
    pub fn username(self, name: impl TryInto<Username, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| put(&mut parts.registered.username, name))
    }

    /// When and how the subject was authenticated.
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

    /// The key that its presenter has to prove possession of.
    pub fn confirmation(self, confirmation: Confirmation) -> Self {
        self.with(|parts| {
            parts.registered.confirmation = Some(confirmation);
            Ok(())
        })
    }

    /// What `TokenManager::begin_login` returned before the subject was authenticated. If everything
    /// of the subject is revoked in between, or the login took longer than
    /// [`LoginStamp::GOOD_FOR`], the token is not issued.
    pub fn seen(self, stamp: LoginStamp) -> Self {
        self.with(|parts| {
            parts.seen = Some(stamp);
            Ok(())
        })
    }

    /// Who issues it, for the events and the history.
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
