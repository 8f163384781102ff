//! Chains of demands that the configuration defines and that callers use by name.
//!
//! A gateway names a chain (`/authz?chain=…`, a context extension of Envoy), and so does
//! `POST /v1/validate`. So what a route demands is written once, beside the server, and not in every
//! gateway.
//!
//! ```
//! use keyfob_server::Settings;
//! use keyfob_server::chains::ChainSpec;
//!
//! let spec: ChainSpec = serde_json::from_str(
//!     r#"{ "audience": "orders", "scopes": ["orders:read"], "kind": "access" }"#,
//! )?;
//! let settings = Settings::new().chain("orders".parse()?, spec.build()?);
//! assert!(settings.chains.get("orders").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use keyfob::validation::{Consistency, DeviceBinding};
use keyfob::values::{ClaimName, Issuer, LimitName, NameSet};
use keyfob::{Audience, InvalidValue, Kind, Scope, Ttl, ValidationChain};
use keyfob_api::schema::{KindSchema, Names, ScopeText, Text, TtlText};
use keyfob_api::{LimitCharge, OneOf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a chain: 1 to 64 letters, digits, `.`, `_` and `-`, so that it fits into a query and
/// into a header.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainName(Box<str>);

/// A text that is not the name of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the name of a chain has 1 to 64 letters, digits, '.', '_' or '-'")]
pub struct InvalidChainName;

/// What is demanded of a bearer, and the limits that its use is charged to.
#[derive(Clone, Debug, Default)]
pub struct NamedChain {
    /// The demands.
    pub demands: ValidationChain,
    /// The limits to charge if the bearer is valid, each with its cost in permits.
    pub limits: Vec<(LimitName, u32)>,
}

/// All chains of a server, by name.
#[derive(Clone, Debug, Default)]
pub struct Chains(BTreeMap<Box<str>, Arc<NamedChain>>);

/// A chain as the configuration writes it. A member that is missing demands nothing.
///
/// Where several issuers, audiences or kinds are given, any one suffices.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Chain")]
pub struct ChainSpec {
    /// The issuers that are accepted.
    #[serde(skip_serializing_if = "OneOf::is_empty")]
    #[schemars(with = "Option<OneOf<Text<256>>>")]
    pub issuer: OneOf<Issuer>,
    /// The audiences of which the token must have one.
    #[serde(skip_serializing_if = "OneOf::is_empty")]
    #[schemars(with = "Option<OneOf<Text<256>>>")]
    pub audience: OneOf<Audience>,
    /// The scopes that the token must have.
    #[serde(skip_serializing_if = "NameSet::is_empty")]
    #[schemars(with = "Names<ScopeText>")]
    pub scopes: NameSet<Scope>,
    /// The scopes of which the token must have one.
    #[serde(skip_serializing_if = "NameSet::is_empty")]
    #[schemars(with = "Names<ScopeText>")]
    pub any_scopes: NameSet<Scope>,
    /// The kinds that are accepted.
    #[serde(skip_serializing_if = "OneOf::is_empty")]
    #[schemars(with = "Option<OneOf<KindSchema>>")]
    pub kind: OneOf<Kind>,
    /// The claims that the token must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Text<128>>", length(max = 64))]
    pub claims: Vec<ClaimName>,
    /// What is demanded of the device that presents the bearer.
    #[serde(skip_serializing_if = "DeviceDemand::is_unchecked")]
    pub device: DeviceDemand,
    /// How much the clocks of the issuer and the server may differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TtlText>")]
    pub clock_skew: Option<Ttl>,
    /// The token must have been issued within this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TtlText>")]
    pub max_age: Option<Ttl>,
    /// Asks the store, so that every revocation that returned before the request is seen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strong: bool,
    /// The limits to charge if the bearer is valid, each with its cost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub limits: Vec<LimitCharge>,
}

/// What a chain demands of the device that presents a bearer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceDemand {
    /// The device is not checked.
    #[default]
    Unchecked,
    /// A token that names a device is accepted from that device only.
    IfBound,
    /// The token must name a device, and that device must present it.
    Required,
}

impl ChainName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ChainName {
    type Err = InvalidChainName;

    fn from_str(text: &str) -> Result<Self, InvalidChainName> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
            true => Ok(Self(text.into())),
            false => Err(InvalidChainName),
        }
    }
}

impl TryFrom<String> for ChainName {
    type Error = InvalidChainName;

    fn try_from(text: String) -> Result<Self, InvalidChainName> {
        text.parse()
    }
}

impl From<ChainName> for String {
    fn from(name: ChainName) -> Self {
        name.0.into()
    }
}

impl From<ValidationChain> for NamedChain {
    /// Returns a chain that charges no limits.
    fn from(demands: ValidationChain) -> Self {
        Self { demands, limits: Vec::new() }
    }
}

impl Chains {
    /// Adds a chain, or replaces the one of this name.
    pub fn insert(&mut self, name: ChainName, chain: NamedChain) {
        self.0.insert(name.0, Arc::new(chain));
    }

    /// Returns the chain of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<NamedChain>> {
        self.0.get(name)
    }

    /// Returns the names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }
}

impl DeviceDemand {
    fn is_unchecked(&self) -> bool {
        *self == Self::Unchecked
    }
}

impl From<DeviceDemand> for DeviceBinding {
    fn from(demand: DeviceDemand) -> Self {
        match demand {
            DeviceDemand::Unchecked => Self::Unchecked,
            DeviceDemand::IfBound => Self::IfBound,
            DeviceDemand::Required => Self::Required,
        }
    }
}

impl ChainSpec {
    /// Returns the chain.
    ///
    /// # Errors
    /// If a part contradicts another.
    pub fn build(&self) -> Result<NamedChain, InvalidValue> {
        let mut demands = ValidationChain::new().device(self.device.into());
        demands = self.kind.iter().fold(demands, |demands, kind| demands.allow_kind(*kind));
        demands = self.issuer.iter().cloned().fold(demands, ValidationChain::allow_issuer);
        demands = self.audience.iter().cloned().fold(demands, ValidationChain::allow_audience);
        demands = self.scopes.iter().cloned().fold(demands, ValidationChain::require_scope);
        demands = self.any_scopes.iter().cloned().fold(demands, ValidationChain::require_any_scope);
        demands = self.claims.iter().cloned().fold(demands, ValidationChain::require_claim);
        demands = self.clock_skew.into_iter().fold(demands, ValidationChain::clock_skew);
        demands = self.max_age.into_iter().fold(demands, ValidationChain::max_age);
        if self.strong {
            demands = demands.consistency(Consistency::Strong);
        }
        demands.check()?;
        let limits = self.limits.iter().map(|charge| (charge.name.clone(), charge.cost)).collect();
        Ok(NamedChain { demands, limits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_becomes_a_chain() {
        let spec: ChainSpec = serde_json::from_str(
            r#"{"issuer":"https://a","audience":["orders","stock"],"scopes":["read"],"kind":"access",
               "device":"if-bound","max_age":"1h","limits":[{"name":"calls","cost":3}]}"#,
        )
        .unwrap();
        let chain = spec.build().unwrap();
        assert!(chain.demands.required_scopes().map(Scope::as_str).eq(["read"]));
        assert_eq!(chain.limits, [("calls".parse().unwrap(), 3)]);
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ChainSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn an_unknown_member_is_refused() {
        assert!(serde_json::from_str::<ChainSpec>(r#"{"scope":["read"]}"#).is_err());
    }

    #[test]
    fn a_name_fits_into_a_query() {
        assert_eq!("orders.read-1_x".parse::<ChainName>().unwrap().as_str(), "orders.read-1_x");
        for name in ["", "a b", "a&b", "ä", &"x".repeat(65)] {
            assert_eq!(name.parse::<ChainName>(), Err(InvalidChainName));
        }
    }
}
