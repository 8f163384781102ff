//! Derived tokens: for a service or an agent that acts for somebody.

use super::TokenManager;
use super::issue::{Issued, Parent, narrow};
use crate::bearer::Bearer;
use crate::error::Error;
use crate::invalid::{Invalid, Problem};
use crate::token::{Grant, Kind, SecretUsed, TokenState};
use crate::validation::{Presentation, Refusal, ValidationChain};

impl TokenManager {
    /// Derives a token from one that is presented: for the same subject and client, with the scope
    /// that is asked for and no other, no wider audience and no longer life, and revoked with it.
    /// Who is to act is said by [`Grant::acting`]; it is put before whoever acted already.
    ///
    /// A line of descent is at most eight long, and as wide as it likes. Revoking any token of the
    /// tree ends all below it at once, however many there are.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager, Ttl, Why};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let session = manager
    ///     .issue(Grant::new(Kind::Session).subject("user123").scopes("mail calendar"))
    ///     .await?;
    /// let grant = Grant::new(Kind::Access).acting("agent-7").scope("calendar").ttl(Ttl::from_mins(5));
    /// let derived = manager.derive(&session.bearer, grant).await?;
    /// assert_eq!(derived.token.subject, session.token.subject);
    ///
    /// manager.revoke(session.token.id, Why::because("user logout")).await?;
    /// assert!(manager.validate_any(&derived.bearer).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer is not good, or is that of a refresh token, which is to be
    /// refreshed instead; [`Error::Invalid`] when the grant is wider than the token, the line too
    /// long, or the uses of the token are counted; [`Error::Ended`] when it is revoked meanwhile;
    /// [`Error::Store`].
    pub async fn derive(
        &self,
        presented: impl Into<Presentation<'_>>,
        grant: Grant,
    ) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        let presented = presented.into();
        let bearer = Bearer::parse(presented.bearer, &self.inner.prefix)
            .map_err(|refused| self.refuse(refused.into(), None))?;
        if bearer.kind() == Kind::Refresh {
            return Err(self.refuse(Refusal::Kind { found: Kind::Refresh }, None));
        }
        let (loaded, record) = match self.load(bearer.id()).await {
            Err(Error::NotFound { .. }) => return Err(self.refuse(Refusal::Unknown, None)),
            read => read?,
        };
        let now = self.now();
        let Some(secret) = record.secret_of(&bearer, now) else {
            return Err(self.refuse(Refusal::Unknown, None));
        };
        let mut token = record.into_token(&loaded);
        let chain = ValidationChain::new();
        chain
            .check_but_rules(&token, presented.device, now)
            .map_err(|refusal| self.refuse(refusal, Some(token.id)))?;
        if token.uses_left.is_some() {
            let rule = "its uses are counted: what is derived would be used without being counted";
            return Err(Invalid::new("parent", Problem::Contradiction { rule }).into());
        }
        if let SecretUsed::Older { until } = secret {
            // What is derived by a secret does not outlive it.
            token.expires_at = Some(token.expires_at.map_or(until, |end| end.min(until)));
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
}
