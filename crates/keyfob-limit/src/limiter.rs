//! Applies policies to requests: a request in, a verdict out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::timeout;

use super::throttle::Throttle;
use super::{
    Charge, ChargeOutcome, Charged, IntoLimitStore, Ipv6Prefix, LimitBy, LimitError, LimitPolicy,
    LimitRequest, LimitStatus, LimitStore, LimitVerdict, Network,
};
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::monotonic::MonotonicInstant;
use keyfob_core::namespace::Namespace;
use keyfob_core::store_error::StoreError;
use keyfob_core::text::LimitName;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_metrics::{LimitOutcome, Metrics};

const PATIENCE: Ttl = match Ttl::from_millis(500) {
    Ok(patience) => patience,
    Err(_) => Ttl::from_secs(1),
};

/// A set of policies, and the store that keeps their debts.
#[derive(Clone, Debug)]
#[must_use]
pub struct Limits {
    store: Arc<dyn LimitStore>,
    patience: Ttl,
    ipv6: Ipv6Prefix,
    policies: Vec<Arc<LimitPolicy>>,
}

impl Limits {
    /// Returns limits without policies yet, over `store`: by value, or shared in an `Arc`.
    pub fn new(store: impl IntoLimitStore) -> Self {
        let (ipv6, policies) = (Ipv6Prefix::DEFAULT, Vec::new());
        Self { store: store.into_limit_store(), patience: PATIENCE, ipv6, policies }
    }

    /// Sets how long a request waits for the store before the store counts as failed. The default is half a
    /// second. A decision that comes too late is of no use.
    pub fn patience(self, patience: Ttl) -> Self {
        Self { patience, ..self }
    }

    /// Sets how many leading bits of an IPv6 address count as one address, for all policies. Default: 64.
    /// All nodes must have the same.
    pub fn ipv6_prefix(self, ipv6: Ipv6Prefix) -> Self {
        Self { ipv6, ..self }
    }

    /// Adds a policy.
    ///
    /// # Errors
    /// When there is a policy of this name already, or too many policies for one charge.
    pub fn policy(mut self, policy: LimitPolicy) -> Result<Self, InvalidValue> {
        if self.policies.iter().any(|known| known.name() == policy.name()) {
            return Err(InvalidValue::new(Field::LimitName, InvalidReason::Duplicate));
        }
        if self.policies.len() >= Charge::MAX_KEYS {
            return Err(InvalidValue::new(
                Field::Limits,
                InvalidReason::TooMany { max: Charge::MAX_KEYS },
            ));
        }
        self.policies.push(Arc::new(policy));
        Ok(self)
    }
}

/// Limits with the namespace that blinds their keys. A manager has one. It also works without a manager.
#[derive(Debug)]
pub struct Limiter {
    store: Arc<dyn LimitStore>,
    patience: Ttl,
    ipv6: Ipv6Prefix,
    namespace: Namespace,
    requests: Vec<Arc<LimitPolicy>>,
    failures: Vec<Arc<LimitPolicy>>,
    throttle: Throttle,
    metrics: Metrics,
    warned: LogThrottle,
}

/// Lets a warning through once a second, so that requests cannot fill the log.
#[derive(Debug, Default)]
struct LogThrottle(AtomicU64);

impl LogThrottle {
    fn may(&self) -> bool {
        let second = MonotonicInstant::now().as_nanos() / 1_000_000_000;
        // The first second may pass without a warning.
        self.0.swap(second, Ordering::Relaxed) != second
    }
}

impl Limiter {
    /// Creates a limiter whose keys are blinded by the key of this namespace. All nodes that share a store
    /// of limits must share the namespace too.
    pub fn new(limits: Limits, namespace: Namespace) -> Self {
        let is_of_failures = |policy: &Arc<LimitPolicy>| policy.by() == LimitBy::FailedAttempts;
        let Limits { store, patience, ipv6, policies } = limits;
        let (failures, requests) = policies.into_iter().partition(is_of_failures);
        let throttle = Throttle::default();
        let (metrics, warned) = (Metrics::none(), LogThrottle::default());
        Self { store, patience, ipv6, namespace, requests, failures, throttle, metrics, warned }
    }

    /// Returns the store of the limits, such as for another limiter that counts in it.
    pub fn store(&self) -> &Arc<dyn LimitStore> {
        &self.store
    }

    /// Returns the namespace whose key blinds the keys of the limits.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Counts its decisions. A manager sets its own metrics here.
    #[must_use]
    pub fn metrics(self, metrics: &Metrics) -> Self {
        self.store.use_metrics(metrics);
        Self { metrics: metrics.clone(), ..self }
    }

    /// Decides whether every policy that applies admits the request. If so, all are charged, else none.
    ///
    /// # Errors
    /// [`LimitError`] when the cost can never be admitted, or when the store fails and a policy
    /// that counts the request fails closed; [`LimitError::Invalid`] for a cost of zero.
    pub async fn admit(&self, request: &LimitRequest<'_>) -> Result<LimitVerdict, LimitError> {
        let cost = request.permits();
        let wanted: Vec<_> = self.requests.iter().map(|policy| (policy, cost)).collect();
        check_costs([cost])?;
        self.admit_at(request, &wanted).await
    }

    /// Decides as [`Limiter::admit`] does, by the policies that are named alone, each with a cost of its
    /// own. The cost of the request itself is not used.
    ///
    /// # Errors
    /// As [`Limiter::admit`]; [`LimitError::Invalid`] when there is no policy of a name, or a name is
    /// given twice.
    pub async fn admit_named(
        &self,
        request: &LimitRequest<'_>,
        costs: &[(LimitName, u32)],
    ) -> Result<LimitVerdict, LimitError> {
        check_costs(costs.iter().map(|(_, cost)| *cost))?;
        let mut wanted: Vec<(&Arc<LimitPolicy>, u32)> = Vec::with_capacity(costs.len());
        for (name, cost) in costs {
            if wanted.iter().any(|(known, _)| known.name() == name) {
                return Err(InvalidValue::new(Field::LimitName, InvalidReason::Duplicate).into());
            }
            let policy = self.requests.iter().find(|policy| policy.name() == name);
            wanted.push((policy.ok_or_else(unknown_policy)?, *cost));
        }
        self.admit_at(request, &wanted).await
    }

    /// Returns the policies: those of requests, then those of failed attempts.
    pub fn policies(&self) -> impl Iterator<Item = &LimitPolicy> {
        self.requests.iter().chain(&self.failures).map(|policy| &**policy)
    }

    async fn admit_at(
        &self,
        request: &LimitRequest<'_>,
        wanted: &[(&Arc<LimitPolicy>, u32)],
    ) -> Result<LimitVerdict, LimitError> {
        let (mut policies, mut charges, mut costs) = (Vec::new(), Vec::new(), Vec::new());
        for (policy, cost) in wanted {
            let Some(key) = request.key(policy, self.ipv6, &self.namespace) else { continue };
            policies.push(*policy);
            charges.push(Charge::exactly(key, policy.meter(), *cost));
            costs.push(*cost);
        }
        let above =
            policies.iter().zip(&costs).find(|(policy, cost)| policy.meter().burst() < **cost);
        if let Some((policy, cost)) = above {
            let (policy, burst) = (policy.name().clone(), policy.meter().burst());
            return Err(LimitError::CostAboveBurst { policy, cost: *cost, burst });
        }
        if charges.is_empty() {
            return Ok(LimitVerdict::unlimited());
        }
        match self.charge(&charges).await {
            Ok(charged) => {
                self.count(&policies, &charges, &charged);
                let limit_status =
                    limit_status(&policies, &charged.tallies, &costs, charged.admitted);
                Ok(LimitVerdict::new(charged.admitted, limit_status))
            }
            Err(source) => match self.closed(&policies) {
                Some(policy) => {
                    let policy = policy.name().clone();
                    Err(LimitError::Unavailable { policy, source })
                }
                None => {
                    if self.warned.may() {
                        tracing::warn!(error = %source, "requests are admitted uncounted");
                    }
                    Ok(LimitVerdict::uncounted())
                }
            },
        }
    }

    /// Returns the status of every policy that applies, failed attempts included. It charges nothing.
    ///
    /// # Errors
    /// [`LimitError::Store`] when the store fails.
    pub async fn limit_status(
        &self,
        request: &LimitRequest<'_>,
    ) -> Result<Vec<LimitStatus>, LimitError> {
        let all: Vec<_> = self.requests.iter().chain(&self.failures).map(Arc::clone).collect();
        let (policies, charges) = self.charges(&all, request, 0);
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let charged = self.charge(&charges).await?;
        let costs = vec![request.permits(); policies.len()];
        Ok(limit_status(&policies, &charged.tallies, &costs, false))
    }

    /// Returns how long an address has to wait after too many failed attempts, or `None`.
    pub fn throttled(&self, ip: IpAddr, now: Timestamp) -> Option<Ttl> {
        self.throttle.wait(self.network_of(ip), now)
    }

    /// Returns the network that an address is counted as.
    pub fn network_of(&self, ip: IpAddr) -> Network {
        self.ipv6.network_of(ip)
    }

    /// Charges a failed attempt to an address. If it was the last one allowed, the address has to wait.
    pub async fn failed(&self, ip: IpAddr, now: Timestamp) {
        let request = LimitRequest::new().ip(ip);
        let (policies, charges) = self.charges(&self.failures, &request, 1);
        if charges.is_empty() {
            return;
        }
        let wait = match self.charge(&charges).await {
            Ok(charged) => {
                self.count(&policies, &charges, &charged);
                longest_wait(&charges, &charged)
            }
            Err(error) => {
                self.closed(&policies);
                if self.warned.may() {
                    tracing::warn!(%error, "failed attempts are not counted");
                }
                wait_unheard(&policies)
            }
        };
        if let Some(wait) = wait {
            self.metrics.handles.addresses_throttled.increment(1);
            self.throttle.block(self.network_of(ip), wait, now);
        }
    }

    /// Counts every policy of an admitted request, and of a refused one the policies that refuse.
    fn count(&self, policies: &[&Arc<LimitPolicy>], charges: &[Charge], charged: &Charged) {
        let counts = &self.metrics.handles.limit_decisions;
        for ((policy, charge), tally) in policies.iter().zip(charges).zip(&charged.tallies) {
            if charged.admitted {
                counts.of(policy.by()).of(LimitOutcome::Admitted).increment(1);
            } else if tally.pause.is_some() || !charge.fits(tally) {
                counts.of(policy.by()).of(LimitOutcome::Refused).increment(1);
            }
        }
    }

    /// Returns a policy that fails closed, if one applies. Counts the decision of each policy.
    fn closed<'a>(&self, policies: &[&'a Arc<LimitPolicy>]) -> Option<&'a Arc<LimitPolicy>> {
        let closed = policies.iter().copied().find(|policy| !policy.is_open());
        for policy in policies.iter().filter(|policy| closed.is_none() || !policy.is_open()) {
            let outcome = match policy.is_open() {
                true => LimitOutcome::FailedOpen,
                false => LimitOutcome::FailedClosed,
            };
            self.metrics.handles.limit_decisions.of(policy.by()).of(outcome).increment(1);
        }
        closed
    }

    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        let answer = timeout(self.patience.as_duration(), self.store.charge(charges)).await;
        let late = || StoreError::unavailable(format!("no answer within {}", self.patience));
        answer.unwrap_or_else(|_| Err(late()))
    }

    fn charges<'a>(
        &self,
        policies: &'a [Arc<LimitPolicy>],
        request: &LimitRequest<'_>,
        permits: u32,
    ) -> (Vec<&'a Arc<LimitPolicy>>, Vec<Charge>) {
        let counted = policies.iter().filter_map(|policy| {
            let key = request.key(policy, self.ipv6, &self.namespace)?;
            Some((policy, Charge::exactly(key, policy.meter(), permits)))
        });
        counted.unzip()
    }
}

fn check_costs(costs: impl IntoIterator<Item = u32>) -> Result<(), InvalidValue> {
    if costs.into_iter().any(|cost| cost == 0) {
        let allowed = "at least one permit";
        return Err(InvalidValue::new(Field::Cost, InvalidReason::OutOfRange { allowed }));
    }
    Ok(())
}

fn unknown_policy() -> InvalidValue {
    let rule = "there is no limit of this name for requests";
    InvalidValue::new(Field::LimitName, InvalidReason::Contradiction { rule })
}

fn limit_status(
    policies: &[&Arc<LimitPolicy>],
    tallies: &[ChargeOutcome],
    costs: &[u32],
    admitted: bool,
) -> Vec<LimitStatus> {
    let counted = policies.iter().copied().zip(tallies).zip(costs);
    counted
        .map(|((policy, tally), cost)| LimitStatus::new(policy, tally, *cost, admitted))
        .collect()
}

/// Returns the time until every policy has room for one more attempt.
fn longest_wait(charges: &[Charge], charged: &Charged) -> Option<Ttl> {
    let waits = charges
        .iter()
        .zip(&charged.tallies)
        .filter_map(|(charge, tally)| charge.meter.wait(tally.level, 1, tally.now).ok().flatten());
    waits.max()
}

/// Returns how long an address waits whose failed attempt could not be counted. If a policy fails
/// closed, this is the time in which one attempt drains.
fn wait_unheard(policies: &[&Arc<LimitPolicy>]) -> Option<Ttl> {
    let closed = policies.iter().filter(|policy| !policy.is_open());
    let one = |policy: &&Arc<LimitPolicy>| {
        let meter = policy.meter();
        Ttl::from_millis(meter.permit().div_ceil(meter.drain())).ok()
    };
    closed.filter_map(one).max()
}
