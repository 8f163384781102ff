//! Revoking tokens.

use http::Method;
use keyfob_api::revoke::{Everything, RevokeFilter};
use keyfob_api::{LeakBody, LeaksBody, RevokeAnswer, RevokeBody, RevokeTarget, SecretText};
use keyfob_core::id::TokenId;
use keyfob_core::text::Reason;

use crate::client::Client;
use crate::error::Error;
use crate::query::Parameters;
use crate::request::Request;
use crate::retry::Repeat;
use crate::revoke_run::RevokeRun;

/// Revoking tokens.
impl Client {
    /// Revokes a token and all that was minted from it (`DELETE /v1/tokens/{id}`).
    ///
    /// It may be sent again, so the outcome may be "already revoked" although this call revoked it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn revoke(
        &self,
        id: TokenId,
        reason: Option<&Reason>,
    ) -> Result<RevokeAnswer, Error> {
        let path = revocation_path(id, reason);
        self.call(&Request::new(Method::DELETE, path, Repeat::Safe)).await
    }

    /// Revokes a token, a family, or all of a subject or a client, in one step (`POST /v1/revoke`).
    /// For a filter, see [`Self::revoke_matching`].
    ///
    /// # Errors
    /// See [`Error`]. If [`Error::is_outcome_unknown`], do it again: tokens that were issued in between
    /// are revoked too.
    pub async fn revoke_target(
        &self,
        target: RevokeTarget,
        reason: Option<Reason>,
    ) -> Result<RevokeAnswer, Error> {
        if matches!(target, RevokeTarget::Filter(_)) {
            let text = "a filter is answered by a stream: use revoke_matching".to_owned();
            return Err(Error::Request(text));
        }
        let body = RevokeBody { target, reason, dry_run: false };
        self.call(&Request::post("/v1/revoke", &body, Repeat::Unsafe)?).await
    }

    /// Revokes the tokens of bearers that were found where they should not be (`POST /v1/leaks`), at most 1,000.
    /// Answers in order. What is no bearer of the service is forgotten.
    ///
    /// It may be sent again, so an outcome may be "already revoked" although this call revoked it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn revoke_leaks(
        &self,
        tokens: Vec<SecretText>,
        reason: Option<Reason>,
    ) -> Result<Vec<LeakBody>, Error> {
        let body = LeaksBody { tokens, reason };
        self.call(&Request::post("/v1/leaks", &body, Repeat::Safe)?).await
    }

    /// Revokes every token of the store, that of this client included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn revoke_all(&self, reason: Option<Reason>) -> Result<RevokeAnswer, Error> {
        self.revoke_target(RevokeTarget::All(Everything), reason).await
    }

    /// Counts the pending and active tokens that a revocation would end. Nothing is revoked.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count_revocable(&self, target: RevokeTarget) -> Result<RevokeAnswer, Error> {
        let body = RevokeBody { target, reason: None, dry_run: true };
        self.call(&Request::post("/v1/revoke", &body, Repeat::Safe)?).await
    }

    /// Begins to revoke all tokens that match a filter, page by page. Nothing is sent before the first
    /// [`RevokeRun::next`].
    pub fn revoke_matching(&self, filter: RevokeFilter, reason: Option<Reason>) -> RevokeRun {
        let target = RevokeTarget::Filter(filter.clone());
        let body = RevokeBody { target, reason, dry_run: false };
        RevokeRun::new(self.clone(), filter, body)
    }
}

/// Returns the path of a revocation. The future of a call does not keep `Parameters`, which no other thread may use.
fn revocation_path(id: TokenId, reason: Option<&Reason>) -> String {
    let mut path = Parameters::new(format!("/v1/tokens/{id}"));
    path.add("reason", reason);
    path.finish()
}
