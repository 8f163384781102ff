//! The rarely used fields of an active token.

use std::borrow::Cow;

use minicbor::{Decode, Encode};

use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::names::{Labels, NameSet};
use keyfob_core::text::{AppId, Tag, Version};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{Device, JwtForm, RegisteredClaims, SecretUsed, Token};

/// A map, so that an absent field takes no space. It never leaves the process.
#[derive(PartialEq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub(super) struct Rest<'a> {
    #[n(0)]
    pub(super) not_before: Option<Timestamp>,
    #[n(1)]
    pub(super) idle_timeout: Option<Ttl>,
    #[n(2)]
    pub(super) absolute_expiry: Option<Timestamp>,
    #[n(3)]
    pub(super) uses_left: Option<u32>,
    #[n(4)]
    pub(super) family: Option<FamilyId>,
    #[n(5)]
    pub(super) ancestors: Option<Cow<'a, [TokenId]>>,
    #[n(6)]
    pub(super) generation: Option<u32>,
    /// Without its id, which is used often.
    #[n(7)]
    pub(super) device: Option<Cow<'a, Device>>,
    #[n(8)]
    pub(super) app: Option<Cow<'a, AppId>>,
    #[n(9)]
    pub(super) app_version: Option<Cow<'a, Version>>,
    #[n(10)]
    pub(super) labels: Option<Cow<'a, Labels>>,
    #[n(11)]
    pub(super) tags: Option<Cow<'a, NameSet<Tag>>>,
    #[n(12)]
    pub(super) registered: Option<Cow<'a, RegisteredClaims>>,
    #[n(13)]
    pub(super) rotated_at: Option<Timestamp>,
    #[n(14)]
    pub(super) older: Option<Older>,
    #[n(15)]
    pub(super) jwt: Option<JwtForm>,
}

/// The older of two secrets.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub(super) struct Older {
    /// The first half of its digest, or `None` if the token was found by this secret.
    #[n(0)]
    pub(super) half: Option<[u32; 4]>,
    /// When it ends.
    #[n(1)]
    pub(super) until: Timestamp,
}

impl<'a> Rest<'a> {
    /// Returns those of a token. With `is_root`, its family is left out.
    pub(super) fn of(token: &'a Token, is_root: bool) -> Self {
        let metadata = &token.metadata;
        let device = match &metadata.device {
            device if device.id.is_none() => unusual(device),
            device => {
                let mut without_id = device.clone();
                without_id.id = None;
                Some(Cow::Owned(without_id)).filter(|device| **device != Device::default())
            }
        };
        Self {
            not_before: token.not_before,
            idle_timeout: token.idle_timeout,
            absolute_expiry: token.absolute_expiry,
            uses_left: token.uses_left,
            family: token.family.filter(|_| !is_root),
            ancestors: Some(Cow::Borrowed(token.ancestors.as_slice()))
                .filter(|ancestors| !is_root && !ancestors.is_empty()),
            generation: Some(token.generation.number()).filter(|number| *number != 0),
            device,
            app: metadata.app.as_ref().map(Cow::Borrowed),
            app_version: metadata.app_version.as_ref().map(Cow::Borrowed),
            labels: unusual(&metadata.labels),
            tags: unusual(&metadata.tags),
            registered: unusual(&token.claims.registered),
            rotated_at: token.rotated_at,
            jwt: token.jwt,
            older: match token.secret {
                SecretUsed::Newest => None,
                SecretUsed::Older { until } => Some(Older { half: None, until }),
            },
        }
    }
}

/// Returns a value, unless it is the one that most tokens have.
fn unusual<T: Clone + Default + PartialEq>(value: &T) -> Option<Cow<'_, T>> {
    Some(Cow::Borrowed(value)).filter(|value| **value != T::default())
}
