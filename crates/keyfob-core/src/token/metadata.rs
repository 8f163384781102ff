//! The metadata of a token: device, application, labels and tags.

use std::net::IpAddr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::names::{Labels, NameSet};
use crate::text::{AppId, DeviceId, Platform, Tag, UserAgent, Version};

/// What an application knows about the use of a token.
///
/// To make it from a request, see [`LenientMetadata`](super::LenientMetadata).
///
/// ```
/// use keyfob::Metadata;
///
/// let mut metadata = Metadata::default();
/// metadata.device.id = Some("phone-1".parse()?);
/// metadata.labels.insert("environment".parse()?, "production".parse()?)?;
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Metadata {
    /// The device that holds the bearer token.
    #[n(0)]
    pub device: Device,
    /// The application that holds the bearer token.
    #[n(1)]
    pub app: Option<AppId>,
    /// The version of that application.
    #[n(2)]
    pub app_version: Option<Version>,
    /// Keys and values to find the token by.
    #[n(3)]
    pub labels: Labels,
    /// Words to find the token by.
    #[n(4)]
    pub tags: NameSet<Tag>,
}

/// The device that holds a bearer token.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Device {
    /// The identifier of the device, which the application chooses.
    #[n(0)]
    pub id: Option<DeviceId>,
    /// The `User-Agent` that the token was issued to.
    #[n(1)]
    pub user_agent: Option<UserAgent>,
    /// The address that the token was issued to.
    #[n(2)]
    pub ip: Option<IpAddr>,
    /// The platform of the device.
    #[n(3)]
    pub platform: Option<Platform>,
    /// The version of the platform.
    #[n(4)]
    pub version: Option<Version>,
}
