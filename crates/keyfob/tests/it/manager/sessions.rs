//! Session policies.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob::{
    Error, Filter, Grant, Issued, Kind, MemoryStore, RevokeRequest, SessionPolicy, Subject,
    Timestamp, TokenManager, TokenState, Ttl, WhenFull,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::{Bench, bench_with, session};

fn limited(policy: SessionPolicy) -> Bench {
    bench_with(|builder| builder.sessions(policy))
}

impl Bench {
    async fn login(&self, subject: &str) -> Issued {
        self.clock.advance(Ttl::from_secs(1));
        self.manager.issue(session(subject)).await.unwrap()
    }

    async fn is_valid(&self, issued: &Issued) -> bool {
        self.manager.validate_active(&issued.bearer).await.is_ok()
    }
}

async fn live(manager: &TokenManager, subject: &str) -> u64 {
    let filter = Filter::new().subject(subject).kind(Kind::Session).state(TokenState::Active);
    manager.count(&filter).await.unwrap()
}

#[tokio::test]
async fn a_session_above_the_limit_is_denied_until_one_ends() {
    let bench = limited(SessionPolicy::new(2, WhenFull::Deny).unwrap());
    let one = bench.login("user123").await;
    bench.login("user123").await;
    bench.login("another").await;
    for _ in 0..2 {
        match bench.manager.issue(session("user123")).await {
            Err(Error::TooManySessions { max }) => assert_eq!(max, 2),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(live(&bench.manager, "user123").await, 2);
    bench.manager.revoke(one.token.id, RevokeRequest::reason("user logout")).await.unwrap();
    bench.login("user123").await;
    // A session also ends when it expires.
    bench.clock.advance(Ttl::from_days(1));
    bench.login("user123").await;
}

#[tokio::test]
async fn the_oldest_session_is_ended_with_a_reason() {
    let bench = limited(SessionPolicy::new(2, WhenFull::RetireOldest).unwrap());
    let mut all = Vec::new();
    for count in 1..=6 {
        all.push(bench.login("user123").await);
        for (place, issued) in all.iter().enumerate() {
            assert_eq!(bench.is_valid(issued).await, place + 2 >= count, "{place} of {count}");
        }
    }
    let revocation = bench.manager.get(all[0].token.id).await.unwrap().revocation.unwrap();
    assert_eq!(revocation.reason.unwrap().as_str(), "session_limit");
}

#[tokio::test]
async fn the_least_recently_used_session_is_ended() {
    let bench = limited(SessionPolicy::new(2, WhenFull::RetireLeastRecentlyUsed).unwrap());
    let one = bench.login("user123").await;
    let two = bench.login("user123").await;
    bench.clock.advance(Ttl::from_mins(5));
    bench.manager.touch(one.token.id).await.unwrap();
    bench.manager.shutdown().await;
    bench.login("user123").await;
    assert!(bench.is_valid(&one).await && !bench.is_valid(&two).await);
}

#[tokio::test]
async fn a_device_has_its_own_limit() {
    let policy = SessionPolicy::new(3, WhenFull::RetireOldest).unwrap().max_per_device(1).unwrap();
    let bench = limited(policy);
    let on = async |device: &str| {
        bench.clock.advance(Ttl::from_secs(1));
        bench.manager.issue(session("user123").device_id(device)).await.unwrap()
    };
    let phone = on("phone").await;
    let laptop = on("laptop").await;
    let again = on("phone").await;
    let tablet = on("tablet").await;
    let is_valid = async |issued: &Issued| bench.is_valid(issued).await;
    assert!(!is_valid(&phone).await && is_valid(&laptop).await && is_valid(&again).await);
    // A fourth device exceeds the limit.
    let tv = on("tv").await;
    assert!(!is_valid(&laptop).await && is_valid(&again).await);
    assert!(is_valid(&tablet).await && is_valid(&tv).await);
}

#[tokio::test]
async fn ended_sessions_on_other_devices_keep_no_login_out() {
    let policy = SessionPolicy::new(3, WhenFull::Deny).unwrap().max_per_device(1).unwrap();
    let bench = limited(policy);
    let on = async |device: &str| {
        bench.clock.advance(Ttl::from_secs(1));
        bench.manager.issue(session("user123").device_id(device)).await
    };
    let is_full = |login: Result<Issued, Error>, limit: usize| matches!(login, Err(Error::TooManySessions { max }) if max == limit);
    let phone = on("phone").await.unwrap();
    let mut others = [on("laptop").await.unwrap(), on("tablet").await.unwrap()];
    assert!(is_full(on("tv").await, 3));
    for round in 0..3 {
        // The session index still names both.
        for ended in &others {
            bench.manager.revoke(ended.token.id, RevokeRequest::default()).await.unwrap();
        }
        assert!(is_full(on("phone").await, 1), "the device has its session, in round {round}");
        others = [on("laptop").await.unwrap(), on("tv").await.unwrap()];
        assert!(is_full(on("laptop").await, 1) && is_full(on("tablet").await, 3));
        assert_eq!(live(&bench.manager, "user123").await, 3);
        assert!(bench.is_valid(&phone).await);
    }
    // Now the session of the device itself ends, and one of another device lives.
    bench.manager.revoke(phone.token.id, RevokeRequest::default()).await.unwrap();
    bench.manager.revoke(others[0].token.id, RevokeRequest::default()).await.unwrap();
    on("phone").await.unwrap();
    assert!(is_full(on("tv").await, 1));
    on("laptop").await.unwrap();
    assert_eq!(live(&bench.manager, "user123").await, 3);
}

#[tokio::test]
async fn only_logins_count_as_sessions() {
    let bench = limited(SessionPolicy::new(1, WhenFull::Deny).unwrap());
    let login = bench.login("user123").await;
    bench.manager.mint(login.token.id, Grant::new(Kind::Session)).await.unwrap();
    bench.manager.issue(Grant::new(Kind::Access).subject("user123")).await.unwrap();
    bench.manager.issue(Grant::new(Kind::Session).client("cron")).await.unwrap();
    assert!(bench.manager.issue(session("user123")).await.is_err());
    // The session index is not in any list.
    let page = bench.manager.list(&Filter::new(), keyfob::Paging::new(100)).await.unwrap();
    assert_eq!((page.tokens.len(), page.unreadable), (4, 0));
}

#[tokio::test]
async fn an_invalid_grant_ends_no_session() {
    let bench = limited(SessionPolicy::new(1, WhenFull::RetireOldest).unwrap());
    let login = bench.login("user123").await;
    let past = session("user123").expires_at(bench.manager.now());
    assert!(matches!(bench.manager.issue(past).await, Err(Error::Invalid(_))));
    assert!(bench.is_valid(&login).await);
}

#[tokio::test]
async fn after_everything_was_revoked_there_is_room_again() {
    let bench = limited(SessionPolicy::new(2, WhenFull::Deny).unwrap());
    let subject = Subject::new("user123").unwrap();
    for round in 0..3 {
        bench.login("user123").await;
        bench.login("user123").await;
        assert!(bench.manager.issue(session("user123")).await.is_err(), "{round}");
        if round == 1 {
            bench.manager.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
        } else {
            bench.manager.revoke_all(RevokeRequest::default()).await.unwrap();
        }
    }
    bench.login("user123").await;
}

/// This holds after any number of revocations, even two in one millisecond.
#[tokio::test]
async fn earlier_revocations_do_not_add_reads_to_a_login() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let random = SeededRandom::new(1);
    let store = MemoryStore::with(LaneCount::ONE, Arc::new(clock.clone()), &random).unwrap();
    let spy = Arc::new(InstrumentedStore::new(Arc::new(store)));
    let policy = SessionPolicy::new(2, WhenFull::Deny).unwrap();
    let [one, other] = [(); 2]
        .map(|()| TokenManager::builder(spy.clone()).clock(clock.clone()).sessions(policy).build());
    for round in 0..100 {
        let before = spy.loads();
        one.issue(session("user123")).await.unwrap();
        assert!(spy.loads() - before <= 4, "{} loads in {round}", spy.loads() - before);
        other.issue(session("user123")).await.unwrap();
        for node in [&one, &other] {
            let refused = node.issue(session("user123")).await.unwrap_err();
            assert_eq!(refused.code(), "too_many_sessions", "{round}");
        }
        if round % 10 != 0 {
            clock.advance(Ttl::from_hours(1));
        }
        one.revoke_all(RevokeRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_login_overtaken_by_a_revocation_is_also_refused() {
    let bench = limited(SessionPolicy::new(2, WhenFull::Deny).unwrap());
    let subject = Subject::new("user123").unwrap();
    for _ in 0..2 {
        let seen = bench.manager.begin_login(&subject).await.unwrap();
        bench.manager.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
        let late = bench.manager.issue(session("user123").login(seen)).await.unwrap_err();
        assert_eq!(late.code(), "superseded");
        // Both with and without an existing session index.
        bench.login("user123").await;
    }
}

#[tokio::test]
async fn sessions_from_before_there_was_a_policy_count() {
    let store: Arc<dyn keyfob::Store> = Arc::new(MemoryStore::new().unwrap());
    let free = TokenManager::builder(store.clone()).build();
    for _ in 0..3 {
        free.issue(session("user123")).await.unwrap();
    }
    let policy = SessionPolicy::new(2, WhenFull::RetireOldest).unwrap();
    let limited = TokenManager::builder(store).sessions(policy).build();
    limited.issue(session("user123")).await.unwrap();
    assert_eq!(live(&limited, "user123").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_logins_keep_the_session_limit() {
    for when_full in [WhenFull::Deny, WhenFull::RetireOldest, WhenFull::RetireLeastRecentlyUsed] {
        let policy = SessionPolicy::new(3, when_full).unwrap();
        let store = Arc::new(MemoryStore::new().unwrap());
        let manager = TokenManager::builder(store).sessions(policy).build();
        let logins = (0..12).map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move {
                let outcome = manager.issue(session("user123")).await;
                (outcome, live(&manager, "user123").await)
            })
        });
        let mut issued = 0;
        for login in logins.collect::<Vec<_>>() {
            let (outcome, live) = login.await.unwrap();
            assert!(live <= 3, "{live} live with {when_full:?}");
            match outcome {
                Ok(_) => issued += 1,
                Err(Error::TooManySessions { .. }) => assert_eq!(when_full, WhenFull::Deny),
                Err(Error::Contended { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(live(&manager, "user123").await, 3);
        assert!(if when_full == WhenFull::Deny { issued == 3 } else { issued > 3 });
    }
}

#[tokio::test]
async fn a_lowered_limit_counts_only_live_sessions() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let random = SeededRandom::new(1);
    let store = MemoryStore::with(LaneCount::ONE, Arc::new(clock.clone()), &random).unwrap();
    let spy = Arc::new(InstrumentedStore::new(Arc::new(store)));
    let under = |most| {
        let policy = SessionPolicy::new(most, WhenFull::RetireOldest).unwrap();
        let policy = policy.max_per_device(1).unwrap();
        TokenManager::builder(spy.clone()).clock(clock.clone()).sessions(policy).build()
    };
    let (before, lowered) = (under(5), under(2));
    let mut all = Vec::new();
    for device in ["a", "b", "c", "d", "e"] {
        clock.advance(Ttl::from_secs(1));
        all.push(before.issue(session("user123").device_id(device)).await.unwrap());
    }
    before.revoke(all[0].token.id, RevokeRequest::reason("user logout")).await.unwrap();
    clock.advance(Ttl::from_secs(1));
    let loads = spy.loads();
    lowered.issue(session("user123").device_id("a")).await.unwrap();
    assert_eq!(spy.loads() - loads, 6, "the session index and each session are read once");
    assert_eq!(live(&lowered, "user123").await, 2);
    assert!(
        lowered.validate_active(&all[4].bearer).await.is_ok(),
        "the newest of the others stays"
    );
}

#[test]
fn a_session_limit_out_of_range_is_invalid() {
    for sessions in [0, SessionPolicy::MAX_SESSIONS + 1] {
        assert!(SessionPolicy::new(sessions, WhenFull::Deny).is_err());
        let policy = SessionPolicy::new(1, WhenFull::Deny).unwrap();
        assert!(policy.max_per_device(sessions).is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_logins_at_the_same_time_on_five_nodes_wait_their_turn() {
    let store = Arc::new(InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap())));
    // Long enough that every login finds that others were faster.
    store.load_takes(std::time::Duration::from_millis(2));
    let policy = SessionPolicy::new(3, WhenFull::RetireOldest).unwrap();
    let nodes: Vec<TokenManager> = (0..5)
        .map(|_| TokenManager::builder(Arc::clone(&store)).sessions(policy).build())
        .collect();
    let mut logins = tokio::task::JoinSet::new();
    for node in nodes.iter().cycle().take(30) {
        let node = node.clone();
        logins.spawn(async move { node.issue(session("user123")).await });
    }
    while let Some(login) = logins.join_next().await {
        login.unwrap().unwrap();
        assert!(live(&nodes[0], "user123").await <= 3);
    }
    assert_eq!(live(&nodes[0], "user123").await, 3);
}
