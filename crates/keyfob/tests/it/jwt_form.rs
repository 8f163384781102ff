//! Tokens whose bearer token follows from a key, because they are presented in another form.

use keyfob::bearer::BearerKey;
use keyfob::store::KeyVersion;
use keyfob::token::{JwtForm, StatusListId};
use keyfob::{Grant, Kind, MemoryStore, RefreshRequest, TokenManager, Ttl};

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
