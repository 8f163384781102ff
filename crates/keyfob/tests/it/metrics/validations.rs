//! Metrics of validation.

use std::sync::Barrier;

use keyfob::store::prelude::*;
use keyfob::token::Revocation;
use keyfob::values::NameSet;
use keyfob::{
    BearerPrefix, CacheConfig, Denied, Error, Grant, Kind, MemoryStore, Refusal, RevokeRequest,
    Scope, Timestamp, Token, TokenManager, Ttl, ValidationChain,
};
use keyfob_testkit::bearers::purged;

use super::{bench, bench_with};

#[tokio::test]
async fn validations_are_counted_by_outcome_and_source() {
    let bench = bench();
    let issued = bench.issue(Kind::Session).await;
    for _ in 0..5 {
        bench.manager.validate_active(&issued.bearer).await.unwrap();
    }
    assert_eq!(bench.value("validations_total", ["active", "session"]), 5.0);
    assert_eq!(bench.value("cache_lookups_total", ["hit"]), 4.0);
    assert_eq!(bench.value("cache_lookups_total", ["miss"]), 1.0);
    assert_eq!(bench.value("cache_fills_total", []), 1.0);
    assert_eq!(bench.value("cache_entries", []), 1.0);
    let report = bench.manager.cache_report().unwrap();
    assert_eq!((report.hits, report.misses), (4, 1));

    let chain = ValidationChain::new().require_scope("admin");
    bench.manager.validate(&issued.bearer, &chain).await.unwrap_err();
    assert_eq!(bench.value("validations_total", ["insufficient_scope", "session"]), 1.0);
    assert_eq!(bench.value("cache_lookups_total", ["hit"]), 5.0);

    bench.manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
    bench.manager.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(bench.value("validations_total", ["token_revoked", "session"]), 1.0);
    bench.manager.validate_active("junk").await.unwrap_err();
    assert_eq!(bench.value("validations_total", ["token_malformed", "unknown"]), 1.0);
    assert_eq!(bench.sum("validations_total"), 8.0, "nothing is counted twice");
}

#[tokio::test]
async fn an_unknown_id_is_cached_for_a_short_time() {
    let bench = bench();
    bench.issue(Kind::Access).await;
    let purged = purged(bench.store.namespace(), Kind::ApiKey, bench.manager.now());
    for _ in 0..3 {
        bench.manager.validate_active(&purged).await.unwrap_err();
    }
    assert_eq!(bench.value("validations_total", ["token_unknown", "api-key"]), 3.0);
    assert_eq!(bench.value("cache_lookups_total", ["miss"]), 1.0);
    assert_eq!(bench.value("cache_lookups_total", ["unknown_hit"]), 2.0);
    assert_eq!(bench.value("cache_foreign_ids_total", []), 0.0);
    // Of another namespace: that is seen without asking the store.
    let other = TokenManager::new(MemoryStore::new().unwrap());
    let strange = other.issue(Grant::new(Kind::ApiKey)).await.unwrap().bearer;
    bench.manager.validate_active(&strange).await.unwrap_err();
    assert_eq!(bench.value("validations_total", ["token_unknown", "api-key"]), 4.0);
    assert_eq!(bench.value("cache_foreign_ids_total", []), 1.0);
    assert_eq!(bench.store.loads(), 1);
}

#[tokio::test]
async fn rule_refusals_share_one_label() {
    let bench = bench();
    let issued = bench.issue(Kind::Access).await;
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    let deny = |_: &Token, _: Timestamp| Err(Denied::new("quota_of_user123", "no"));
    let denies = ValidationChain::new().rule(deny);
    let allows = ValidationChain::new().rule(|_: &Token, _: Timestamp| Ok(()));
    for _ in 0..2 {
        bench.manager.validate(&issued.bearer, &denies).await.unwrap_err();
        bench.manager.validate(&issued.bearer, &allows).await.unwrap();
    }
    assert_eq!(bench.value("validations_total", ["denied_by_rule", "access"]), 2.0);
    assert_eq!(bench.value("validations_total", ["active", "access"]), 3.0);
    assert_eq!(bench.sum("validations_total"), 5.0);
}

#[tokio::test]
async fn without_a_cache_everything_is_counted_too() {
    let bench = bench_with(|builder| builder.cache(CacheConfig::OFF));
    let issued = bench.issue(Kind::Access).await;
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    bench.manager.shutdown().await;
    assert_eq!(bench.value("validations_total", ["active", "access"]), 1.0);
    assert_eq!(bench.sum("cache_lookups_total"), 0.0);
    assert_eq!(bench.value("store_calls_total", ["load", "ok"]), 1.0);
    assert_eq!(bench.value("store_calls_total", ["insert", "ok"]), 1.0);
    assert_eq!(bench.value("store_call_seconds", ["load"]), 1.0);
}

#[test]
fn threads_lose_no_count() {
    let bench = bench();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let issued = runtime().block_on(async {
        let issued = bench.issue(Kind::Access).await;
        bench.manager.validate_active(&issued.bearer).await.unwrap();
        issued
    });
    let (threads, each) = (8, 5_000);
    let all = Barrier::new(threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = runtime();
                all.wait();
                runtime.block_on(async {
                    for count in 0..each {
                        bench.manager.validate_active(&issued.bearer).await.unwrap();
                        if count % 500 == 0 {
                            // Concurrent publishing neither loses nor doubles a count.
                            bench.manager.cache_report();
                        }
                    }
                });
            });
        }
    });
    let expected = (threads * each + 1) as f64;
    assert_eq!(bench.value("validations_total", ["active", "access"]), expected);
    assert_eq!(bench.sum("cache_lookups_total"), expected);
}

#[tokio::test(start_paused = true)]
async fn counts_are_published_by_themselves() {
    let bench = bench();
    let issued = bench.issue(Kind::Access).await;
    for _ in 0..3 {
        bench.manager.validate_active(&issued.bearer).await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(bench.kept.value("keyfob_validations_total", ["active", "access"]), 3.0);
    assert_eq!(bench.kept.value("keyfob_cache_entries", []), 1.0);
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    let kept = bench.kept.clone();
    drop(bench);
    assert_eq!(
        kept.value("keyfob_validations_total", ["active", "access"]),
        4.0,
        "the last count is published too"
    );
}

/// The list has every refusal except that of a rule, whose code the application chooses.
#[tokio::test]
async fn an_outcome_label_equals_the_refusal_code() {
    let catalog = keyfob::Metrics::catalog();
    let metric = catalog.iter().find(|metric| metric.name == "keyfob_validations_total").unwrap();
    let outcomes = &metric.labels[0].values;
    let at = Timestamp::default();
    let malformed = "junk".parse_bearer();
    let refusals = [
        malformed,
        Refusal::Unknown,
        Refusal::Throttled { retry_after: Ttl::from_secs(1) },
        Refusal::Damaged,
        Refusal::Exhausted,
        Refusal::Expired { at },
        Refusal::NotYetValid { from: at },
        Refusal::Kind { found: Kind::Access },
        Refusal::Issuer,
        Refusal::Audience,
        Refusal::Scope { missing: NameSet::<Scope>::default() },
        Refusal::TooOld { issued_at: at },
        Refusal::Device,
        Refusal::Confirmation,
        Refusal::Revoked(Box::new(revocation().await)),
        Refusal::MissingClaim { name: "tenant".parse().unwrap() },
    ];
    for refusal in refusals {
        assert!(outcomes.contains(&refusal.code()), "{}", refusal.code());
    }
}

async fn revocation() -> Revocation {
    let bench = bench();
    let issued = bench.issue(Kind::Session).await;
    bench.manager.revoke(issued.token.id, ()).await.unwrap();
    bench.manager.get(issued.token.id).await.unwrap().revocation.unwrap()
}

trait ParseBearer {
    fn parse_bearer(&self) -> Refusal;
}

impl ParseBearer for str {
    fn parse_bearer(&self) -> Refusal {
        match keyfob::BearerToken::parse(self, &BearerPrefix::default()).map_err(Error::from) {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }
}
