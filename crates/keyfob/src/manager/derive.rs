//! Derived tokens: for a service or an agent that acts for somebody.

use super::TokenManager;
use super::descent::narrow;
use super::issue::{Issued, Parent};
use super::rotate::{FirstUse, TRIES};
use crate::bearer::BearerToken;
use crate::error::Error;
use crate::id::TokenId;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::outcomes::derivation;
use crate::store::Loaded;
use crate::time::Timestamp;
use crate::token::{Grant, Kind, SecretUsed, Token, TokenState};
use crate::validation::{DeviceBinding, Presentation, Refusal, ValidationChain};

impl TokenManager {
    /// Derives a token from one that is presented: for the same subject and client, with the scope
    /// that is asked for and no other, no wider audience and no longer life, and revoked with it.
    /// Who is to act is said by [`Grant::acting`]; it is put before whoever acted already. From a
    /// token that is bound to a key, something is derived only for whoever has proven it
    /// ([`Presentation::confirmation`]), and is bound as well: to the same key, or the grant's.
    ///
    /// To derive is to use the token. A line of descent is at most eight long, and as wide as it
    /// likes. Revoking any token of the tree ends all below it at once, however many there are.
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
    /// [`Error::Refused`] when the bearer is not good, or is that of a refresh token, which is to be
    /// refreshed instead; [`Error::Invalid`] when the grant is wider than the token, the line too
    /// long, or the uses of the token are counted; [`Error::Ended`] when it is revoked meanwhile;
    /// [`Error::Contended`]; [`Error::Store`].
    pub async fn derive(
        &self,
        presented: impl Into<Presentation<'_>>,
        grant: Grant,
    ) -> Result<Issued, Error> {
        let outcome = self.derive_from(presented.into(), grant).await;
        self.inner.metrics.handles.derivations.of(derivation(&outcome)).increment(1);
        outcome
    }

    async fn derive_from(
        &self,
        presented: Presentation<'_>,
        grant: Grant,
    ) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        if let Some(throttled) = self.throttled(presented.ip) {
            return Err(self.refuse(throttled, None));
        }
        let (loaded, token) = match self.parent(&presented).await {
            Err((Error::Refused(refusal), seen)) => {
                self.count_failure(presented.ip, &refusal).await;
                return Err(self.refuse(refusal, seen));
            }
            outcome => outcome.map_err(|(error, _)| error)?,
        };
        if token.uses_left.is_some() {
            let rule = "its uses are counted: what is derived would be used without being counted";
            return Err(InvalidValue::new("parent", InvalidReason::Contradiction { rule }).into());
        }
        let parts = narrow(parts, &token)?;
        let parent = Parent { token: &token, stamp: loaded.stamp, keep_until: loaded.keep_until };
        match self.issue_from(parts, Some(parent)).await {
            Err(Error::Superseded) => {
                Err(Error::Ended { id: token.id, state: TokenState::Revoked })
            }
            outcome => outcome,
        }
    }

    /// The token that is presented, if something may be derived from it; with a refusal the token
    /// that the bearer proved to be one's.
    async fn parent(
        &self,
        presented: &Presentation<'_>,
    ) -> Result<(Loaded, Token), (Error, Option<TokenId>)> {
        let unknown = |error: Error| (error, None);
        let bearer = BearerToken::parse(presented.bearer, &self.inner.prefix);
        let bearer = bearer.map_err(|refused| unknown(refused.into()))?;
        if bearer.kind() == Kind::Refresh {
            return Err(unknown(Refusal::Kind { found: Kind::Refresh }.into()));
        }
        for _ in 0..TRIES {
            let (loaded, record) = match self.load(bearer.id()).await {
                Err(Error::NotFound { .. }) => return Err(unknown(Refusal::Unknown.into())),
                read => read
                    .inspect_err(|error| self.record_unverifiable(bearer.id(), error))
                    .map_err(unknown)?,
            };
            let known = |error| (error, Some(loaded.id));
            let now = self.now();
            let secret = record.secret_of(&bearer, now);
            let first_use = FirstUse::of(&loaded, &record, secret);
            let secret = secret.ok_or_else(|| unknown(Refusal::Unknown.into()))?;
            let mut token = record.into_token(&loaded);
            let met = is_shown_by_its_owner(&token, presented, now);
            met.map_err(|refusal| known(refusal.into()))?;
            if let Some(first_use) = first_use
                && !self.note_first_use(first_use).await.map_err(known)?
            {
                // Others were quicker: read what they made of it.
                continue;
            }
            self.record_use(&token, now).await.map_err(known)?;
            if let SecretUsed::Older { until } = secret {
                // What is derived by a secret that is to end ends with it.
                token.expires_at = Some(token.expires_at.map_or(until, |end| end.min(until)));
            }
            return Ok((loaded, token));
        }
        Err(unknown(Error::Contended { id: bearer.id() }))
    }
}

/// Whether a token is active, and not bound to somebody else than whoever presents it. A key has to be
/// proven; of the device, it may be that nothing is known.
fn is_shown_by_its_owner(
    token: &Token,
    presented: &Presentation<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let known = presented.device.map_or(DeviceBinding::Unchecked, |_| DeviceBinding::IfBound);
    ValidationChain::new().device(known).evaluate_without_rules(token, presented.device, now)?;
    let key = token.claims.registered.confirmation.as_ref();
    if key.is_some() && key != presented.confirmation {
        return Err(Refusal::ProofKey);
    }
    Ok(())
}
