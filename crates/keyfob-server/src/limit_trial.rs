//! A limit that is named by its rate, tried in a store of limits: for the routes of `/v1` and for the
//! command line.

use std::sync::Arc;

use keyfob::limit::{Ipv6Prefix, LeasedLimits, LimitStore, Limiter};
use keyfob::store::Namespace;
use keyfob::{
    Error, InvalidValue, LimitBy, LimitPolicy, LimitRequest, LimitVerdict, Limits, Metrics, Rate,
    Ttl,
};
use keyfob_api::{CountedBody, LimitStatusBody, LimitVerdictBody, NamedLimit, TestLimitBody};

use crate::bodies::limit_status;

/// Where a limit is tried.
#[derive(Clone, Debug)]
pub struct LimitTrial {
    store: Arc<dyn LimitStore>,
    namespace: Namespace,
}

impl LimitTrial {
    /// Creates a trial in a store. The key of the namespace blinds the keys of limits, so all that count
    /// together must have the same.
    pub fn new(store: Arc<dyn LimitStore>, namespace: Namespace) -> Self {
        Self { store, namespace }
    }

    /// Charges a limit as often as the body says. Returns the verdict on each call.
    ///
    /// # Errors
    /// If the limit, the cost or the lease is not valid, or the cost can never be admitted.
    pub async fn charge(&self, wanted: &TestLimitBody) -> Result<Vec<LimitVerdictBody>, Error> {
        let limiter = self.limiter(&wanted.limit, wanted.lease)?;
        let request = request(&wanted.limit.counted).cost(wanted.cost);
        let mut verdicts = Vec::new();
        for _ in 0..wanted.times {
            verdicts.push(verdict(&limiter.admit(&request).await?));
        }
        Ok(verdicts)
    }

    /// Returns the status of a limit. Nothing is charged.
    ///
    /// # Errors
    /// If the limit is not valid, or the store of the limits does not answer.
    pub async fn status(&self, limit: &NamedLimit) -> Result<Vec<LimitStatusBody>, Error> {
        let limiter = self.limiter(limit, None)?;
        let status = limiter.limit_status(&request(&limit.counted)).await?;
        Ok(status.iter().map(limit_status).collect())
    }

    fn limiter(&self, limit: &NamedLimit, lease: Option<Ttl>) -> Result<Limiter, InvalidValue> {
        let policy = policy(limit)?;
        let metrics = Metrics::global();
        let store = match lease {
            Some(lease) => {
                let leased = LeasedLimits::new(Arc::clone(&self.store), lease)?;
                Arc::new(leased.metrics(metrics.clone()))
            }
            None => Arc::clone(&self.store),
        };
        let mut limits = Limits::new(store).policy(policy)?;
        if let Some(bits) = limit.ipv6_prefix {
            limits = limits.ipv6_prefix(Ipv6Prefix::new(bits)?);
        }
        Ok(Limiter::new(limits, self.namespace.clone()).metrics(&metrics))
    }
}

fn policy(limit: &NamedLimit) -> Result<LimitPolicy, InvalidValue> {
    let by = match limit.counted {
        CountedBody::Token(_) => LimitBy::Token,
        CountedBody::Subject(_) => LimitBy::Subject,
        CountedBody::Client(_) => LimitBy::Client,
        CountedBody::Ip(_) => LimitBy::Ip,
        CountedBody::FailedAttempts(_) => LimitBy::FailedAttempts,
    };
    let policy = LimitPolicy::new(limit.name.clone(), by, limit.rate.parse::<Rate>()?)?;
    match limit.burst {
        Some(burst) => policy.burst(burst),
        None => Ok(policy),
    }
}

fn request(counted: &CountedBody) -> LimitRequest<'_> {
    let request = LimitRequest::new();
    match counted {
        CountedBody::Token(token) => request.token(*token),
        CountedBody::Subject(subject) => request.subject(subject),
        CountedBody::Client(client) => request.client(client),
        CountedBody::Ip(ip) | CountedBody::FailedAttempts(ip) => request.ip(*ip),
    }
}

fn verdict(verdict: &LimitVerdict) -> LimitVerdictBody {
    LimitVerdictBody {
        admitted: verdict.is_admitted(),
        uncounted: verdict.is_uncounted(),
        status: verdict.decided_by().map(limit_status),
    }
}
