//! Derived tokens: for a service or an agent that acts for a subject.

use super::TokenManager;
use super::descent::narrow;
use super::issue::{IdempotencyKey, Issued, Parent};
use super::modify::RETRY_LIMIT;
use super::rotate::FirstUse;
use super::settle::Rejection;
use crate::error::Error;
use crate::outcomes::derivation;
use keyfob_core::bearer::BearerToken;
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Grant, Kind, SecretUsed, Token, TokenState};
use keyfob_core::validation::{DeviceBinding, Presentation, Refusal, ValidationChain};
use keyfob_store::Loaded;

impl TokenManager {
    /// Derives a token from one that is presented.
    ///
    /// The derived token has the same subject and client, the scope that the grant asks for and no
    /// other, no wider audience and no longer life, and is revoked with its parent.
    /// [`Grant::acting`] names the actor, which is put before the actors of the parent. From a token
    /// that is bound to a key, a token is derived only if possession of the key was proven
    /// ([`Presentation::confirmation`]), and is bound as well: to the same key, or to the grant's.
    ///
    /// Deriving counts as a use of the parent. A line of descent has at most eight tokens and any
    /// number of branches. Revoking a token of the tree ends all tokens below it in one step.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager, Ttl, RevokeRequest};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let session = manager
    ///     .issue(Grant::new(Kind::Session).subject("user123").scopes("mail calendar"))
    ///     .await?;
    /// let grant = Grant::new(Kind::Access).acting("agent-7").scope("calendar").ttl(Ttl::from_mins(5));
    /// let derived = manager.derive(&session.bearer, grant).await?;
    /// assert_eq!(derived.token.subject, session.token.subject);
    ///
    /// manager.revoke(session.token.id, RevokeRequest::reason("user logout")).await?;
    /// assert!(manager.validate_active(&derived.bearer).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer token is refused, or belongs to a refresh token, which
    /// has to be refreshed instead; [`Error::Invalid`] when the grant is wider than the token, the
    /// line is too long, or the uses of the token are limited; [`Error::Ended`] when it is revoked
    /// meanwhile; [`Error::Contended`]; [`Error::Store`].
    pub async fn derive(
        &self,
        presented: impl Into<Presentation<'_>>,
        grant: Grant,
    ) -> Result<Issued, Error> {
        let outcome = self.derive_from(presented.into(), grant, None).await;
        self.inner.metrics.handles.derivations.of(derivation(&outcome)).increment(1);
        outcome
    }

    /// Derives a token once; see [`TokenManager::issue_once`].
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] when the key belongs to another request, and those of
    /// [`TokenManager::derive`].
    pub async fn derive_once(
        &self,
        key: &IdempotencyKey,
        presented: impl Into<Presentation<'_>>,
        grant: Grant,
    ) -> Result<Issued, Error> {
        let outcome = self.derive_from(presented.into(), grant, Some(key)).await;
        self.inner.metrics.handles.derivations.of(derivation(&outcome)).increment(1);
        outcome
    }

    async fn derive_from(
        &self,
        presented: Presentation<'_>,
        grant: Grant,
        key: Option<&IdempotencyKey>,
    ) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        let (loaded, token) = match self.parent(&presented).await {
            Ok(parent) => parent,
            Err(rejection) => return Err(self.settle(presented.ip, rejection).await),
        };
        if token.uses_left.is_some() {
            let rule = "the uses of the parent are limited, and what is derived from it would be used \
                        without being counted";
            return Err(
                InvalidValue::new(Field::Parent, InvalidReason::Contradiction { rule }).into()
            );
        }
        let parts = narrow(parts, &token)?;
        let parent = Parent { token: &token, stamp: loaded.stamp, keep_until: loaded.keep_until };
        // Only a holder of the parent may claim a key.
        let repeatable = match key {
            Some(key) => Some(self.repeatable(key).await?),
            None => None,
        };
        match self.issue_from(parts, Some(parent), repeatable.as_ref()).await {
            Err(Error::Superseded) => {
                Err(Error::Ended { id: token.id, state: TokenState::Revoked })
            }
            outcome => outcome,
        }
    }

    /// Returns the presented token, if a token may be derived from it.
    async fn parent(&self, presented: &Presentation<'_>) -> Result<(Loaded, Token), Rejection> {
        if let Some(throttled) = self.throttled(presented.ip) {
            return Err(throttled.into());
        }
        let bearer = BearerToken::parse(presented.bearer, &self.inner.prefix)?;
        if bearer.kind() == Kind::Refresh {
            return Err(Refusal::Kind { found: Kind::Refresh }.into());
        }
        for _ in 0..RETRY_LIMIT {
            let (loaded, record) = self.load_presented(bearer.id(), presented.ip).await?;
            let proven = |error: Error| Rejection::of(loaded.id, error);
            let now = self.now();
            let used = record.secret_of(&bearer, now);
            let first_use = FirstUse::of(&loaded, &record, used);
            let used = used.ok_or(Refusal::Unknown)?;
            let mut token = record.into_token(&loaded);
            let met = check_presenter(&token, presented, now);
            met.map_err(|refusal| proven(refusal.into()))?;
            if let Some(first_use) = first_use
                && !self.write_first_use(first_use).await.map_err(proven)?
            {
                // The record has changed since it was read: read it again.
                continue;
            }
            self.record_use(&token, now).await.map_err(proven)?;
            if let SecretUsed::Older { until } = used {
                // A token that is derived with a secret that is about to end, ends with that secret.
                token.expires_at = Some(token.expires_at.map_or(until, |end| end.min(until)));
            }
            return Ok((loaded, token));
        }
        Err(Error::Contended { id: bearer.id() }.into())
    }
}

/// Checks that a token is active, and is not bound to another presenter.
///
/// Possession of a key has to be proven. A device that is not named is not checked.
fn check_presenter(
    token: &Token,
    presented: &Presentation<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let device = presented.device.map_or(DeviceBinding::Unchecked, |_| DeviceBinding::IfBound);
    ValidationChain::new().device(device).evaluate_without_rules(token, presented.by(), now)
}
