//! Whether a request is within its limits.

use super::TokenManager;
use crate::error::Error;
use keyfob_limit::{LimitRequest, LimitStatus, LimitVerdict};

impl TokenManager {
    /// Returns whether every limit that counts a request admits it. If so, each limit is charged; if
    /// not, none is. A manager without limits admits everything.
    ///
    /// # Errors
    /// [`Error::Limit`] when the cost can never be admitted, or when the store of the limits fails
    /// and a limit that counts the request fails closed; [`Error::Invalid`] for a cost of zero.
    pub async fn admit(&self, request: &LimitRequest<'_>) -> Result<LimitVerdict, Error> {
        match &self.inner.limiter {
            Some(limiter) => limiter.admit(request).await.map_err(Error::from),
            None => Ok(LimitVerdict::unlimited()),
        }
    }

    /// Returns the status of every limit that counts a request, limits on failed attempts included.
    /// Nothing is charged.
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
}
