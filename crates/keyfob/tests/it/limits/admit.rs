//! Requests within their limits.

use std::net::IpAddr;
use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::limit::{Ipv6Prefix, LeasedLimits, OnFailure};
use keyfob::{
    ClientId, Error, Grant, Kind, LimitBy, LimitPolicy, LimitRequest, Limits, LocalLimits,
    MemoryStore, Rate, Subject, Timestamp, TokenManager, Ttl,
};

use super::CountedLimits;

struct Bench {
    manager: TokenManager,
    limits: Arc<CountedLimits>,
    clock: ManualClock,
}

fn policy(name: &str, by: LimitBy, rate: &str) -> LimitPolicy {
    LimitPolicy::new(name, by, rate.parse().unwrap()).unwrap()
}

fn bench(policies: impl IntoIterator<Item = LimitPolicy>) -> Bench {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let limits = CountedLimits::over(LocalLimits::with(1_000, clock.clone()));
    let over = Limits::new(Arc::clone(&limits));
    let all = policies.into_iter().try_fold(over, Limits::policy).unwrap();
    let store = super::memory(&clock);
    let manager = TokenManager::builder(store).clock(clock.clone()).limits(all).build();
    Bench { manager, limits, clock }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    outcome.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn a_verdict_has_the_remaining_permits_and_the_retry_time() {
    let bench = bench([policy("calls", LimitBy::Ip, "60/1m").burst(3).unwrap()]);
    let request = LimitRequest::new().ip(ip("192.0.2.1"));
    for left in [2, 1, 0] {
        let verdict = bench.manager.admit(&request).await.unwrap();
        assert!(verdict.is_admitted());
        let standing = verdict.decided_by().unwrap();
        assert_eq!((standing.limit, standing.remaining), (3, left));
        assert_eq!(standing.reset_after, Some(Ttl::from_secs(u64::from(3 - left))));
        assert_eq!(verdict.retry_after(), None);
    }
    let verdict = bench.manager.admit(&request).await.unwrap();
    assert!(!verdict.is_admitted());
    assert_eq!(verdict.retry_after(), Some(Ttl::from_secs(1)));
    let other = bench.manager.admit(&request.ip(ip("192.0.2.2"))).await.unwrap();
    assert!(other.is_admitted(), "another address has its own permits");
    bench.clock.advance(Ttl::from_secs(1));
    assert!(bench.manager.admit(&request).await.unwrap().is_admitted());
}

#[tokio::test]
async fn all_limits_admit_or_none_is_charged_and_the_tightest_decides() {
    let bench = bench([
        policy("by client", LimitBy::Client, "10/1h"),
        policy("by subject", LimitBy::Subject, "2/1h"),
        LimitPolicy::quota("a month", LimitBy::Client, 1_000, Ttl::from_days(30)).unwrap(),
    ]);
    let (one, two) = (Subject::new("one").unwrap(), Subject::new("two").unwrap());
    let client = ClientId::new("shop").unwrap();
    let by = |subject| LimitRequest::new().subject(subject).client(&client);
    for _ in 0..2 {
        let verdict = bench.manager.admit(&by(&one)).await.unwrap();
        assert!(verdict.is_admitted());
        assert_eq!(verdict.decided_by().unwrap().name().as_str(), "by subject");
        assert_eq!(verdict.limit_status().len(), 3);
    }
    for _ in 0..20 {
        let verdict = bench.manager.admit(&by(&one)).await.unwrap();
        assert!(!verdict.is_admitted());
        assert_eq!(verdict.decided_by().unwrap().name().as_str(), "by subject");
        assert_eq!(verdict.retry_after(), Some(Ttl::from_mins(30)));
    }
    // The refused requests used no permit of the client.
    let verdict = bench.manager.admit(&by(&two)).await.unwrap();
    assert!(verdict.is_admitted());
    let left: Vec<_> = verdict.limit_status().iter().map(|standing| standing.remaining).collect();
    assert_eq!(left, [7, 1, 997]);
}

#[tokio::test]
async fn a_token_is_counted_by_itself_its_subject_and_its_client() {
    let bench =
        bench([policy("token", LimitBy::Token, "1/1h"), policy("all", LimitBy::Subject, "2/1h")]);
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let grant = Grant::new(Kind::Access).subject("user123");
        tokens.push(bench.manager.issue(grant).await.unwrap().token);
    }
    let mut decided = Vec::new();
    for token in [&tokens[0], &tokens[0], &tokens[1], &tokens[2]] {
        let verdict = bench.manager.admit(&keyfob::limit::request_of(token)).await.unwrap();
        let by = verdict.decided_by().unwrap().name().to_string();
        decided.push((verdict.is_admitted(), by));
    }
    let expected = [(true, "token"), (false, "token"), (true, "token"), (false, "all")];
    assert_eq!(decided, expected.map(|(admitted, by)| (admitted, by.to_owned())));
}

#[tokio::test]
async fn a_cost_is_charged_whole_and_one_above_the_burst_is_an_error() {
    let bench = bench([policy("calls", LimitBy::Ip, "10/1h")]);
    let request = LimitRequest::new().ip(ip("2001:db8::1"));
    assert!(bench.manager.admit(&request.cost(7)).await.unwrap().is_admitted());
    let verdict = bench.manager.admit(&request.cost(4)).await.unwrap();
    assert!(!verdict.is_admitted());
    assert_eq!(verdict.decided_by().unwrap().remaining, 3);
    assert!(bench.manager.admit(&request.cost(3)).await.unwrap().is_admitted());
    let before = bench.limits.calls();
    assert_eq!(code(bench.manager.admit(&request.cost(11)).await), "cost_above_burst");
    assert_eq!(code(bench.manager.admit(&request.cost(u32::MAX)).await), "cost_above_burst");
    assert_eq!(code(bench.manager.admit(&request.cost(0)).await), "invalid_value");
    assert_eq!(bench.limits.calls(), before, "the limit store was not called");
}

#[tokio::test]
async fn a_request_without_limits_is_admitted() {
    let bench = bench([policy("calls", LimitBy::Subject, "1/1h")]);
    for _ in 0..3 {
        let verdict = bench.manager.admit(&LimitRequest::new().ip(ip("::1"))).await.unwrap();
        assert!(verdict.is_admitted() && verdict.limit_status().is_empty());
        assert_eq!(verdict.decided_by(), None);
    }
    let without = TokenManager::new(MemoryStore::new().unwrap());
    let subject = Subject::new("one").unwrap();
    assert!(without.admit(&LimitRequest::new().subject(&subject)).await.unwrap().is_admitted());
}

#[tokio::test]
async fn each_policy_says_what_happens_when_the_store_fails() {
    let open = || policy("open", LimitBy::Ip, "1/1h");
    let closed = policy("closed", LimitBy::Subject, "1/1h").on_failure(OnFailure::Closed);
    let bench = bench([open(), closed]);
    bench.limits.fail(true);
    let request = LimitRequest::new().ip(ip("192.0.2.1"));
    for _ in 0..3 {
        let verdict = bench.manager.admit(&request).await.unwrap();
        assert!(verdict.is_admitted() && verdict.is_uncounted());
    }
    let subject = Subject::new("one").unwrap();
    let error = bench.manager.admit(&request.subject(&subject)).await.unwrap_err();
    assert_eq!(error.code(), "limits_unavailable");
    assert!(error.to_string().contains("'closed'"), "{error}");
    bench.limits.fail(false);
    let verdict = bench.manager.admit(&request.subject(&subject)).await.unwrap();
    assert!(verdict.is_admitted() && !verdict.is_uncounted(), "the failed limit charged nothing");
}

/// A quota of three in a month: all can be used immediately, and each permit is refilled on its
/// own.
#[tokio::test]
async fn a_quota_is_refilled_all_the_time() {
    let month = Ttl::from_days(30);
    let quota = LimitPolicy::quota("reports", LimitBy::Subject, 3, month).unwrap();
    let bench = bench([quota]);
    let subject = Subject::new("one").unwrap();
    let request = LimitRequest::new().subject(&subject);
    let admits = async || bench.manager.admit(&request).await.unwrap();
    for left in [2, 1, 0] {
        let verdict = admits().await;
        assert!(verdict.is_admitted());
        assert_eq!(verdict.decided_by().unwrap().remaining, left);
    }
    for _ in 0..3 {
        let refused = admits().await;
        assert!(!refused.is_admitted());
        assert_eq!(refused.retry_after(), Some(Ttl::from_days(10)));
        assert_eq!(refused.decided_by().unwrap().reset_after, Some(month));
        bench.clock.advance(Ttl::from_days(10));
        assert!(admits().await.is_admitted());
        assert!(!admits().await.is_admitted(), "one permit is refilled in ten days");
    }
    bench.clock.advance(month);
    for admitted in [true, true, true, false] {
        assert_eq!(admits().await.is_admitted(), admitted);
    }
}

#[tokio::test]
async fn a_lease_leaves_it_to_each_policy_what_happens_when_the_store_fails() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let shared = CountedLimits::over(LocalLimits::with(1_000, clock.clone()));
    let leased = LeasedLimits::new(Arc::clone(&shared), Ttl::from_secs(1)).unwrap();
    let closed = policy("closed", LimitBy::Subject, "100/s").on_failure(OnFailure::Closed);
    let all = Limits::new(leased).policy(policy("open", LimitBy::Ip, "100/s")).unwrap();
    let all = all.policy(closed).unwrap();
    let store = super::memory(&clock);
    let manager = TokenManager::builder(store).clock(clock).limits(all).build();
    shared.fail(true);
    let request = LimitRequest::new().ip(ip("192.0.2.1"));
    assert!(manager.admit(&request).await.unwrap().is_uncounted());
    let subject = Subject::new("one").unwrap();
    assert_eq!(code(manager.admit(&request.subject(&subject)).await), "limits_unavailable");
    shared.fail(false);
    let verdict = manager.admit(&request.subject(&subject)).await.unwrap();
    assert!(verdict.is_admitted() && !verdict.is_uncounted());
}

#[tokio::test(start_paused = true)]
async fn a_store_without_an_answer_counts_as_failed() {
    let bench = bench([policy("open", LimitBy::Ip, "1/1h")]);
    bench.limits.stop_answering();
    let begun = tokio::time::Instant::now();
    let verdict = bench.manager.admit(&LimitRequest::new().ip(ip("192.0.2.1"))).await.unwrap();
    assert!(verdict.is_uncounted());
    assert_eq!(begun.elapsed().as_millis(), 500);
}

#[tokio::test]
async fn limit_status_shows_every_limit_and_charges_none() {
    let bench = bench([
        policy("calls", LimitBy::Ip, "3/1h"),
        policy("attempts", LimitBy::FailedAttempts, "5/1h"),
    ]);
    let request = LimitRequest::new().ip(ip("192.0.2.1"));
    assert!(bench.manager.admit(&request).await.unwrap().is_admitted());
    for _ in 0..10 {
        let limit_status = bench.manager.limit_status(&request).await.unwrap();
        let left: Vec<_> = limit_status.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [2, 5]);
    }
    assert!(bench.manager.limit_status(&LimitRequest::new()).await.unwrap().is_empty());
}

#[test]
fn limit_names_are_unique_and_limited_in_number() {
    let limits = || Limits::new(LocalLimits::new());
    let rate = || -> Rate { "1/s".parse().unwrap() };
    let one = |name: &str| LimitPolicy::new(name, LimitBy::Ip, rate()).unwrap();
    let twice = limits().policy(one("a")).unwrap().policy(one("a"));
    assert_eq!(twice.unwrap_err().what(), "limit name");
    let nine = (0..9).map(|n| one(&n.to_string())).try_fold(limits(), Limits::policy);
    assert_eq!(nine.unwrap_err().what(), "limits");
}

#[tokio::test]
async fn a_changed_rate_does_not_hand_out_a_fresh_burst() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let limits = Arc::new(LocalLimits::with(1_000, clock.clone()));
    let store = super::memory(&clock);
    let subject = Subject::new("a").unwrap();
    let admitted_of = async |rate: &str, calls| {
        let all = Limits::new(Arc::clone(&limits)).policy(policy("calls", LimitBy::Subject, rate));
        let builder = TokenManager::builder(store.clone()).clock(clock.clone());
        let manager = builder.limits(all.unwrap()).build();
        let mut admitted = 0;
        for _ in 0..calls {
            let request = LimitRequest::new().subject(&subject);
            admitted += u32::from(manager.admit(&request).await.unwrap().is_admitted());
        }
        admitted
    };
    assert_eq!(admitted_of("100/1h", 100).await, 100);
    assert_eq!(admitted_of("101/1h", 101).await, 1, "a hundred permits are used");
    assert_eq!(admitted_of("100/1h", 100).await, 0, "a change back admits none either");
}

#[tokio::test]
async fn clients_behind_a_translator_are_counted_by_their_ipv4_address() {
    let bench = bench([policy("calls", LimitBy::Ip, "3/1h")]);
    let admits = async |address: &str| {
        let request = LimitRequest::new().ip(ip(address));
        bench.manager.admit(&request).await.unwrap().is_admitted()
    };
    for _ in 0..3 {
        assert!(admits("64:ff9b::192.0.2.1").await);
    }
    assert!(!admits("64:ff9b::192.0.2.1").await);
    assert!(admits("64:ff9b::198.51.100.7").await, "another client of the same translator");
    assert!(!admits("192.0.2.1").await, "the same client, without the translator");
    // A holder of a 6to4 network has 2^80 addresses and one IPv4 address.
    assert!(!admits("2002:c000:201:7::1").await);
}

#[tokio::test]
async fn the_prefix_of_ipv6_addresses_is_a_setting() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    for (bits, admits_the_next_network) in [(64, true), (48, false)] {
        let limits = Limits::new(LocalLimits::with(1_000, clock.clone()))
            .ipv6_prefix(Ipv6Prefix::new(bits).unwrap())
            .policy(policy("calls", LimitBy::Ip, "1/1h"));
        let builder = TokenManager::builder(super::memory(&clock)).clock(clock.clone());
        let manager = builder.limits(limits.unwrap()).build();
        let request = LimitRequest::new();
        let first = manager.admit(&request.ip(ip("2001:db8:1:1::1"))).await.unwrap();
        let next = manager.admit(&request.ip(ip("2001:db8:1:2::1"))).await.unwrap();
        assert!(first.is_admitted());
        assert_eq!(next.is_admitted(), admits_the_next_network, "/{bits}");
    }
}
