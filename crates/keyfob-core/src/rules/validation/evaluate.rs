//! How a chain checks a token: the requirements, in the order of the [module](super).

use super::attributes::TokenAttributes;
use super::{Denied, DeviceBinding, KeyBinding, PresentedBy, Refusal, ValidationChain};
use crate::names::NameSet;
use crate::text::DeviceId;
use crate::time::Timestamp;
use crate::token::{Confirmation, RecordIntegrity, StateInputs, Token, TokenState};

/// One requirement: returns the refusal if the token does not meet it.
type Requirement<T> = fn(&ValidationChain, &T, PresentedBy<'_>, Timestamp) -> Option<Refusal>;

impl ValidationChain {
    /// Checks a token, and stops at the first requirement that it does not meet. A chain that is
    /// not valid lets no token pass.
    ///
    /// # Errors
    /// The refusal of that requirement.
    pub async fn evaluate(
        &self,
        token: &Token,
        by: PresentedBy<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.evaluate_without_rules(token, by, now)?;
        self.evaluate_rules(token, now).await
    }

    /// Checks a token against everything but the rules of the application.
    ///
    /// # Errors
    /// The refusal of the first requirement that the token does not meet.
    pub fn evaluate_without_rules(
        &self,
        token: &Token,
        by: PresentedBy<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let first = self.config_refusal().or_else(|| self.check_state(token, now));
        first.or_else(|| self.refusals(token, by, now).next()).map_or(Ok(()), Err)
    }

    /// Checks a token against the rules of the application.
    ///
    /// # Errors
    /// The refusal of the first rule that does not accept the token.
    pub async fn evaluate_rules(&self, token: &Token, now: Timestamp) -> Result<(), Refusal> {
        for rule in &self.rules {
            rule.check(token, now).await?;
        }
        Ok(())
    }

    /// Checks the cached attributes of a token that is active, against everything but the state and
    /// the rules of the application.
    ///
    /// # Errors
    /// The refusal of the first requirement that the token does not meet.
    #[inline]
    pub fn evaluate_active(
        &self,
        token: &impl TokenAttributes,
        by: PresentedBy<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.accepts_every_unbound_token() && !token.is_bound_to_key() {
            return Ok(());
        }
        self.refusals(token, by, now).next().map_or(Ok(()), Err)
    }

    /// Checks a token against every requirement, for diagnosis. Returns the refusals of all that it
    /// does not meet, in order.
    pub async fn evaluate_all(
        &self,
        token: &Token,
        by: PresentedBy<'_>,
        now: Timestamp,
    ) -> Vec<Refusal> {
        let state = self.config_refusal().or_else(|| self.check_state(token, now));
        let mut refusals: Vec<_> = state.into_iter().collect();
        refusals.extend(self.refusals(token, by, now));
        for rule in &self.rules {
            refusals.extend(rule.check(token, now).await.map_err(Refusal::from).err());
        }
        refusals
    }

    /// Whether the chain requires nothing but the state, its rules aside.
    fn accepts_every_unbound_token(&self) -> bool {
        // Every field is named, so that a new requirement cannot be forgotten here.
        let Self {
            invalid,
            kinds,
            issuers,
            audiences,
            all_scopes,
            any_scopes,
            clock_skew: _,
            max_age,
            claims,
            device,
            key,
            consistency: _,
            rules: _,
        } = self;
        invalid.is_none()
            && kinds.is_empty()
            && issuers.is_none()
            && audiences.is_none()
            && all_scopes.is_empty()
            && any_scopes.is_empty()
            && max_age.is_none()
            && claims.is_empty()
            && *device == DeviceBinding::Unchecked
            && *key != KeyBinding::Required
    }

    /// The refusals of the requirements beyond the state and before the rules. Each requirement is
    /// checked when the iterator reaches it.
    fn refusals<'a, T: TokenAttributes>(
        &'a self,
        token: &'a T,
        by: PresentedBy<'a>,
        now: Timestamp,
    ) -> impl Iterator<Item = Refusal> + 'a {
        let in_order: [Requirement<T>; 9] = [
            |chain, token, _, _| chain.check_kind(token),
            |chain, token, _, _| chain.check_issuer(token),
            |chain, token, _, _| chain.check_audience(token),
            |chain, token, _, _| chain.check_all_scopes(token),
            |chain, token, _, _| chain.check_any_scope(token),
            |chain, token, _, now| chain.check_age(token, now),
            |chain, token, _, _| chain.check_claims(token),
            |chain, token, by, _| chain.check_device(token, by.device),
            |chain, token, by, _| chain.check_key(token, by.key),
        ];
        in_order.into_iter().filter_map(move |check| check(self, token, by, now))
    }

    /// Parts that were given after an invalid one were not taken, so no token may pass.
    fn config_refusal(&self) -> Option<Refusal> {
        let invalid = self.invalid.as_ref()?;
        Some(Refusal::Rule(Denied::new("invalid_chain", invalid.to_string())))
    }

    fn check_state(&self, token: &Token, now: Timestamp) -> Option<Refusal> {
        if token.integrity == RecordIntegrity::EpochsLost {
            return Some(Refusal::Damaged);
        }
        let inputs = token.state_inputs();
        let (earliest, latest) =
            self.clock_skew.map_or((now, now), |skew| (now.saturating_sub(skew), now + skew));
        state_refusal(token, &inputs, inputs.state_between(earliest, latest))
    }

    fn check_kind(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let found = token.kind();
        let is_accepted = self.kinds.is_empty() || self.kinds.contains(&found);
        (!is_accepted).then_some(Refusal::Kind { found })
    }

    fn check_issuer(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let is_accepted = self.issuers.as_ref().is_none_or(|accepted| token.has_issuer(accepted));
        (!is_accepted).then_some(Refusal::Issuer)
    }

    fn check_audience(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let is_accepted = self.audiences.as_ref().is_none_or(|wanted| token.has_audience(wanted));
        (!is_accepted).then_some(Refusal::Audience)
    }

    fn check_all_scopes(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let missing = self.all_scopes.iter().filter(|scope| !token.has_scope(scope));
        let missing = NameSet::from_names(missing.cloned()).unwrap_or_default();
        (!missing.is_empty()).then_some(Refusal::Scope { missing })
    }

    fn check_any_scope(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let is_met = self.any_scopes.is_empty()
            || self.any_scopes.iter().any(|scope| token.has_scope(scope));
        (!is_met).then(|| Refusal::Scope { missing: self.any_scopes.clone() })
    }

    fn check_age(&self, token: &impl TokenAttributes, now: Timestamp) -> Option<Refusal> {
        let max_age = self.max_age?;
        let issued_at = token.issued_at();
        let end = issued_at + max_age;
        let end = self.clock_skew.map_or(end, |skew| end + skew);
        (now > end).then_some(Refusal::TooOld { issued_at })
    }

    fn check_claims(&self, token: &impl TokenAttributes) -> Option<Refusal> {
        let missing = self.claims.iter().find(|name| !token.has_claim(name));
        missing.map(|name| Refusal::MissingClaim { name: name.clone() })
    }

    fn check_device(
        &self,
        token: &impl TokenAttributes,
        device: Option<&DeviceId>,
    ) -> Option<Refusal> {
        if self.device == DeviceBinding::Unchecked {
            return None;
        }
        let bound_to = token.device_id();
        let is_same = bound_to == device.map(DeviceId::as_str);
        let is_met = match self.device {
            DeviceBinding::Unchecked => true,
            DeviceBinding::IfBound => bound_to.is_none() || is_same,
            DeviceBinding::Required => bound_to.is_some() && is_same,
        };
        (!is_met).then_some(Refusal::Device)
    }

    fn check_key(
        &self,
        token: &impl TokenAttributes,
        proven: Option<&Confirmation>,
    ) -> Option<Refusal> {
        let is_proven = || proven.is_some_and(|key| token.is_bound_to(key));
        let is_met = match self.key {
            KeyBinding::Unchecked => true,
            KeyBinding::IfBound => !token.is_bound_to_key() || is_proven(),
            KeyBinding::Required => is_proven(),
        };
        (!is_met).then_some(Refusal::Confirmation)
    }
}

fn state_refusal(token: &Token, inputs: &StateInputs, state: TokenState) -> Option<Refusal> {
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
