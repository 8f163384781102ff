//! Changes of one token: update, refresh, derive, rotate.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keyfob_core::invalid::InvalidValue;
use keyfob_core::names::NameSet;
use keyfob_core::text::{
    AppId, Audience, ClientId, DeviceId, LabelKey, LabelValue, Platform, Scope, Subject, Tag,
    UserAgent, Version,
};
use keyfob_core::time::Ttl;
use keyfob_core::token::{Grant, Kind, Metadata};
use serde::{Deserialize, Serialize};

use crate::many::at_most;
#[cfg(feature = "schema")]
use crate::schema::{
    Address, KindSchema, LabelKeyText, Labels, Names, OverlapText, ScopeText, Text, TtlText,
};
use crate::secret::SecretText;
use crate::token::{IssuedBody, TokenBody};
use crate::validate::ProvenKey;

/// The body of `PATCH /v1/tokens/{id}`: changes of the metadata. What it does not name stays.
///
/// Labels and tags are removed before others are set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct UpdateBody {
    /// The labels to set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Labels"))]
    pub labels: BTreeMap<LabelKey, LabelValue>,
    /// The keys of labels to remove.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<64, _, _>")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<LabelKeyText>", length(max = 64)))]
    pub remove_labels: Vec<LabelKey>,
    /// The tags to add.
    #[serde(skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<64>>"))]
    pub tags: NameSet<Tag>,
    /// The tags to remove.
    #[serde(skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<64>>"))]
    pub remove_tags: NameSet<Tag>,
    /// The application's id of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<128>>"))]
    pub device_id: Option<DeviceId>,
    /// The `User-Agent` that uses the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<512>>"))]
    pub user_agent: Option<UserAgent>,
    /// The client address that uses the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Address>"))]
    pub ip: Option<IpAddr>,
    /// The platform of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<64>>"))]
    pub platform: Option<Platform>,
    /// The version of the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<64>>"))]
    pub device_version: Option<Version>,
    /// The application that uses the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<128>>"))]
    pub app: Option<AppId>,
    /// The version of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<64>>"))]
    pub app_version: Option<Version>,
}

impl UpdateBody {
    /// Returns whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Applies the changes to `metadata`.
    ///
    /// # Errors
    /// If there would be too many labels or tags.
    pub fn apply(&self, metadata: &mut Metadata) -> Result<(), InvalidValue> {
        for key in &self.remove_labels {
            metadata.labels.remove(key);
        }
        for tag in &self.remove_tags {
            metadata.tags.remove(tag);
        }
        for (key, value) in &self.labels {
            metadata.labels.set(key.clone(), value.clone())?;
        }
        for tag in &self.tags {
            metadata.tags.insert(tag.clone())?;
        }
        let device = &mut metadata.device;
        set(&mut device.id, &self.device_id);
        set(&mut device.user_agent, &self.user_agent);
        set(&mut device.ip, &self.ip);
        set(&mut device.platform, &self.platform);
        set(&mut device.version, &self.device_version);
        set(&mut metadata.app, &self.app);
        set(&mut metadata.app_version, &self.app_version);
        Ok(())
    }
}

fn set<T: Clone>(slot: &mut Option<T>, value: &Option<T>) {
    if value.is_some() {
        slot.clone_from(value);
    }
}

/// The body of `POST /v1/tokens/{id}/derive`: the bearer of the token `{id}`, and the narrower token
/// that is derived from it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeriveBody {
    /// The bearer of the parent token.
    pub token: SecretText,
    /// The party that acts for the subject (`act`, RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub acting: Option<Subject>,
    /// The kind of the token. Default: access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<KindSchema>"))]
    pub kind: Option<Kind>,
    /// The scopes. The parent must have them.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<ScopeText>"))]
    pub scopes: NameSet<Scope>,
    /// The audiences. If the parent has audiences, it must have these.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<256>>"))]
    pub audience: NameSet<Audience>,
    /// How long the token is valid, at most as long as its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub ttl: Option<Ttl>,
    /// The device that presents the bearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<128>>"))]
    pub device_id: Option<DeviceId>,
    /// The key whose possession the caller has checked, if the parent is bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<ProvenKey>,
}

impl DeriveBody {
    /// Builds the grant of the derived token.
    pub fn grant(&self) -> Grant {
        let mut grant = Grant::new(self.kind.unwrap_or(Kind::Access));
        grant = self.acting.iter().cloned().fold(grant, Grant::acting);
        grant = self.scopes.iter().cloned().fold(grant, Grant::scope);
        grant = self.audience.iter().cloned().fold(grant, Grant::audience);
        self.ttl.into_iter().fold(grant, Grant::ttl)
    }
}

/// The body of `POST /v1/refresh`: the bearer of a refresh token, and how narrow the access token is to
/// be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    /// The bearer of the refresh token.
    pub token: SecretText,
    /// The scopes of the access token. The refresh token must have them. Default: all that it has.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<ScopeText>"))]
    pub scopes: NameSet<Scope>,
    /// The audiences of the access token. If the refresh token has audiences, it must have these.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<256>>"))]
    pub audience: NameSet<Audience>,
    /// How long the access token is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub access_ttl: Option<Ttl>,
    /// The client that presents the bearer, as the caller has checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub client: Option<ClientId>,
    /// The device that presents the bearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<128>>"))]
    pub device_id: Option<DeviceId>,
    /// The key whose possession the caller has checked, if the refresh token is bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<ProvenKey>,
}

/// The answer to `POST /v1/refresh`, and the object of `keyfob refresh --json`.
///
/// `T` is a token as it is written: a [`TokenBody`], or a view of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "IssuedBody<T>: Deserialize<'de>"))]
pub struct RefreshedBody<T = TokenBody> {
    /// Whether the family moved on.
    pub case: RefreshedCase,
    /// The access token, with its bearer.
    pub access: IssuedBody<T>,
    /// The refresh token, with its next bearer. The one that was presented is no longer valid.
    pub refresh: IssuedBody<T>,
}

/// Which of the two ways a refresh succeeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefreshedCase {
    /// The family moved on to its next generation.
    Rotated,
    /// The pair was given before, and was given again.
    Replayed,
}

impl RefreshedCase {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Replayed => "replayed",
        }
    }
}

/// The body of `POST /v1/tokens/{id}/rotate`: `{}` for the default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateBody {
    /// How long the previous secret stays valid: `24h`, `7d`, or `0` to end it now. Default: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<OverlapText>"))]
    pub overlap: Option<String>,
}
