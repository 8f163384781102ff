//! The answer to a request: whether it is admitted, and the status of its limits.

use std::sync::Arc;

use super::{ChargeOutcome, LimitPolicy};
use keyfob_core::text::LimitName;
use keyfob_core::time::Ttl;

/// Whether a request is admitted, and the status of each policy that applies.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{LimitBy, LimitPolicy, LimitRequest, Limits, LocalLimits, MemoryStore, TokenManager};
/// use std::sync::Arc;
///
/// let calls = LimitPolicy::new("calls", LimitBy::Ip, "2/1m".parse()?)?;
/// let manager = TokenManager::builder(Arc::new(MemoryStore::new()?))
///     .limits(Limits::new(LocalLimits::new()).policy(calls)?)
///     .build();
/// let request = LimitRequest::new().ip("192.0.2.1".parse()?);
/// assert!(manager.admit(&request).await?.is_admitted());
/// assert!(manager.admit(&request).await?.is_admitted());
/// let verdict = manager.admit(&request).await?;
/// assert!(!verdict.is_admitted() && verdict.retry_after().is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a request that is not admitted must not continue"]
pub struct LimitVerdict {
    admitted: bool,
    uncounted: bool,
    limit_status: Vec<LimitStatus>,
}

/// The status of one policy for a request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LimitStatus {
    policy: Arc<LimitPolicy>,
    /// The maximum number of permits in one step.
    pub limit: u32,
    /// How many permits are left.
    pub remaining: u32,
    /// How long until all permits are available again, or `None` if they are.
    pub reset_after: Option<Ttl>,
    /// How long until the request fits, or `None` if it does or did.
    pub retry_after: Option<Ttl>,
}

impl LimitVerdict {
    pub(super) fn new(admitted: bool, limit_status: Vec<LimitStatus>) -> Self {
        Self { admitted, uncounted: false, limit_status }
    }

    /// Returns the verdict for a request to which no policy applies.
    pub fn unlimited() -> Self {
        Self::new(true, Vec::new())
    }

    pub(super) fn uncounted() -> Self {
        Self { admitted: true, uncounted: true, limit_status: Vec::new() }
    }

    /// Returns whether the request may continue. If so, every policy was charged; if not, none was.
    pub fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Returns whether the request was admitted without being counted, because the store failed and every
    /// policy fails open.
    pub fn is_uncounted(&self) -> bool {
        self.uncounted
    }

    /// Returns the status of each policy that applies, in the order in which they were added. It is empty if
    /// none applies, or if they could not be counted.
    pub fn limit_status(&self) -> &[LimitStatus] {
        &self.limit_status
    }

    /// Returns the policy that matters most. Among policies that refuse, this is the one with the longest
    /// wait. If all admit, it is the one with the smallest share of its limit left.
    pub fn decided_by(&self) -> Option<&LimitStatus> {
        if self.admitted {
            let part = |standing: &LimitStatus| {
                f64::from(standing.remaining) / f64::from(standing.limit.max(1))
            };
            return self.limit_status.iter().min_by(|a, b| part(a).total_cmp(&part(b)));
        }
        self.limit_status.iter().max_by_key(|standing| standing.retry_after)
    }

    /// Returns how long to wait before the next try, if the request was refused: the wait of the policy that
    /// decided.
    pub fn retry_after(&self) -> Option<Ttl> {
        self.decided_by().filter(|_| !self.admitted)?.retry_after
    }
}

impl LimitStatus {
    /// Returns the status of `policy` from the store's answer to a request that costs `cost`.
    pub(super) fn new(
        policy: &Arc<LimitPolicy>,
        tally: &ChargeOutcome,
        cost: u32,
        admitted: bool,
    ) -> Self {
        let meter = policy.meter();
        let wait = || meter.wait(tally.level, cost, tally.now).ok().flatten().max(tally.pause);
        Self {
            policy: Arc::clone(policy),
            limit: meter.burst(),
            remaining: meter.room(tally.level).saturating_add(tally.in_hand).min(meter.burst()),
            reset_after: meter.reset(tally.level, tally.now),
            retry_after: if admitted { None } else { wait() },
        }
    }

    /// Returns the policy.
    pub fn policy(&self) -> &LimitPolicy {
        &self.policy
    }

    /// Returns the name of the policy.
    pub fn name(&self) -> &LimitName {
        self.policy.name()
    }
}
