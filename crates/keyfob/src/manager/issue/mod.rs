//! Issuing tokens: one, many, one from another, or a pair.
//!
//! `docs/issuing.md` compares these calls and lists what a token inherits from its parent.

mod idempotency_key;
mod lifetime;
mod new_token;
mod once;
mod pair;
mod prepare;
mod repeatable;
mod store;

use futures_util::{Stream, StreamExt, stream};

use super::TokenManager;
use super::descent::narrow;
use crate::error::Error;
pub use idempotency_key::IdempotencyKey;
use keyfob_core::id::TokenId;
use keyfob_core::token::{Grant, GrantParts, Kind, TokenState};
use keyfob_store::Loaded;
pub use new_token::{Issued, IssuedPair};
pub(super) use new_token::{NewToken, terms_of};
pub(super) use prepare::{Parent, Prepared};
pub(super) use repeatable::Repeatable;
pub(super) use store::{DRAW_LIMIT, Draft, no_free_id};

/// How many tokens `issue_many` issues at the same time.
const CONCURRENT_ISSUES: usize = 128;

impl TokenManager {
    /// Issues a token.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the grant is not valid, [`Error::Superseded`] when all tokens of the
    /// subject were revoked after `begin_login` took the login stamp, [`Error::TooManySessions`]
    /// when the session policy denies one more, [`Error::Contended`], [`Error::Store`].
    pub async fn issue(&self, grant: Grant) -> Result<Issued, Error> {
        self.issue_with(grant.into_parts()?, None).await
    }

    /// Issues many tokens, several of them at the same time. The results come in the order of the
    /// grants.
    pub fn issue_many<'a>(
        &'a self,
        grants: impl IntoIterator<Item = Grant> + 'a,
    ) -> impl Stream<Item = Result<Issued, Error>> + 'a {
        stream::iter(grants).map(|grant| self.issue(grant)).buffered(CONCURRENT_ISSUES)
    }

    /// Issues a token below the token `from`. Revoking `from` revokes it.
    ///
    /// | part of the new token | where it comes from |
    /// |---|---|
    /// | lane, family, subject, client, issuer | `from`; a grant that names another one is refused |
    /// | scopes | the grant, among those of `from`; a grant without scopes gives none |
    /// | audiences | the grant, among those of `from`; a grant without audiences gives all of them |
    /// | lifetime | the grant or the default of its kind, cut to the end of `from` |
    /// | confirmation key | the grant, or else `from` |
    /// | actors | those of `from`, and before them the one that the grant names |
    /// | everything else | the grant: metadata, claims and the number of uses are not taken over |
    ///
    /// Unlike [`derive`](TokenManager::derive), it needs no bearer token and counts as no use of `from`.
    ///
    /// # Errors
    /// [`Error::Ended`] when `from` is not active, [`Error::Invalid`] when the grant asks for more
    /// than `from` allows, and those of [`TokenManager::issue`].
    pub async fn mint(&self, from: TokenId, grant: Grant) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        let (loaded, record) = self.load(from).await?;
        let token = record.into_token(&loaded);
        let state = token.state(self.now());
        if state != TokenState::Active {
            return Err(Error::Ended { id: from, state });
        }
        let parts = narrow(parts, &token)?;
        let Loaded { stamp, keep_until, .. } = loaded;
        let parent = Parent { token: &token, stamp, keep_until };
        match self.issue_from(parts, Some(parent), None).await {
            Err(Error::Superseded) => Err(Error::Ended { id: from, state: TokenState::Revoked }),
            outcome => outcome,
        }
    }

    async fn issue_with(
        &self,
        parts: GrantParts,
        repeatable: Option<&Repeatable>,
    ) -> Result<Issued, Error> {
        match (&self.inner.sessions, parts.kind, parts.subject.clone()) {
            (Some(policy), Kind::Session, Some(subject)) => {
                Box::pin(self.issue_session(policy, subject, parts, repeatable)).await
            }
            _ => self.issue_from(parts, None, repeatable).await,
        }
    }

    pub(super) async fn issue_from(
        &self,
        parts: GrantParts,
        parent: Option<Parent<'_>>,
        repeatable: Option<&Repeatable>,
    ) -> Result<Issued, Error> {
        let prepared = self.prepare(parts, parent, repeatable)?;
        self.store_new(&prepared).await
    }
}
