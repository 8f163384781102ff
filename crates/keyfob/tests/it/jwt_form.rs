//! Tokens whose bearer token follows from a key, because they are presented in another form.

use keyfob::bearer::BearerKey;
use keyfob::rotation::GracePeriod;
use keyfob::store::KeyVersion;
use keyfob::token::{JwtForm, StatusListId};
use keyfob::{Grant, Kind, MemoryStore, RefreshPolicy, RefreshRequest, TokenManager, Ttl};

fn form(index: u32) -> (JwtForm, BearerKey) {
    let list = StatusListId::from_bytes([9; 16]);
    let key = KeyVersion::FIRST.value();
    (JwtForm { list, index, key }, BearerKey::from_bytes([5; 32]))
}

fn manager() -> TokenManager {
    TokenManager::new(MemoryStore::new().unwrap())
}

async fn indexes(manager: &TokenManager) -> Vec<u32> {
    let mut all = Vec::new();
    let list = form(0).0.list;
    manager.scan_status_list(list, |token| all.extend(token.jwt.map(|it| it.index))).await.unwrap();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn the_bearer_of_a_jwt_follows_from_its_key_and_of_an_opaque_token_does_not() {
    let manager = manager();
    let (place, key) = form(3);
    let grant = || Grant::new(Kind::Access).subject("alice").ttl(Ttl::from_mins(5));
    let issued = manager.issue(grant().jwt(place, key.clone())).await.unwrap();
    assert_eq!(issued.token.jwt, Some(place));
    let again = |id| key.bearer(manager.prefix(), Kind::Access, id).unwrap();
    // From the store, and then from the cache.
    for _ in 0..2 {
        let token = manager.validate_active(&again(issued.token.id)).await.unwrap();
        assert_eq!(token.jwt, Some(place));
    }
    assert_eq!(indexes(&manager).await, [3]);
    let opaque = manager.issue(grant()).await.unwrap();
    let refused = manager.validate_active(&again(opaque.token.id)).await.unwrap_err();
    assert_eq!(refused.code(), "token_unknown");
}

#[tokio::test]
async fn a_retry_of_a_refresh_keeps_the_place_that_was_taken_first() {
    let manager = manager();
    let grant = Grant::new(Kind::Refresh).subject("alice").client("web");
    let refresh = manager.issue(grant).await.unwrap().bearer;
    let request = |index| {
        let (place, key) = form(index);
        RefreshRequest::new().jwt(place, key)
    };
    let first = manager.refresh(&refresh, request(1)).await.unwrap();
    let again = manager.refresh(&refresh, request(2)).await.unwrap();
    assert_eq!(first.access.token.id, again.access.token.id);
    assert_eq!(again.access.token.jwt.map(|place| place.index), Some(1));
    assert_eq!(indexes(&manager).await, [1]);
    // An opaque token is another one.
    let opaque = manager.refresh(&refresh, RefreshRequest::new()).await.unwrap();
    assert_ne!(opaque.access.token.id, first.access.token.id);
    assert_eq!(opaque.access.token.jwt, None);
}

#[tokio::test]
async fn a_retry_gets_the_jwt_of_a_node_that_has_another_active_key() {
    let manager = manager();
    let grant = Grant::new(Kind::Refresh).subject("alice").client("web");
    let refresh = manager.issue(grant).await.unwrap().bearer;
    let keys = [1, 2].map(|version: u8| BearerKey::from_bytes([version; 32]));
    let request = |active: usize| {
        let other = 1 - active;
        let (form, _) = form(1);
        let form = JwtForm { key: active as u16, ..form };
        let request = RefreshRequest::new().jwt(form, keys[active].clone());
        (request.clone(), request.jwt_key(other as u16, keys[other].clone()))
    };
    let first = manager.refresh(&refresh, request(0).1).await.unwrap();
    let again = manager.refresh(&refresh, request(1).1).await.unwrap();
    assert_eq!(again.access.bearer.expose(), first.access.bearer.expose());
    assert_eq!(again.access.token.jwt.map(|form| form.key), Some(0));
    // A node that does not know the key at all gives nothing, and ends nothing.
    let refused = manager.refresh(&refresh, request(1).0).await.unwrap_err();
    assert_eq!(refused.code(), "refused_in_window");
    assert!(manager.refresh(&refresh, request(0).0).await.is_ok());
}

#[tokio::test]
async fn the_audiences_of_the_access_token_decide_its_form() {
    let manager = manager();
    let max = Ttl::from_mins(5);
    let request = |named: &[&str]| {
        let (place, key) = form(1);
        let takes_jwt = ["orders", "stock"].map(|name| name.parse().unwrap());
        let request = RefreshRequest::new().jwt_for(takes_jwt, max, place, key);
        named.iter().fold(request, |request, name| request.audience(*name))
    };
    let grant = |audiences: &[&str]| {
        let grant = Grant::new(Kind::Refresh).subject("alice").client("web");
        audiences.iter().fold(grant, |grant, name| grant.audience(*name))
    };
    for (granted, named, expected) in [
        (&["orders"][..], &[][..], Some(true)),
        (&["orders", "stock"], &[], Some(true)),
        (&["orders", "shop"], &["orders"], Some(true)),
        (&["orders", "shop"], &["shop"], Some(false)),
        (&["orders", "shop"], &[], None),
        (&["shop"], &[], Some(false)),
        (&["shop"], &["orders"], None),
        (&[], &[], Some(false)),
    ] {
        let refresh = manager.issue(grant(granted)).await.unwrap().bearer;
        let refreshed = manager.refresh(&refresh, request(named)).await;
        let Some(is_jwt) = expected else {
            let error = refreshed.unwrap_err();
            assert_eq!(error.class().oauth_error(), Some("invalid_target"), "{granted:?}");
            // Nothing was rotated.
            assert!(manager.validate_active(&refresh).await.is_ok(), "{granted:?} {named:?}");
            continue;
        };
        let token = refreshed.unwrap().access.token;
        assert_eq!(token.jwt.is_some(), is_jwt, "{granted:?} {named:?}");
        let lives_for = token.expires_at.unwrap().as_millis() - token.issued_at.as_millis();
        assert_eq!(lives_for <= max.as_millis(), is_jwt, "{granted:?} {named:?}");
        let again = manager.refresh(&refresh, request(named)).await.unwrap().access.token;
        assert_eq!(again.id, token.id);
    }
    let nobody = Grant::new(Kind::Refresh).subject("alice").audience("orders");
    let refresh = manager.issue(nobody).await.unwrap().bearer;
    assert_eq!(manager.refresh(&refresh, request(&[])).await.unwrap_err().code(), "invalid_value");
}

#[tokio::test]
async fn a_reuse_ends_the_family_whatever_form_is_asked_for() {
    let manager = manager();
    let policy = RefreshPolicy::new().with_grace_period(GracePeriod::NONE);
    let grant = Grant::new(Kind::Refresh).subject("alice").client("web").refresh_policy(policy);
    let refresh = manager.issue(grant.audience("orders").audience("shop")).await.unwrap().bearer;
    let request = || {
        let (place, key) = form(1);
        RefreshRequest::new().jwt_for(["orders".parse().unwrap()], Ttl::from_mins(5), place, key)
    };
    let first = manager.refresh(&refresh, request().audience("shop")).await.unwrap();
    let second = manager.refresh(&first.refresh.bearer, request().audience("shop")).await.unwrap();
    // Both audiences at once are refused, but the older bearer token has two holders.
    assert_eq!(manager.refresh(&refresh, request()).await.unwrap_err().code(), "reuse_detected");
    assert!(manager.validate_active(&second.access.bearer).await.is_err());
}

#[tokio::test]
async fn only_an_access_token_that_ends_can_be_a_jwt() {
    let manager = manager();
    let grant = |kind| {
        let (place, key) = form(0);
        Grant::new(kind).subject("alice").jwt(place, key)
    };
    for wrong in [
        grant(Kind::Session),
        grant(Kind::Refresh),
        grant(Kind::Access).uses(1),
        grant(Kind::Access).idle_timeout(Ttl::from_mins(1)),
        grant(Kind::Access).never_expires(),
    ] {
        assert_eq!(manager.issue(wrong).await.unwrap_err().code(), "invalid_value");
    }
}
