//! The validation chain as a service builds it.

use std::sync::Arc;

use super::Rule;
use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::names::NameSet;
use crate::text::{Audience, ClaimName, Issuer, Scope};
use crate::time::Ttl;
use crate::token::Kind;

/// The requirements of a service on a token.
///
/// Build a chain once and use it for every request. Each part is checked as it is given. The first
/// part that is not valid is reported by [`check`](Self::check) and when the chain is first used; no
/// token passes such a chain.
///
/// The [module](super) has the order in which a chain checks a token.
///
/// ```
/// use keyfob::{Denied, Kind, Ttl, ValidationChain};
///
/// let chain = ValidationChain::new()
///     .allow_kind(Kind::Access)
///     .allow_issuer("example-service")
///     .allow_audience("example-app")
///     .require_scope("read")
///     .clock_skew(Ttl::from_mins(1))
///     .rule(|token: &keyfob::Token, _now| match &token.subject {
///         Some(subject) if subject == "blocked" => {
///             Err(Denied::new("subject_blocked", "this account is closed"))
///         }
///         _ => Ok(()),
///     });
/// assert!(chain.check().is_ok());
/// assert!(chain.required_scopes().map(|scope| scope.as_str()).eq(["read"]));
/// ```
#[derive(Clone, Default)]
#[must_use = "a chain checks a token only when it is handed to a method that validates"]
pub struct ValidationChain {
    pub(super) invalid: Option<InvalidValue>,
    pub(super) kinds: Vec<Kind>,
    pub(super) issuers: Option<Vec<Issuer>>,
    pub(super) audiences: Option<NameSet<Audience>>,
    pub(super) all_scopes: NameSet<Scope>,
    pub(super) any_scopes: NameSet<Scope>,
    pub(super) clock_skew: Option<Ttl>,
    pub(super) max_age: Option<Ttl>,
    pub(super) claims: Vec<ClaimName>,
    pub(super) device: DeviceBinding,
    pub(super) key: KeyBinding,
    pub(super) consistency: Consistency,
    pub(super) rules: Vec<Arc<dyn Rule>>,
}

/// How current the data of a decision must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Consistency {
    /// The data may be as old as the manager's maximum staleness, so a cache may answer.
    #[default]
    BoundedStaleness,
    /// The store is asked during the call: every revocation that returned before the call is seen.
    Strong,
}

/// The requirement on the device that presents a bearer token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum DeviceBinding {
    /// The device is not checked.
    #[default]
    Unchecked,
    /// A token that names a device is accepted from that device only.
    IfBound,
    /// The token must name a device, and that device must present it.
    Required,
}

/// The requirement on a proof of the key that a token is bound to (`cnf`, RFC 7800).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum KeyBinding {
    /// A token that is bound to a key is accepted only with a proof of that key.
    #[default]
    IfBound,
    /// The token must be bound to a key, and the request must prove it.
    Required,
    /// The key is not checked. This is for a service that only describes a token to somebody who checks
    /// the proof, as introspection does (RFC 9449 section 6.2).
    Unchecked,
}

impl ValidationChain {
    /// Creates a chain that requires only that the token is active.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that every part of the chain is valid.
    ///
    /// # Errors
    /// The first part that is not valid.
    #[inline]
    pub fn check(&self) -> Result<(), InvalidValue> {
        match &self.invalid {
            None => Ok(()),
            Some(invalid) => Err(invalid.clone()),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut Self) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self).err();
        }
        self
    }

    /// Accepts tokens of this kind, beside those of other calls. Default: every kind.
    pub fn allow_kind(self, kind: Kind) -> Self {
        self.with(|chain| {
            chain.kinds.push(kind);
            Ok(())
        })
    }

    /// Refuses tokens of this kind, also where the chain allowed them before. A chain that accepts no
    /// other kind is not valid.
    pub fn refuse_kind(self, kind: Kind) -> Self {
        self.with(|chain| {
            if chain.kinds.is_empty() {
                chain.kinds.extend(Kind::ALL);
            }
            chain.kinds.retain(|allowed| *allowed != kind);
            match chain.kinds.is_empty() {
                true => {
                    let rule = "the only kind that the chain allows is refused";
                    Err(InvalidValue::new(Field::Kind, InvalidReason::Contradiction { rule }))
                }
                false => Ok(()),
            }
        })
    }

    /// Accepts tokens of this issuer, beside those of other calls. Default: every issuer, and
    /// tokens without one.
    pub fn allow_issuer(self, issuer: impl TryInto<Issuer, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| {
            let issuer = issuer.try_into().map_err(Into::into)?;
            chain.issuers.get_or_insert_default().push(issuer);
            Ok(())
        })
    }

    /// Accepts tokens that have this audience, alone or among others, beside those of other calls.
    /// Default: every audience, and tokens without one.
    pub fn allow_audience(
        self,
        audience: impl TryInto<Audience, Error: Into<InvalidValue>>,
    ) -> Self {
        self.with(|chain| {
            let audience = audience.try_into().map_err(Into::into)?;
            chain.audiences.get_or_insert_default().insert(audience)
        })
    }

    /// Requires this scope, together with those of other calls.
    pub fn require_scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| chain.all_scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Requires any one of the scopes that calls of this method name.
    pub fn require_any_scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| chain.any_scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Allows that the clocks of this node and of the issuer differ by this much, either way.
    pub fn clock_skew(self, skew: Ttl) -> Self {
        self.with(|chain| {
            chain.clock_skew = Some(skew);
            Ok(())
        })
    }

    /// Requires that the token was issued at most this long ago.
    pub fn max_age(self, age: Ttl) -> Self {
        self.with(|chain| {
            chain.max_age = Some(age);
            Ok(())
        })
    }

    /// Requires that the token has a claim of this name, registered or of the application's own.
    pub fn require_claim(self, name: impl TryInto<ClaimName, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| {
            chain.claims.push(name.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Sets the requirement on the device. Default: [`DeviceBinding::Unchecked`].
    pub fn device(self, binding: DeviceBinding) -> Self {
        self.with(|chain| {
            chain.device = binding;
            Ok(())
        })
    }

    /// Sets the requirement on a proof of the key that the token is bound to. Default:
    /// [`KeyBinding::IfBound`].
    pub fn key(self, binding: KeyBinding) -> Self {
        self.with(|chain| {
            chain.key = binding;
            Ok(())
        })
    }

    /// Sets how current the data of the decision must be. Default:
    /// [`Consistency::BoundedStaleness`].
    pub fn consistency(self, consistency: Consistency) -> Self {
        self.with(|chain| {
            chain.consistency = consistency;
            Ok(())
        })
    }

    /// Adds a rule of the application's own.
    pub fn rule(self, rule: impl Rule + 'static) -> Self {
        self.with(|chain| {
            chain.rules.push(Arc::new(rule));
            Ok(())
        })
    }

    /// Returns the scopes that the chain requires, in order: for the `scope` attribute of a
    /// `WWW-Authenticate` challenge (RFC 6750 section 3).
    ///
    /// Scopes of which any one suffices are in [`alternative_scopes`](Self::alternative_scopes).
    pub fn required_scopes(&self) -> impl ExactSizeIterator<Item = &Scope> {
        self.all_scopes.iter()
    }

    /// Returns the scopes of which the token needs any one, in order.
    pub fn alternative_scopes(&self) -> impl ExactSizeIterator<Item = &Scope> {
        self.any_scopes.iter()
    }

    /// Returns the audiences of which a token needs one. None: it needs none.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.audiences.iter().flatten()
    }

    /// Returns the requirement on the device.
    pub fn device_binding(&self) -> DeviceBinding {
        self.device
    }

    /// Returns the requirement on a proof of the key that the token is bound to.
    pub fn key_binding(&self) -> KeyBinding {
        self.key
    }

    /// Returns whether the chain has rules of the application, which need the whole token.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Returns whether the chain asks for [`Consistency::Strong`].
    pub fn is_strict(&self) -> bool {
        self.consistency == Consistency::Strong
    }
}

impl std::fmt::Debug for ValidationChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidationChain")
            .field("kinds", &self.kinds)
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .field("all_scopes", &self.all_scopes)
            .field("any_scopes", &self.any_scopes)
            .field("clock_skew", &self.clock_skew)
            .field("max_age", &self.max_age)
            .field("claims", &self.claims)
            .field("device", &self.device)
            .field("key", &self.key)
            .field("consistency", &self.consistency)
            .field("rules", &self.rules.len())
            .finish()
    }
}
