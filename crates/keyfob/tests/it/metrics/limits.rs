//! Metrics of limits.

use std::net::IpAddr;
use std::sync::Arc;

use keyfob::limit::{LeasedLimits, LimitStore, OnFailure};
use keyfob::{
    Kind, LimitBy, LimitPolicy, LimitRequest, Limits, LocalLimits, Metrics, Presentation, Ttl,
    ValidationChain,
};
use keyfob_testkit::recorder::MemoryRecorder;

use super::{Bench, bench_with};
use crate::limits::CountedLimits;

fn policy(by: LimitBy, rate: &str) -> LimitPolicy {
    LimitPolicy::new(by.as_str(), by, rate.parse().unwrap()).unwrap()
}

fn limited(store: &Arc<CountedLimits>, policies: impl IntoIterator<Item = LimitPolicy>) -> Bench {
    let over = Limits::new(Arc::clone(store));
    let all = policies.into_iter().try_fold(over, Limits::policy).unwrap();
    bench_with(|builder| builder.limits(all))
}

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

impl Bench {
    fn decided(&self, by: &str, outcome: &str) -> f64 {
        self.value("limit_decisions_total", [by, outcome])
    }
}

#[tokio::test]
async fn decisions_are_counted_by_what_the_limit_counts_by() {
    let store = CountedLimits::over(LocalLimits::new());
    let closed = policy(LimitBy::Subject, "100/1h").on_failure(OnFailure::Closed);
    let bench = limited(&store, [policy(LimitBy::Ip, "2/1h"), closed]);
    let subject = super::subject();
    let request = LimitRequest::new().ip(IP).subject(&subject);
    for _ in 0..3 {
        let _admitted_or_not = bench.manager.admit(&request).await.unwrap();
    }
    assert_eq!((bench.decided("ip", "admitted"), bench.decided("ip", "refused")), (2.0, 1.0));
    assert_eq!(bench.decided("subject", "admitted"), 2.0);
    assert_eq!(bench.decided("subject", "refused"), 0.0, "the subject limit had permits left");

    store.fail(true);
    bench.manager.admit(&request).await.unwrap_err();
    assert_eq!(bench.decided("subject", "failed_closed"), 1.0);
    assert_eq!(bench.decided("ip", "failed_open"), 0.0, "no request was admitted");
    let _uncounted = bench.manager.admit(&LimitRequest::new().ip(IP)).await.unwrap();
    assert_eq!(bench.decided("ip", "failed_open"), 1.0);
}

#[tokio::test]
async fn an_address_that_failed_too_often_is_counted() {
    let store = CountedLimits::over(LocalLimits::new());
    let bench = limited(&store, [policy(LimitBy::FailedAttempts, "2/1h")]);
    let issued = bench.issue(Kind::Access).await;
    bench.manager.revoke(issued.token.id, keyfob::RevokeRequest::default()).await.unwrap();
    for _ in 0..3 {
        let presented = Presentation::new(issued.bearer.expose()).ip(IP);
        bench.manager.validate(presented, &ValidationChain::new()).await.unwrap_err();
    }
    assert_eq!(bench.value("addresses_throttled_total", []), 1.0);
    assert_eq!(bench.value("validations_total", ["throttled", "access"]), 1.0);
    assert_eq!(bench.decided("failed-attempts", "admitted"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn leased_and_expired_permits_are_counted() {
    let kept = MemoryRecorder::default();
    let shared = Arc::new(LocalLimits::new());
    let leased = LeasedLimits::new(shared as Arc<dyn LimitStore>, Ttl::from_secs(1)).unwrap();
    let store = Arc::new(leased.metrics(Metrics::on(&kept)));
    let limits = Limits::new(store).policy(policy(LimitBy::Ip, "1000/1m").burst(100).unwrap());
    let limits = limits.unwrap();
    let bench = bench_with(|builder| builder.limits(limits));
    let admit = async |count: u32| {
        for _ in 0..count {
            assert!(bench.manager.admit(&LimitRequest::new().ip(IP)).await.unwrap().is_admitted());
        }
    };
    admit(20).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    admit(1).await;
    let of = |name: &str| kept.value(name, []);
    let (leased, lapsed) =
        (of("keyfob_limit_leased_permits_total"), of("keyfob_limit_lapsed_permits_total"));
    assert!(of("keyfob_limit_leases_total") < 21.0, "permits are leased in batches");
    assert!(lapsed > 0.0 && leased >= lapsed + 20.0, "{leased} were leased and {lapsed} lapsed");
    assert_eq!(bench.decided("ip", "admitted"), 21.0);
}

#[tokio::test]
async fn metrics_given_to_the_manager_are_those_of_its_leased_limits() {
    let leased = LeasedLimits::new(LocalLimits::new(), Ttl::from_secs(1)).unwrap();
    let limits = Limits::new(leased).policy(policy(LimitBy::Ip, "1000/1m")).unwrap();
    let bench = bench_with(|builder| builder.limits(limits));
    assert!(bench.manager.admit(&LimitRequest::new().ip(IP)).await.unwrap().is_admitted());
    assert_eq!(bench.value("limit_leases_total", []), 1.0);
}
