//! Addresses with too many failed attempts.

use std::net::IpAddr;
use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::limit::OnFailure;
use keyfob::store::prelude::*;
use keyfob::{
    BearerToken, Denied, Error, Grant, Kind, LimitBy, LimitPolicy, Limits, LocalLimits,
    MemoryStore, Presentation, RefreshRequest, Refusal, Rule, Timestamp, Token, TokenManager, Ttl,
    ValidationChain,
};

use keyfob_testkit::bearers::purged;
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::CountedLimits;

struct Bench {
    nodes: [TokenManager; 2],
    limits: Arc<CountedLimits>,
    store: Arc<InstrumentedStore>,
    clock: ManualClock,
    good: BearerToken,
    strange: BearerToken,
}

/// Two nodes over one store, with a valid bearer and an unknown one.
async fn bench(policies: impl IntoIterator<Item = LimitPolicy>) -> Bench {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let limits = CountedLimits::over(LocalLimits::with(1_000, clock.clone()));
    let over = Limits::new(Arc::clone(&limits));
    let all = policies.into_iter().try_fold(over, Limits::policy).unwrap();
    let store = Arc::new(InstrumentedStore::new(super::memory(&clock)));
    let node = || {
        let store = Arc::clone(&store);
        TokenManager::builder(store).clock(clock.clone()).limits(all.clone()).build()
    };
    let nodes = [node(), node()];
    let good = nodes[0].issue(Grant::new(Kind::Session)).await.unwrap().bearer;
    let strange = purged(store.namespace(), Kind::Session, nodes[0].now());
    Bench { nodes, limits, store, clock, good, strange }
}

fn attempts(rate: &str) -> LimitPolicy {
    LimitPolicy::new("attempts", LimitBy::FailedAttempts, rate.parse().unwrap()).unwrap()
}

impl Bench {
    async fn try_from(&self, node: usize, bearer: &str, ip: &str) -> Result<(), Error> {
        let ip: IpAddr = ip.parse().unwrap();
        let presented = Presentation::new(bearer).ip(ip);
        self.nodes[node].validate(presented, &ValidationChain::new()).await.map(drop)
    }

    async fn fails(&self, node: usize, bearer: &str, ip: &str) -> String {
        self.try_from(node, bearer, ip).await.unwrap_err().code().to_owned()
    }
}

const IP: &str = "192.0.2.1";

#[tokio::test]
async fn an_address_that_failed_too_often_is_refused_before_any_look_up() {
    let bench = bench([attempts("3/1m")]).await;
    let strange = bench.strange.expose();
    for _ in 0..3 {
        assert_eq!(bench.fails(0, strange, IP).await, "token_unknown");
    }
    let asked = (bench.limits.calls(), bench.store.loads());
    assert_eq!(asked, (3, 1), "an unknown id is looked up once");
    for bearer in [strange, bench.good.expose()] {
        let error = bench.try_from(0, bearer, IP).await.unwrap_err();
        let wait = match error.refusal() {
            Some(Refusal::Throttled { retry_after }) => *retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait, Ttl::from_secs(20));
    }
    // The same holds for ids that were never looked up.
    for _ in 0..20 {
        let other = TokenManager::new(MemoryStore::new().unwrap());
        let other = other.issue(Grant::new(Kind::Access)).await.unwrap().bearer;
        assert_eq!(bench.fails(0, other.expose(), IP).await, "throttled");
    }
    let now_asked = (bench.limits.calls(), bench.store.loads());
    assert_eq!(now_asked, asked, "neither store is called");
    assert!(bench.try_from(0, bench.good.expose(), "192.0.2.2").await.is_ok());
    assert!(
        bench.nodes[0].validate_active(&bench.good).await.is_ok(),
        "without an address there is no throttle"
    );

    bench.clock.advance(Ttl::from_secs(20));
    assert!(bench.try_from(0, bench.good.expose(), IP).await.is_ok());
    assert_eq!(
        bench.fails(0, strange, IP).await,
        "token_unknown",
        "one attempt is available again"
    );
    assert_eq!(bench.fails(0, strange, IP).await, "throttled");
}

#[tokio::test]
async fn a_cached_token_is_accepted_without_store_or_throttle() {
    let bench = bench([attempts("2/1m")]).await;
    assert!(bench.try_from(0, bench.good.expose(), IP).await.is_ok());
    for code in ["token_unknown", "token_unknown", "throttled"] {
        assert_eq!(bench.fails(0, bench.strange.expose(), IP).await, code);
    }
    // Several users of one office share one address.
    assert!(bench.try_from(0, bench.good.expose(), IP).await.is_ok(), "the token is cached");
    assert_eq!(bench.fails(1, bench.strange.expose(), IP).await, "token_unknown");
    assert_eq!(
        bench.fails(1, bench.good.expose(), IP).await,
        "throttled",
        "the other node has not cached it"
    );
}

#[tokio::test]
async fn attempts_that_memory_refuses_count_too() {
    let bench = bench([attempts("3/1h")]).await;
    // A known id with a wrong secret is refused from the cache once the id is cached.
    let mut spliced = bench.good.expose()[..32].to_owned();
    spliced.push_str(&bench.strange.expose()[32..62]);
    let check = crc32fast::hash(spliced.as_bytes());
    let digit = |place: u32| {
        let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        char::from(digits[(check / 62u32.pow(place) % 62) as usize])
    };
    spliced.extend((0..6).rev().map(digit));
    assert!(bench.try_from(0, bench.good.expose(), IP).await.is_ok());
    for code in ["token_unknown", "token_unknown", "token_unknown", "throttled", "throttled"] {
        assert_eq!(bench.fails(0, &spliced, IP).await, code);
    }
    assert_eq!(bench.limits.calls(), 3);
}

#[tokio::test]
async fn another_node_lets_one_more_attempt_through() {
    let bench = bench([attempts("3/1h")]).await;
    let strange = bench.strange.expose();
    let mut looked_up = 0;
    for attempt in 0..20 {
        if bench.fails(attempt % 2, strange, IP).await == "token_unknown" {
            looked_up += 1;
        }
    }
    assert_eq!(looked_up, 3 + 1);
}

#[tokio::test]
async fn only_an_attempt_with_an_invalid_bearer_counts() {
    let bench = bench([attempts("1/1h")]).await;
    for _ in 0..5 {
        // Malformed text causes no lookup, so it is not throttled.
        assert_eq!(bench.fails(0, "fob_at_junk", IP).await, "token_malformed");
        let chain = ValidationChain::new().require_scope("write");
        let presented = Presentation::new(bench.good.expose()).ip(IP.parse().unwrap());
        let error = bench.nodes[0].validate(presented, &chain).await.unwrap_err();
        assert_eq!(error.code(), "insufficient_scope");
        assert!(bench.try_from(0, bench.good.expose(), IP).await.is_ok());
    }
    assert_eq!(bench.limits.calls(), 0);
    bench.nodes[0].revoke(bench.good.id(), keyfob::RevokeRequest::default()).await.unwrap();
    assert_eq!(bench.fails(0, bench.good.expose(), IP).await, "token_revoked");
    assert_eq!(bench.fails(0, bench.good.expose(), IP).await, "throttled");
}

#[tokio::test]
async fn an_uncounted_attempt_follows_the_failure_policy() {
    let open = bench([attempts("60/1m")]).await;
    open.limits.fail(true);
    for _ in 0..5 {
        assert_eq!(open.fails(0, open.strange.expose(), IP).await, "token_unknown");
    }
    let closed = bench([attempts("60/1m").on_failure(OnFailure::Closed)]).await;
    closed.limits.fail(true);
    let strange = closed.strange.expose();
    assert_eq!(closed.fails(0, strange, IP).await, "token_unknown");
    assert_eq!(closed.fails(0, strange, IP).await, "throttled");
    closed.clock.advance(Ttl::from_secs(1));
    assert_eq!(
        closed.fails(0, strange, IP).await,
        "token_unknown",
        "one attempt is available again"
    );
}

#[tokio::test]
async fn attempts_to_refresh_and_to_derive_also_count() {
    let foreign = TokenManager::new(MemoryStore::new().unwrap());
    let foreign = foreign.issue(Grant::new(Kind::Refresh)).await.unwrap().bearer;
    for is_refresh in [true, false] {
        let bench = bench([attempts("3/1m")]).await;
        let from = |bearer| Presentation::new(bearer).ip(IP.parse().unwrap());
        let mut codes = Vec::new();
        for _ in 0..4 {
            let node = &bench.nodes[0];
            let refused = if is_refresh {
                node.refresh(from(foreign.expose()), RefreshRequest::new()).await.map(drop)
            } else {
                let grant = Grant::new(Kind::Access);
                node.derive(from(bench.strange.expose()), grant).await.map(drop)
            };
            codes.push(refused.unwrap_err().code().to_owned());
        }
        assert_eq!(codes[..3], ["token_unknown"; 3]);
        assert_eq!(
            codes[3],
            bench.fails(0, bench.good.expose(), IP).await,
            "the address is throttled"
        );
    }
}

/// A token that ends while the application's rules run is refused like any other.
#[tokio::test]
async fn an_attempt_counts_as_well_if_its_token_ends_while_rules_are_asked() {
    let bench = bench([attempts("1/1h")]).await;
    let node = bench.nodes[0].clone();
    assert!(node.validate_active(&bench.good).await.is_ok(), "the token is cached");
    struct Revokes(TokenManager);
    #[async_trait::async_trait]
    impl Rule for Revokes {
        async fn check(&self, token: &Token, _: Timestamp) -> Result<(), Denied> {
            self.0.revoke(token.id, keyfob::RevokeRequest::default()).await.unwrap();
            Ok(())
        }
    }
    let chain = ValidationChain::new().rule(Revokes(node.clone()));
    let presented = Presentation::new(bench.good.expose()).ip(IP.parse().unwrap());
    let refused = node.validate(presented, &chain).await.unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
    assert_eq!(bench.limits.calls(), 1);
    assert_eq!(bench.fails(0, bench.strange.expose(), IP).await, "throttled");
}
