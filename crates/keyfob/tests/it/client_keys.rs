//! API keys whose clients authenticate by a key of their own.

use keyfob::manager::IdempotencyKey;
use keyfob::token::{ClientKey, Confirmation};
use keyfob::values::Field;
use keyfob::{
    CacheConfig, Error, Grant, Kind, MemoryStore, Presentation, RotateRequest, TokenManager,
    ValidationChain,
};

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn key() -> ClientKey {
    ClientKey::from_json(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#)).unwrap()
}

fn grant() -> Grant {
    Grant::new(Kind::ApiKey).client("shop").scope("read").client_key(key())
}

#[tokio::test]
async fn the_key_has_to_be_proven_from_the_store_and_from_the_cache() {
    for cache in [CacheConfig::default(), CacheConfig::OFF] {
        let manager = TokenManager::builder(MemoryStore::new().unwrap()).cache(cache).build();
        let issued = manager.issue(grant()).await.unwrap();
        let again = manager.client_key_bearer(issued.token.id).unwrap();
        assert_eq!(issued.bearer.expose(), again.expose());
        let bearer = issued.bearer.expose();
        let (own, other) =
            (Confirmation::Jkt(key().thumbprint()), Confirmation::of_certificate(b"x"));
        let chain = ValidationChain::new();
        for _ in 0..2 {
            let proven = Presentation::new(bearer).confirmation(&own);
            let token = manager.validate(proven, &chain).await.unwrap();
            assert_eq!(token.claims.registered.client_key, Some(key()));
            for presented in
                [Presentation::new(bearer), Presentation::new(bearer).confirmation(&other)]
            {
                let refused = manager.validate(presented, &chain).await.unwrap_err();
                assert_eq!(refused.code(), "confirmation_mismatch");
            }
        }
    }
}

#[tokio::test]
async fn a_derived_token_is_not_bound_to_the_key() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let bearer = manager.issue(grant()).await.unwrap().bearer;
    let own = Confirmation::Jkt(key().thumbprint());
    let access = || Grant::new(Kind::Access).scope("read");
    assert!(manager.derive(&bearer, access()).await.is_err());
    let proven = Presentation::new(bearer.expose()).confirmation(&own);
    let derived = manager.derive(proven, access()).await.unwrap();
    assert_eq!(derived.token.claims.registered.bound_to(), None);
    assert!(manager.validate_active(&derived.bearer).await.is_ok());
}

#[tokio::test]
async fn a_key_is_issued_once_for_an_idempotency_key() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let once = || IdempotencyKey::new("a", "secret", b"request").unwrap();
    let first = manager.issue_once(&once(), grant()).await.unwrap();
    let again = manager.issue_once(&once(), grant()).await.unwrap();
    assert_eq!(first.token.id, again.token.id);
    assert_eq!(first.bearer.expose(), again.bearer.expose());
}

#[tokio::test]
async fn the_parts_go_together_and_there_is_no_secret_to_replace() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    for wrong in [
        Grant::new(Kind::Access).client("shop").client_key(key()),
        Grant::new(Kind::ApiKey).client_key(key()),
        grant().confirmation(Confirmation::Jkt("x".try_into().unwrap())),
    ] {
        let refused = manager.issue(wrong).await.unwrap_err();
        let Error::Invalid(invalid) = refused else { panic!("{refused}") };
        assert_eq!(invalid.field(), Field::ClientKey);
    }
    let id = manager.issue(grant()).await.unwrap().token.id;
    let refused = manager.rotate(id, RotateRequest::new()).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_value");
    assert!(refused.to_string().contains("issue another API key"), "{refused}");
}
