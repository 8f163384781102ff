//! Requests within their limits, and attempts that failed.

use std::net::IpAddr;

use super::TokenManager;
use super::cached::Refused;
use crate::error::Error;
use crate::limit::{LimitRequest, LimitStatus, LimitVerdict};
use crate::validation::Refusal;

impl TokenManager {
    /// Whether every limit that counts a request admits it. If so each is charged, else none; a
    /// manager without limits admits everything.
    ///
    /// # Errors
    /// [`Error::Limit`] when the cost can never be admitted, or when the store of the limits fails
    /// and one that counts the request fails closed; [`Error::Invalid`] for a cost of zero.
    pub async fn admit(&self, request: &LimitRequest<'_>) -> Result<LimitVerdict, Error> {
        match &self.inner.limiter {
            Some(limiter) => limiter.admit(request).await.map_err(Error::from),
            None => Ok(LimitVerdict::unlimited()),
        }
    }

    /// How every limit that counts a request stands, those of failed attempts included. It charges
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Store`] when the store of the limits fails.
    pub async fn limit_status(
        &self,
        request: &LimitRequest<'_>,
    ) -> Result<Vec<LimitStatus>, Error> {
        match &self.inner.limiter {
            Some(limiter) => limiter.limit_status(request).await.map_err(Error::from),
            None => Ok(Vec::new()),
        }
    }

    /// The refusal of an address that had too many failed attempts.
    pub(super) fn throttled(&self, ip: Option<IpAddr>) -> Option<Refusal> {
        let (limiter, ip) = (self.inner.limiter.as_ref()?, ip?);
        let retry_after = limiter.throttled(ip, self.now())?;
        Some(Refusal::Throttled { retry_after })
    }

    /// Counts an attempt that failed.
    pub(super) async fn count_failure(&self, ip: Option<IpAddr>, refusal: &Refusal) {
        let (Some(limiter), Some(ip)) = (&self.inner.limiter, ip) else { return };
        if refusal.is_failed_attempt() {
            limiter.failed(ip, self.now()).await;
        }
    }

    /// The error of a bearer that was refused without a store being asked. If it is not good, that
    /// counts like any other attempt, and from an address that has to wait it is not told from one
    /// that is not looked up.
    pub(super) async fn refuse_and_count(&self, refused: Refused, ip: IpAddr) -> Error {
        let Refused { refusal, token } = refused;
        if refusal.is_failed_attempt() {
            if let Some(throttled) = self.throttled(Some(ip)) {
                return self.refuse(throttled, None);
            }
            self.count_failure(Some(ip), &refusal).await;
        }
        self.refuse(refusal, token)
    }
}
