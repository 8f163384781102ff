//! Whether a request is within its limits.

use super::TokenManager;
use crate::error::Error;
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::text::LimitName;
use keyfob_limit::{LimitPolicy, LimitRequest, LimitStatus, LimitVerdict, Limiter};

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

    /// Returns whether the limits that are named admit a request, each at a cost of its own. If so, each
    /// is charged; if not, none is.
    ///
    /// # Errors
    /// As [`TokenManager::admit`]; [`Error::Invalid`] when there is no limit of a name, or a name is given
    /// twice.
    pub async fn admit_named(
        &self,
        request: &LimitRequest<'_>,
        costs: &[(LimitName, u32)],
    ) -> Result<LimitVerdict, Error> {
        match &self.inner.limiter {
            Some(limiter) => limiter.admit_named(request, costs).await.map_err(Error::from),
            None if costs.is_empty() => Ok(LimitVerdict::unlimited()),
            None => {
                let rule = "the manager has no limits";
                let reason = InvalidReason::Contradiction { rule };
                Err(InvalidValue::new(Field::LimitName, reason).into())
            }
        }
    }

    /// Returns the limiter of the manager, if it was given limits.
    pub fn limiter(&self) -> Option<&Limiter> {
        self.inner.limiter.as_ref()
    }

    /// Returns the policies of the manager's limits.
    pub fn limit_policies(&self) -> impl Iterator<Item = &LimitPolicy> {
        self.inner.limiter.iter().flat_map(|limiter| limiter.policies())
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
