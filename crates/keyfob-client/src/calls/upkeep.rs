//! Limits, the keys that seal the store, and recovery.

use keyfob_api::{
    AcceptBody, AcceptedBody, KeysBody, LimitStatusBody, LimitVerdictBody, LimitVerdictsBody,
    LimitsBody, LoggedRevocation, NamedLimit, ResealBody, RetireKeyBody, RetiredKeyBody,
    TestLimitBody,
};
use keyfob_core::text::Reason;

use crate::client::Client;
use crate::error::Error;
use crate::query::LimitsQuery;
use crate::recover_run::RecoverRun;
use crate::request::Request;
use crate::reseal_run::ResealRun;
use crate::retry::Repeat;

/// Limits, keys and recovery.
impl Client {
    /// Returns the limits of the server, and the status of those that count what the query names
    /// (`GET /v1/limits`). Nothing is charged.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn limits(&self, query: &LimitsQuery) -> Result<LimitsBody, Error> {
        self.call(&Request::get(query.path())).await
    }

    /// Charges a limit that is named by its rate, and returns the verdict on each call
    /// (`POST /v1/limits/test`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn test_limit(&self, body: &TestLimitBody) -> Result<Vec<LimitVerdictBody>, Error> {
        let request = Request::post("/v1/limits/test", body, Repeat::Unsafe)?;
        let answer: LimitVerdictsBody = self.call(&request).await?;
        Ok(answer.verdicts)
    }

    /// Returns the status of a limit that is named by its rate (`POST /v1/limits/status`). Nothing is
    /// charged.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn limit_status(&self, limit: &NamedLimit) -> Result<Vec<LimitStatusBody>, Error> {
        let request = Request::post("/v1/limits/status", limit, Repeat::Safe)?;
        let answer: LimitsBody = self.call(&request).await?;
        Ok(answer.status)
    }

    /// Returns the keys that seal the store (`GET /v1/keys`); with `count`, also how many records each
    /// seals, for which the server reads every record.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn keys(&self, count: bool) -> Result<KeysBody, Error> {
        let path = if count { "/v1/keys?count=true" } else { "/v1/keys" };
        self.call(&Request::get(path)).await
    }

    /// Begins to seal all records with the active key of the server, page by page. Nothing is sent before
    /// the first [`ResealRun::next`].
    pub fn reseal(&self, body: ResealBody) -> ResealRun {
        ResealRun::new(self.clone(), body)
    }

    /// Makes the store refuse records under a key and older ones (`POST /v1/keys/retire`). Retire the key in
    /// the ring of the server afterwards.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn retire_key(&self, version: u16) -> Result<RetiredKeyBody, Error> {
        let body = RetireKeyBody { version };
        self.call(&Request::post("/v1/keys/retire", &body, Repeat::Safe)?).await
    }

    /// Begins to apply the revocations of a log again (`POST /v1/recover`). Nothing is sent before the first
    /// [`RecoverRun::next`].
    pub fn recover(&self, revocations: Vec<LoggedRevocation>, dry_run: bool) -> RecoverRun {
        RecoverRun::new(self.clone(), revocations, dry_run)
    }

    /// Accepts the tokens again that the store refuses since it lost its last writes
    /// (`POST /v1/recover/accept`). Call it after all that was lost was revoked again.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn accept_rollback(&self, reason: Option<Reason>) -> Result<AcceptedBody, Error> {
        let body = AcceptBody { reason };
        self.call(&Request::post("/v1/recover/accept", &body, Repeat::Unsafe)?).await
    }
}
