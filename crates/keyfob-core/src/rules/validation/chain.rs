//! The chain itself: the demands, and the order in which they are checked.

use std::sync::Arc;

use super::{Denied, Refusal, Rule};
use crate::invalid::InvalidValue;
use crate::names::NameSet;
use crate::text::{Audience, ClaimName, DeviceId, Issuer, Scope};
use crate::time::{Timestamp, Ttl};
use crate::token::{Kind, RecordIntegrity, StateInputs, Token, TokenState};

/// What a service demands of a token.
///
/// Build one once and use it for every request. Each part is checked as it is given; the first that
/// does not hold is reported when the chain is first used, and nothing passes it.
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
///         Some(subject) if subject.as_str() == "blocked" => {
///             Err(Denied::new("subject_blocked", "this account is closed"))
///         }
///         _ => Ok(()),
///     });
/// assert!(chain.check().is_ok());
/// ```
#[derive(Clone, Default)]
pub struct ValidationChain {
    invalid: Option<InvalidValue>,
    kinds: Vec<Kind>,
    issuers: Option<Vec<Issuer>>,
    audiences: Option<NameSet<Audience>>,
    all_scopes: NameSet<Scope>,
    any_scopes: NameSet<Scope>,
    clock_skew: Option<Ttl>,
    max_age: Option<Ttl>,
    claims: Vec<ClaimName>,
    device: DeviceBinding,
    consistency: Consistency,
    rules: Vec<Arc<dyn Rule>>,
}

/// How fresh what is decided upon must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Consistency {
    /// What is known may be as old as the manager's bound: a cache may answer.
    #[default]
    BoundedStaleness,
    /// The store is asked, now: a revocation that has returned before is seen, always.
    Strong,
}

/// One demand: the refusal, if it is not met.
type Check<T> = fn(&ValidationChain, &T, Option<&DeviceId>, Timestamp) -> Option<Refusal>;

/// What demands are made of: a token, or what is cached of one.
pub trait TokenAttributes {
    fn kind(&self) -> Kind;
    fn issued_at(&self) -> Timestamp;
    fn has_issuer(&self, accepted: &[Issuer]) -> bool;
    fn has_audience(&self, wanted: &NameSet<Audience>) -> bool;
    fn has_scope(&self, scope: &Scope) -> bool;
    fn has_claim(&self, name: &ClaimName) -> bool;
    fn device_id(&self) -> Option<&str>;
}

impl TokenAttributes for Token {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    fn has_issuer(&self, accepted: &[Issuer]) -> bool {
        self.issuer.as_ref().is_some_and(|issuer| accepted.contains(issuer))
    }

    fn has_audience(&self, wanted: &NameSet<Audience>) -> bool {
        self.audiences.contains_any(wanted)
    }

    fn has_scope(&self, scope: &Scope) -> bool {
        self.scopes.contains(scope)
    }

    fn has_claim(&self, name: &ClaimName) -> bool {
        self.claims.registered.has(name) || self.claims.private.has(name)
    }

    fn device_id(&self) -> Option<&str> {
        self.metadata.device.id.as_ref().map(|id| id.as_str())
    }
}

/// What is demanded of the device that presents a bearer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeviceBinding {
    /// Nothing.
    #[default]
    Unchecked,
    /// A token that names a device is good from that device only.
    IfBound,
    /// The token must name a device, and it must be the one that presents it.
    Required,
}

impl ValidationChain {
    /// A chain that demands only that the token be active.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every part that was given holds.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }

    fn with(mut self, set: impl FnOnce(&mut Self) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self).err();
        }
        self
    }

    /// Accepts tokens of this kind; without any call, of every kind.
    pub fn allow_kind(self, kind: Kind) -> Self {
        self.with(|chain| {
            chain.kinds.push(kind);
            Ok(())
        })
    }

    /// Accepts tokens of this issuer; without any call, of every issuer and of none.
    pub fn allow_issuer(self, issuer: impl TryInto<Issuer, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| {
            let issuer = issuer.try_into().map_err(Into::into)?;
            chain.issuers.get_or_insert_default().push(issuer);
            Ok(())
        })
    }

    /// Accepts tokens that are meant for this audience, among others or alone; without any call,
    /// for every one and for none.
    pub fn allow_audience(
        self,
        audience: impl TryInto<Audience, Error: Into<InvalidValue>>,
    ) -> Self {
        self.with(|chain| {
            let audience = audience.try_into().map_err(Into::into)?;
            chain.audiences.get_or_insert_default().insert(audience)
        })
    }

    /// Demands this scope, beside all others that are demanded so.
    pub fn require_scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| chain.all_scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Demands one of the scopes that are named so.
    pub fn require_any_scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| chain.any_scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Allows that this node's clock and the issuer's differ by so much, either way.
    pub fn clock_skew(self, skew: Ttl) -> Self {
        self.with(|chain| {
            chain.clock_skew = Some(skew);
            Ok(())
        })
    }

    /// Demands that the token was issued no longer ago than this.
    pub fn max_age(self, age: Ttl) -> Self {
        self.with(|chain| {
            chain.max_age = Some(age);
            Ok(())
        })
    }

    /// Demands that the token has a claim of this name, registered or of the application's own.
    pub fn require_claim(self, name: impl TryInto<ClaimName, Error: Into<InvalidValue>>) -> Self {
        self.with(|chain| {
            chain.claims.push(name.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// What is demanded of the device.
    pub fn device(self, binding: DeviceBinding) -> Self {
        self.with(|chain| {
            chain.device = binding;
            Ok(())
        })
    }

    /// How fresh what is decided upon must be.
    pub fn consistency(self, consistency: Consistency) -> Self {
        self.with(|chain| {
            chain.consistency = consistency;
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

    /// Adds a rule of the application's own.
    pub fn rule(self, rule: impl Rule + 'static) -> Self {
        self.with(|chain| {
            chain.rules.push(Arc::new(rule));
            Ok(())
        })
    }

    /// Checks a token and stops at the first demand that is not met. A chain that is not sound lets
    /// nothing pass.
    ///
    /// # Errors
    /// That demand.
    pub async fn evaluate(
        &self,
        token: &Token,
        device: Option<&DeviceId>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.evaluate_without_rules(token, device, now)?;
        self.evaluate_rules(token, now).await
    }

    pub fn evaluate_without_rules(
        &self,
        token: &Token,
        device: Option<&DeviceId>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let first = self.unsound().or_else(|| self.state(token, now));
        first.or_else(|| self.demands(token, device, now).next()).map_or(Ok(()), Err)
    }

    pub async fn evaluate_rules(&self, token: &Token, now: Timestamp) -> Result<(), Refusal> {
        for rule in &self.rules {
            rule.check(token, now).await?;
        }
        Ok(())
    }

    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    pub fn is_strict(&self) -> bool {
        self.consistency == Consistency::Strong
    }

    /// Checks what is cached of a token that is active: every demand but the rules.
    #[inline]
    pub fn evaluate_active(
        &self,
        token: &impl TokenAttributes,
        device: Option<&DeviceId>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.demands_nothing() {
            return Ok(());
        }
        self.demands(token, device, now).next().map_or(Ok(()), Err)
    }

    /// Whether every active token meets it, its rules aside.
    fn demands_nothing(&self) -> bool {
        self.invalid.is_none()
            && self.kinds.is_empty()
            && self.issuers.is_none()
            && self.audiences.is_none()
            && self.all_scopes.is_empty()
            && self.any_scopes.is_empty()
            && self.max_age.is_none()
            && self.claims.is_empty()
            && self.device == DeviceBinding::Unchecked
    }

    /// Checks a token against every demand, for diagnosis: all that are not met, in order.
    pub async fn evaluate_all(
        &self,
        token: &Token,
        device: Option<&DeviceId>,
        now: Timestamp,
    ) -> Vec<Refusal> {
        let state = self.unsound().or_else(|| self.state(token, now));
        let mut refusals: Vec<_> = state.into_iter().collect();
        refusals.extend(self.demands(token, device, now));
        for rule in &self.rules {
            refusals.extend(rule.check(token, now).await.map_err(Refusal::from).err());
        }
        refusals
    }

    /// The demands beyond the state that need no waiting, each checked when it is asked for.
    fn demands<'a, T: TokenAttributes>(
        &'a self,
        token: &'a T,
        device: Option<&'a DeviceId>,
        now: Timestamp,
    ) -> impl Iterator<Item = Refusal> + 'a {
        let in_order: [Check<T>; 8] = [
            |chain, token, _, _| chain.kind(token),
            |chain, token, _, _| chain.issuer(token),
            |chain, token, _, _| chain.audience(token),
            |chain, token, _, _| chain.every_scope(token),
            |chain, token, _, _| chain.some_scope(token),
            |chain, token, _, now| chain.age(token, now),
            |chain, token, _, _| chain.claim(token),
            |chain, token, device, _| chain.device_bound(token, device),
        ];
        in_order.into_iter().filter_map(move |check| check(self, token, device, now))
    }

    /// What was given after a part that does not hold was not even taken, so nothing may pass.
    fn unsound(&self) -> Option<Refusal> {
        let invalid = self.invalid.as_ref()?;
        Some(Refusal::Rule(Denied::new("invalid_chain", invalid.to_string())))
    }

    fn state(&self, token: &Token, now: Timestamp) -> Option<Refusal> {
        if token.integrity == RecordIntegrity::EpochsLost {
            return Some(Refusal::Damaged);
        }
        let inputs = token.state_inputs();
        let (earliest, latest) =
            self.clock_skew.map_or((now, now), |skew| (now.saturating_sub(skew), now + skew));
        refusal_of(token, &inputs, inputs.state_between(earliest, latest))
    }

    fn kind(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let found = token.kind();
        let accepted = self.kinds.is_empty() || self.kinds.contains(&found);
        (!accepted).then_some(Refusal::Kind { found })
    }

    fn issuer(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let accepted = self.issuers.as_ref().is_none_or(|accepted| token.has_issuer(accepted));
        (!accepted).then_some(Refusal::Issuer)
    }

    fn audience(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let accepted = self.audiences.as_ref().is_none_or(|wanted| token.has_audience(wanted));
        (!accepted).then_some(Refusal::Audience)
    }

    fn every_scope(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let lacking = self.all_scopes.iter().filter(|scope| !token.has_scope(scope));
        let missing = NameSet::from_names(lacking.cloned()).unwrap_or_default();
        (!missing.is_empty()).then_some(Refusal::Scope { missing })
    }

    fn some_scope(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let met = self.any_scopes.is_empty()
            || self.any_scopes.iter().any(|scope| token.has_scope(scope));
        (!met).then(|| Refusal::Scope { missing: self.any_scopes.clone() })
    }

    fn age(&self, token: &impl TokenAttributes, now: Timestamp) -> Option<Refusal> {
        let allowed = self.max_age?;
        let issued_at = token.issued_at();
        let allowed = issued_at + allowed;
        let end = self.clock_skew.map_or(allowed, |skew| allowed + skew);
        (now > end).then_some(Refusal::TooOld { issued_at })
    }

    fn claim(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let missing = self.claims.iter().find(|name| !token.has_claim(name));
        missing.map(|name| Refusal::MissingClaim { name: name.clone() })
    }

    fn device_bound(
        &self,
        token: &impl TokenAttributes,
        device: Option<&DeviceId>,
    ) -> Option<Refusal> {
        if self.device == DeviceBinding::Unchecked {
            return None;
        }
        let bound = token.device_id();
        let is_it = bound == device.map(DeviceId::as_str);
        let met = match self.device {
            DeviceBinding::Unchecked => true,
            DeviceBinding::IfBound => bound.is_none() || is_it,
            DeviceBinding::Required => bound.is_some() && is_it,
        };
        (!met).then_some(Refusal::Device)
    }
}

fn refusal_of(token: &Token, inputs: &StateInputs, state: TokenState) -> Option<Refusal> {
    match state {
        TokenState::Active => None,
        TokenState::Revoked => Some(match &token.revocation {
            Some(revocation) => Refusal::Revoked(Box::new(revocation.clone())),
            None => Refusal::Damaged,
        }),
        TokenState::Exhausted => Some(Refusal::Exhausted),
        TokenState::Expired => {
            Some(Refusal::Expired { at: inputs.ends_at.unwrap_or(Timestamp::MAX) })
        }
        TokenState::Pending => {
            Some(Refusal::NotYetValid { from: inputs.not_before.unwrap_or(Timestamp::MAX) })
        }
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
            .field("consistency", &self.consistency)
            .field("rules", &self.rules.len())
            .finish()
    }
}
