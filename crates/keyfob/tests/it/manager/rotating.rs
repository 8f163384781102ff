//! New secrets for API keys.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::event::ObservationKind;
use keyfob::random::SeededRandom;
use keyfob::rotation::SecretOverlap;
use keyfob::store::{Cursor, LaneCount};
use keyfob::token::SecretUsed;
use keyfob::{
    Error, Grant, Issued, Kind, MemoryStore, RevokeRequest, Store, Timestamp, TokenManager, Ttl,
    ValidationChain,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::{Bench, bench, session};

fn key() -> Grant {
    Grant::new(Kind::ApiKey).client("acme").scope("read")
}

fn hour() -> SecretOverlap {
    SecretOverlap::new(Ttl::from_hours(1))
}

impl Bench {
    /// Returns which secret a bearer has. It validates twice, from the store and from the cache.
    async fn used(&self, bearer: &keyfob::BearerToken) -> Option<SecretUsed> {
        let first = self.manager.validate_active(bearer).await.ok().map(|token| token.secret);
        let again = self.manager.validate_active(bearer).await.ok().map(|token| token.secret);
        let chain = ValidationChain::new().consistency(keyfob::Consistency::Strong);
        let strict = self.manager.validate(bearer, &chain).await.ok().map(|token| token.secret);
        assert_eq!((first, strict), (again, first));
        let chain = ValidationChain::new();
        let is_older =
            self.manager.validate_with(bearer, &chain, |token| token.is_by_older_secret());
        assert_eq!(is_older.await.ok(), first.map(|secret| secret != SecretUsed::Newest));
        first
    }

    /// Issues an API key and uses it.
    async fn key_in_use(&self) -> Issued {
        let issued = self.manager.issue(key()).await.unwrap();
        self.manager.validate_active(&issued.bearer).await.unwrap();
        issued
    }

    fn older(&self, left: Ttl) -> Option<SecretUsed> {
        Some(SecretUsed::Older { until: self.manager.now() + left })
    }
}

#[tokio::test]
async fn both_secrets_are_valid_until_the_overlap_ends_and_validation_reports_which_was_used() {
    let bench = bench();
    let old = bench.manager.issue(key()).await.unwrap();
    assert_eq!(bench.used(&old.bearer).await, Some(SecretUsed::Newest));
    let new = bench.manager.rotate(old.token.id, hour()).await.unwrap();
    assert_eq!(new.token.id, old.token.id);
    for _ in 0..2 {
        assert_eq!(bench.used(&old.bearer).await, bench.older(Ttl::from_hours(1)));
        assert_eq!(bench.used(&new.bearer).await, Some(SecretUsed::Newest));
    }
    bench.clock.advance(Ttl::from_mins(59));
    assert_eq!(bench.used(&old.bearer).await, bench.older(Ttl::from_mins(1)));
    bench.clock.advance(Ttl::from_mins(1));
    for _ in 0..2 {
        // The older secret is unknown, and presenting it ends nothing.
        assert_eq!(bench.used(&old.bearer).await, None);
        assert_eq!(bench.used(&new.bearer).await, Some(SecretUsed::Newest));
    }
}

#[tokio::test]
async fn the_end_of_the_overlap_is_kept_where_the_newest_was_never_used() {
    let bench = bench();
    let old = bench.key_in_use().await;
    let new = bench.manager.rotate(old.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&old.bearer).await, bench.older(Ttl::from_hours(1)));
    bench.clock.advance(Ttl::from_hours(1));
    assert_eq!(bench.used(&old.bearer).await, None);
    assert_eq!(bench.used(&new.bearer).await, Some(SecretUsed::Newest));
}

#[tokio::test]
async fn at_most_two_secrets_are_live() {
    let bench = bench();
    let one = bench.manager.issue(key()).await.unwrap();
    let two = bench.manager.rotate(one.token.id, hour()).await.unwrap();
    assert!(bench.used(&two.bearer).await.is_some());
    let three = bench.manager.rotate(one.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&one.bearer).await, None);
    assert_eq!(bench.used(&two.bearer).await, bench.older(Ttl::from_hours(1)));
    assert_eq!(bench.used(&three.bearer).await, Some(SecretUsed::Newest));
}

#[tokio::test]
async fn an_unused_secret_is_replaced_and_the_used_one_stays() {
    let bench = bench();
    let one = bench.key_in_use().await;
    let lost = bench.manager.rotate(one.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&one.bearer).await, bench.older(Ttl::from_hours(1)));
    bench.clock.advance(Ttl::from_mins(30));
    let three = bench.manager.rotate(one.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&lost.bearer).await, None);
    assert_eq!(bench.used(&one.bearer).await, bench.older(Ttl::from_hours(1)));
    assert_eq!(bench.used(&three.bearer).await, Some(SecretUsed::Newest));
    assert_eq!(three.token.generation.number(), 2);
}

#[tokio::test]
async fn an_unused_first_secret_is_replaced() {
    let bench = bench();
    let lost = bench.manager.issue(key()).await.unwrap();
    let two = bench.manager.rotate(lost.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&lost.bearer).await, None);
    assert_eq!(bench.used(&two.bearer).await, Some(SecretUsed::Newest));
    let three = bench.manager.rotate(lost.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&two.bearer).await, bench.older(Ttl::from_hours(1)));
    assert_eq!(bench.used(&three.bearer).await, Some(SecretUsed::Newest));
}

#[tokio::test]
async fn deriving_counts_as_a_use_of_a_secret_and_explaining_does_not() {
    let bench = bench();
    let chain = ValidationChain::new();
    for is_used in [true, false] {
        let one = bench.manager.issue(key()).await.unwrap();
        match is_used {
            true => {
                bench.manager.derive(&one.bearer, Grant::new(Kind::Access)).await.unwrap();
            }
            false => {
                bench.manager.explain(&one.bearer, &chain).await.unwrap();
            }
        }
        bench.manager.rotate(one.token.id, hour()).await.unwrap();
        assert_eq!(bench.used(&one.bearer).await.is_some(), is_used);
    }
    // A refused validation is not a use.
    let one = bench.manager.issue(key()).await.unwrap();
    let admin = ValidationChain::new().require_scope("admin");
    bench.manager.validate(&one.bearer, &admin).await.unwrap_err();
    bench.manager.rotate(one.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&one.bearer).await, None);
}

#[tokio::test]
async fn an_ended_overlap_is_not_extended() {
    let bench = bench();
    let one = bench.key_in_use().await;
    bench.manager.rotate(one.token.id, hour()).await.unwrap();
    bench.clock.advance(Ttl::from_hours(2));
    let three = bench.manager.rotate(one.token.id, hour()).await.unwrap();
    assert_eq!(bench.used(&one.bearer).await, None);
    assert_eq!(bench.used(&three.bearer).await, Some(SecretUsed::Newest));
}

#[tokio::test]
async fn without_an_overlap_the_older_ends_now_even_in_the_cache() {
    let bench = bench();
    let one = bench.manager.issue(key()).await.unwrap();
    assert!(bench.used(&one.bearer).await.is_some());
    let two = bench.manager.rotate(one.token.id, SecretOverlap::NONE).await.unwrap();
    assert_eq!(bench.used(&one.bearer).await, None);
    assert_eq!(bench.used(&two.bearer).await, Some(SecretUsed::Newest));
}

#[tokio::test]
async fn rotate_refuses_other_kinds_and_ended_keys() {
    let bench = bench();
    for grant in [session("user123"), super::refreshing::family(), Grant::new(Kind::Access)] {
        let token = bench.manager.issue(grant).await.unwrap().token;
        match bench.manager.rotate(token.id, hour()).await {
            Err(Error::NotRotatable { kind, .. }) => assert_eq!(kind, token.kind),
            other => panic!("{other:?}"),
        }
    }
    let revoked = bench.manager.issue(key()).await.unwrap();
    bench.manager.revoke(revoked.token.id, RevokeRequest::default()).await.unwrap();
    let expired = bench.manager.issue(key().ttl(Ttl::from_hours(1))).await.unwrap();
    bench.clock.advance(Ttl::from_hours(1));
    for id in [revoked.token.id, expired.token.id] {
        let refused = bench.manager.rotate(id, hour()).await.unwrap_err();
        assert_eq!(refused.code(), "token_ended");
    }
    let unknown = "tok_00d1h88n000000000000000001".parse().unwrap();
    let refused = bench.manager.rotate(unknown, hour()).await.unwrap_err();
    assert_eq!(refused.code(), "token_not_found");
}

#[tokio::test]
async fn a_revocation_ends_both_secrets() {
    let bench = bench();
    let old = bench.key_in_use().await;
    let new = bench.manager.rotate(old.token.id, hour()).await.unwrap();
    assert!(bench.used(&old.bearer).await.is_some() && bench.used(&new.bearer).await.is_some());
    bench.manager.revoke(old.token.id, RevokeRequest::default()).await.unwrap();
    for bearer in [&old.bearer, &new.bearer] {
        let refused = bench.manager.validate_active(bearer).await.unwrap_err();
        assert_eq!(refused.code(), "token_revoked");
    }
}

#[tokio::test]
async fn once_both_are_in_use_neither_asks_the_store() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let random = SeededRandom::new(1);
    let store = MemoryStore::with(LaneCount::ONE, Arc::new(clock.clone()), &random).unwrap();
    let spy = Arc::new(InstrumentedStore::new(Arc::new(store) as Arc<dyn Store>));
    let manager = TokenManager::builder(spy.clone()).clock(clock).build();
    let old = manager.issue(key()).await.unwrap();
    manager.validate_active(&old.bearer).await.unwrap();
    let new = manager.rotate(old.token.id, hour()).await.unwrap();
    for bearer in [&old.bearer, &old.bearer, &new.bearer, &new.bearer, &old.bearer] {
        manager.validate_active(bearer).await.unwrap();
    }
    let loads = spy.loads();
    for _ in 0..100 {
        for bearer in [&old.bearer, &new.bearer] {
            manager.validate_active(bearer).await.unwrap();
        }
    }
    assert_eq!(spy.loads(), loads);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_uses_of_the_newest_secret_are_all_accepted() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let old = manager.issue(key()).await.unwrap();
    manager.validate_active(&old.bearer).await.unwrap();
    for _ in 0..20 {
        let new = manager.rotate(old.token.id, hour()).await.unwrap();
        let all = (0..16).map(|_| {
            let (manager, bearer) = (manager.clone(), new.bearer.clone());
            tokio::spawn(
                async move { manager.validate_active(&bearer).await.map(|token| token.secret) },
            )
        });
        for one in all.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap().unwrap(), SecretUsed::Newest);
        }
    }
}

#[tokio::test]
async fn an_owner_sees_whether_the_older_secret_is_still_in_use() {
    let bench = bench();
    let old = bench.manager.issue(Grant::new(Kind::ApiKey).client("acme")).await.unwrap();
    bench.manager.validate_active(&old.bearer).await.unwrap();
    let overlap = SecretOverlap::default();
    let new = bench.manager.rotate(old.token.id, overlap).await.unwrap();
    let reported = async || {
        bench.manager.shutdown().await;
        let page = bench.manager.observations(&Cursor::start(), 1_000).await.unwrap();
        let is_use_of_older =
            |what: &ObservationKind| matches!(what, ObservationKind::OlderSecretUsed { .. });
        page.observations.iter().filter(|(seen, _)| is_use_of_older(&seen.what)).count()
    };
    for hour in 1..=5 {
        for _ in 0..100 {
            bench.manager.validate_active(&old.bearer).await.unwrap();
        }
        assert_eq!(
            reported().await,
            hour,
            "the remaining time is reported from the cache and from the store"
        );
        bench.clock.advance(Ttl::from_hours(1));
    }
    for _ in 0..100 {
        bench.manager.validate_active(&new.bearer).await.unwrap();
    }
    assert_eq!(reported().await, 5, "the older secret is no longer in use");
}

#[tokio::test]
async fn a_use_of_the_older_secret_is_seen_among_a_thousand_of_the_newest() {
    let bench = bench();
    let old = bench.manager.issue(Grant::new(Kind::ApiKey).client("acme")).await.unwrap();
    bench.manager.validate_active(&old.bearer).await.unwrap();
    let new = bench.manager.rotate(old.token.id, SecretOverlap::default()).await.unwrap();
    bench.manager.validate_active(&new.bearer).await.unwrap();
    for hour in 1..=5 {
        for _ in 0..1_000 {
            bench.manager.validate_active(&new.bearer).await.unwrap();
        }
        for _ in 0..3 {
            bench.manager.validate_active(&old.bearer).await.unwrap();
        }
        bench.manager.shutdown().await;
        let page = bench.manager.observations(&Cursor::start(), 1_000).await.unwrap();
        let of_older = page.observations.iter().filter(|(seen, _)| {
            matches!(seen.what, ObservationKind::OlderSecretUsed { token } if token == old.token.id)
        });
        assert_eq!(of_older.count(), hour);
        bench.clock.advance(Ttl::from_hours(1));
    }
}

#[tokio::test]
async fn a_key_is_rotated_for_its_owner_only() {
    let bench = bench();
    let owner: keyfob::Subject = "user123".try_into().unwrap();
    let stranger: keyfob::Subject = "user456".try_into().unwrap();
    let owned = bench.manager.issue(Grant::new(Kind::ApiKey).subject("user123")).await.unwrap();
    let ownerless = bench.manager.issue(Grant::new(Kind::ApiKey)).await.unwrap();
    let not_owned = [(&stranger, owned.token.id), (&owner, ownerless.token.id)];
    for (subject, id) in not_owned {
        let refused = bench.manager.rotate_owned(subject, id, hour()).await.unwrap_err();
        assert!(matches!(refused, Error::NotFound { id: found } if found == id), "{refused}");
    }
    let session = bench.manager.issue(Grant::new(Kind::Session).subject("user123")).await.unwrap();
    // Another subject does not learn the kind of the token.
    let refused = bench.manager.rotate_owned(&stranger, session.token.id, hour()).await;
    assert_eq!(refused.unwrap_err().code(), "token_not_found");
    let unchanged = bench.manager.get(owned.token.id).await.unwrap();
    assert_eq!(unchanged.generation, owned.token.generation);

    let request = keyfob::RotateRequest::from(hour()).by("user123");
    let new = bench.manager.rotate_owned(&owner, owned.token.id, request).await.unwrap();
    assert!(bench.manager.validate_active(&new.bearer).await.is_ok());
    let history = bench.manager.history(owned.token.id).await.unwrap();
    assert_eq!(history.last().unwrap().by.as_ref().unwrap().as_str(), "user123");
}
