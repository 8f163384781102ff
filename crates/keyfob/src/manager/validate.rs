//! From a bearer to its token, or to a typed refusal.

use super::TokenManager;
use crate::bearer::Bearer;
use crate::codec::{self, Record};
use crate::error::Error;
use crate::event::Sight;
use crate::store::{Spend, Spent, Verdict};
use crate::token::Token;
use crate::validation::{Presentation, Refusal, ValidationChain};

/// What is wrong with a bearer, in full.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Its token, whatever its state.
    pub token: Token,
    /// Every demand that the token does not meet, in the order of the chain; empty when it is good.
    pub refusals: Vec<Refusal>,
}

impl TokenManager {
    /// The token of a bearer, if the bearer is good and the token meets every demand of `chain`.
    ///
    /// A token whose uses are counted loses one. A store that fails refuses nobody and lets nobody
    /// in: the error says so, and the caller must not go on.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer is not good; [`Error::Store`] when that cannot be told.
    pub async fn validate(
        &self,
        presented: impl Into<Presentation<'_>>,
        chain: &ValidationChain,
    ) -> Result<Token, Error> {
        chain.is_sound()?;
        let presented = presented.into();
        let outcome = self.judge(presented, chain).await;
        match &outcome {
            Ok(token) => self.observe_use(token.id),
            Err((Error::Refused(refusal), seen)) => self.observe_refusal(refusal, *seen),
            Err(_) => {}
        }
        outcome.map_err(|(error, _)| error)
    }

    /// As [`TokenManager::validate`], demanding only that the token be active.
    ///
    /// # Errors
    /// As [`TokenManager::validate`].
    pub async fn validate_any(
        &self,
        presented: impl Into<Presentation<'_>>,
    ) -> Result<Token, Error> {
        self.validate(presented, &ValidationChain::new()).await
    }

    /// The token of a bearer, whatever its state, and every demand of `chain` that it does not meet.
    /// It uses nothing up and is not observed. For diagnosis only: a token that is returned here
    /// may be anything but good.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer is malformed or unknown; [`Error::Store`].
    pub async fn diagnose(
        &self,
        presented: impl Into<Presentation<'_>>,
        chain: &ValidationChain,
    ) -> Result<Diagnosis, Error> {
        chain.is_sound()?;
        let presented = presented.into();
        let bearer = Bearer::parse(presented.bearer, &self.inner.prefix)?;
        let token = self.token_of_bearer(&bearer).await?;
        let refusals = chain.check_all(&token, presented.device, self.now()).await;
        Ok(Diagnosis { token, refusals })
    }

    /// The outcome, and with a refusal the token that the bearer proved to be one's.
    async fn judge(
        &self,
        presented: Presentation<'_>,
        chain: &ValidationChain,
    ) -> Result<Token, (Error, Option<crate::id::TokenId>)> {
        let unknown = |error: Error| (error, None);
        let bearer = Bearer::parse(presented.bearer, &self.inner.prefix)
            .map_err(|refused| unknown(refused.into()))?;
        let mut token = self.token_of_bearer(&bearer).await.map_err(unknown)?;
        let known = |error: Error| (error, Some(bearer.id()));
        let now = self.now();
        chain
            .check(&token, presented.device, now)
            .await
            .map_err(|refusal| known(refusal.into()))?;
        if token.uses_left.is_some() {
            token = self.spend(token).await.map_err(known)?;
        }
        self.mark_use(&token, now).await.map_err(known)?;
        Ok(token)
    }

    async fn token_of_bearer(&self, bearer: &Bearer) -> Result<Token, Error> {
        let unknown = || Error::from(Refusal::Unknown);
        let loaded = self.inner.store.load(bearer.id()).await?.ok_or_else(unknown)?;
        let record: Record = codec::decode(&loaded.body)?;
        if !record.is_proven_by(bearer) {
            return Err(unknown());
        }
        Ok(record.into_token(&loaded))
    }

    async fn spend(&self, mut token: Token) -> Result<Token, Error> {
        let operation = self.begin()?;
        match self.inner.store.spend(operation, Spend { id: token.id }).await? {
            Spent::Left(left) => {
                token.uses_left = Some(left);
                Ok(token)
            }
            Spent::Exhausted => Err(Refusal::Exhausted.into()),
            Spent::Refused => {
                // It was revoked since it was read: say so if it still can be read.
                let Some(loaded) = self.inner.store.load(token.id).await? else {
                    return Err(Refusal::Unknown.into());
                };
                let damaged = loaded.verdict == Verdict::Damaged;
                let revocation = super::token_of(&loaded)?.revocation;
                Err(match revocation {
                    Some(revocation) => Refusal::Revoked(Box::new(revocation)).into(),
                    None if damaged => Refusal::Damaged.into(),
                    None => Refusal::Unknown.into(),
                })
            }
        }
    }

    fn observe_refusal(&self, refusal: &Refusal, token: Option<crate::id::TokenId>) {
        match (refusal, token) {
            (Refusal::Expired { .. }, Some(token)) => self.observe(Sight::Expired { token }),
            _ => self.observe(Sight::Refused { token, code: refusal.code().to_owned() }),
        }
    }
}
