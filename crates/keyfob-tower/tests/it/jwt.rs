//! The verifier of JWTs, with an issuer that fails in one thing each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keyfob::clock::{Clock, ManualClock};
use keyfob::token::Confirmation;
use keyfob::{Timestamp, Ttl};
use keyfob_jwt::access_token::{AccessToken, Refused as NotValid};
use keyfob_jwt::key_set::{KeySet, NotSigned};
use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
use keyfob_jwt::status_list::{StatusList, StatusListToken};
use keyfob_tower::ErrorResponse;
use keyfob_tower::jwt::{
    DecidedBy, Fallback, Fetch, FetchFailed, Introspect, JwtVerifier, Refused, Verified,
};
use serde_json::json;

const ISSUER: &str = "https://tokens.example";
const JWKS: &str = "https://tokens.example/.well-known/jwks.json";
const LIST: &str = "https://tokens.example/status-lists/a";
const START: u64 = 1_700_000_000;

/// An issuer, and the network to it.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    pub(crate) clock: ManualClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    documents: HashMap<String, Vec<u8>>,
    /// The answer to introspection.
    answer: Option<serde_json::Value>,
    /// How often each was asked for.
    asked: HashMap<String, u32>,
}

#[async_trait]
impl Fetch for Issuer {
    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, FetchFailed> {
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        *state.asked.entry(uri.into()).or_default() += 1;
        state.documents.get(uri).cloned().ok_or_else(|| FetchFailed("nobody answers".into()))
    }
}

#[async_trait]
impl Introspect for Issuer {
    async fn introspect(&self, _: &str) -> Result<Vec<u8>, FetchFailed> {
        let mut state = self.state.lock().unwrap();
        *state.asked.entry("introspection".into()).or_default() += 1;
        let answer = state.answer.as_ref().map(|answer| answer.to_string().into_bytes());
        answer.ok_or_else(|| FetchFailed("nobody answers".into()))
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::derive(&[seed; 32], SigningAlgorithm::EdDsa).unwrap()
}

/// A token for this service, with a place in the list.
pub(crate) fn token() -> AccessToken {
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "aud": "orders", "exp": START + 900, "iat": START,
        "jti": "tok_1", "client_id": "web", "scope": "read write", "plan": "team",
        "status": { "status_list": { "idx": 7, "uri": LIST } },
    });
    serde_json::from_value(claims).unwrap()
}

pub(crate) fn jwt(token: &AccessToken) -> String {
    token.sign(&key(1)).unwrap()
}

impl Issuer {
    /// An issuer with one key and a list without revocations.
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_secs(START));
        let issuer = Self { clock, state: Arc::default() };
        issuer.publish_keys(&[1]);
        issuer.publish_list(&[]);
        issuer
    }

    pub(crate) fn verifier(&self) -> JwtVerifier {
        let verifier = JwtVerifier::new(ISSUER, "orders", self.clone()).unwrap();
        verifier.introspection(self.clone()).clock(self.clock.clone())
    }

    fn put(&self, uri: &str, body: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().documents.insert(uri.into(), body.into());
    }

    /// Answers no more at an address.
    fn fail(&self, uri: &str) {
        self.state.lock().unwrap().documents.remove(uri);
    }

    fn asked(&self, uri: &str) -> u32 {
        self.state.lock().unwrap().asked.get(uri).copied().unwrap_or_default()
    }

    fn answer(&self, answer: serde_json::Value) {
        self.state.lock().unwrap().answer = Some(answer);
    }

    fn publish_keys(&self, seeds: &[u8]) {
        let keys = KeySet::new(seeds.iter().map(|seed| key(*seed).public().clone()));
        self.put(JWKS, serde_json::to_vec(&keys).unwrap());
    }

    fn list(&self, revoked: &[u32]) -> StatusListToken {
        let mut list = StatusList::new(64);
        for index in revoked {
            assert!(list.revoke(*index));
        }
        let now = self.clock.now();
        StatusListToken {
            uri: LIST.into(),
            issued_at: now,
            expires_at: Some(now + Ttl::from_secs(600)),
            ttl: Some(Ttl::from_secs(60)),
            list,
        }
    }

    fn publish_list(&self, revoked: &[u32]) {
        self.put(LIST, self.list(revoked).sign(&key(1)).unwrap());
    }

    fn pass(&self, secs: u64) {
        self.clock.advance(Ttl::from_secs(secs));
    }
}

fn is_ok(verified: &Result<Verified, Refused>) -> bool {
    verified.is_ok()
}

#[tokio::test]
async fn a_token_is_accepted_without_a_call_to_the_issuer() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier();
    for _ in 0..3 {
        let verified = tokens.verify(&jwt(&token())).await.unwrap();
        assert_eq!(verified.subject.as_deref(), Some("alice"));
        assert_eq!(verified.claims["plan"], "team");
        assert!(verified.has_scope("write"));
        assert_eq!(verified.decided_by, DecidedBy::StatusList);
    }
    assert_eq!((issuer.asked(JWKS), issuer.asked(LIST)), (1, 1));
    assert_eq!(issuer.asked("introspection"), 0);
}

#[tokio::test]
async fn a_revoked_token_is_refused_within_the_ttl_of_the_list() {
    let issuer = Issuer::new();
    let (tokens, jwt) = (issuer.verifier(), jwt(&token()));
    tokens.verify(&jwt).await.unwrap();
    issuer.publish_list(&[7]);
    issuer.pass(44);
    assert!(is_ok(&tokens.verify(&jwt).await), "the list is still the one before");
    issuer.pass(1);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::Revoked));
    // A cache that answers with an older list brings no token back.
    issuer.publish_list(&[]);
    issuer.pass(60);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::Revoked));
}

#[tokio::test]
async fn a_list_that_cannot_be_fetched_again_is_used_for_its_ttl_and_the_grace() {
    let issuer = Issuer::new();
    let (tokens, jwt) = (issuer.verifier().grace(Some(Ttl::from_secs(30))), jwt(&token()));
    tokens.verify(&jwt).await.unwrap();
    issuer.fail(LIST);
    issuer.pass(89);
    assert!(is_ok(&tokens.verify(&jwt).await));
    issuer.pass(1);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::NoStatus));
    assert_eq!(ErrorResponse::from(Refused::NoStatus).status(), 503);
    // It asks again, and once in five seconds.
    let asked = issuer.asked(LIST);
    issuer.publish_list(&[]);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::NoStatus));
    assert_eq!(issuer.asked(LIST), asked);
    issuer.pass(5);
    assert!(is_ok(&tokens.verify(&jwt).await));
}

#[tokio::test]
async fn without_a_grace_a_list_is_used_for_its_ttl() {
    let issuer = Issuer::new();
    let (tokens, jwt) = (issuer.verifier().grace(None), jwt(&token()));
    tokens.verify(&jwt).await.unwrap();
    issuer.fail(LIST);
    issuer.pass(59);
    assert!(is_ok(&tokens.verify(&jwt).await));
    issuer.pass(1);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::NoStatus));
}

#[tokio::test]
async fn a_list_is_not_used_after_its_end_whatever_the_grace() {
    let issuer = Issuer::new();
    let mut list = issuer.list(&[]);
    list.expires_at = Some(Timestamp::from_secs(START + 70));
    issuer.put(LIST, list.sign(&key(1)).unwrap());
    let (tokens, jwt) = (issuer.verifier().grace(Some(Ttl::from_hours(1))), jwt(&token()));
    tokens.verify(&jwt).await.unwrap();
    // What the issuer still serves has ended too.
    issuer.pass(69);
    assert!(is_ok(&tokens.verify(&jwt).await));
    issuer.pass(1);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::NoStatus));
}

#[tokio::test]
async fn a_list_that_is_not_known_is_not_an_empty_one() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier();
    let other_key = issuer.list(&[]).sign(&key(9)).unwrap();
    let mut other_uri = issuer.list(&[]);
    other_uri.uri = "https://tokens.example/status-lists/b".into();
    let bodies: [Vec<u8>; 4] = [
        b"<html>".to_vec(),
        other_key.into_bytes(),
        other_uri.sign(&key(1)).unwrap().into_bytes(),
        jwt(&token()).into_bytes(),
    ];
    for body in bodies {
        issuer.put(LIST, body.clone());
        let refused = tokens.verify(&jwt(&token())).await;
        assert_eq!(refused, Err(Refused::NoStatus), "{}", String::from_utf8_lossy(&body));
        issuer.pass(5);
    }
    issuer.publish_list(&[]);
    let mut beyond = token();
    beyond.status.as_mut().unwrap().status_list.idx = 64;
    assert_eq!(tokens.verify(&jwt(&beyond)).await, Err(Refused::NoStatus));
    let without = AccessToken { status: None, ..token() };
    assert_eq!(tokens.verify(&jwt(&without)).await, Err(Refused::NoStatus));
    let mut elsewhere = token();
    elsewhere.status.as_mut().unwrap().status_list.uri = "https://tokens.example.evil/a".into();
    assert_eq!(tokens.verify(&jwt(&elsewhere)).await, Err(Refused::NoStatus));
    assert_eq!(issuer.asked("https://tokens.example.evil/a"), 0);
    assert_eq!(issuer.asked("introspection"), 0, "unless the settings say so");
}

#[tokio::test]
async fn the_issuer_is_asked_where_no_list_is_known_if_the_settings_say_so() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier().without_status(Fallback::Introspect);
    issuer.fail(LIST);
    issuer.answer(json!({ "active": true, "iss": ISSUER, "aud": "orders" }));
    let verified = tokens.verify(&jwt(&token())).await.unwrap();
    assert_eq!(verified.decided_by, DecidedBy::Introspection);
    assert_eq!(verified.subject.as_deref(), Some("alice"), "by the token");
    issuer.answer(json!({ "active": false }));
    assert_eq!(tokens.verify(&jwt(&token())).await, Err(Refused::Inactive));
    issuer.state.lock().unwrap().answer = None;
    assert_eq!(tokens.verify(&jwt(&token())).await, Err(Refused::NoAnswer));
    // A token that is not valid is not asked about.
    let asked = issuer.asked("introspection");
    let expired = AccessToken { exp: START - 60, ..token() };
    assert_eq!(tokens.verify(&jwt(&expired)).await, Err(NotValid::Expired.into()));
    assert_eq!(issuer.asked("introspection"), asked);
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_used_for_a_while_and_then_not() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier().max_key_age(Ttl::from_mins(10));
    let token = AccessToken { exp: START + 10_000, ..token() };
    let jwt = jwt(&token);
    tokens.verify(&jwt).await.unwrap();
    issuer.fail(JWKS);
    issuer.pass(599);
    issuer.publish_list(&[]);
    assert!(is_ok(&tokens.verify(&jwt).await));
    issuer.pass(1);
    assert_eq!(tokens.verify(&jwt).await, Err(Refused::NoKeys));
    let asks = tokens.clone().without_keys(Fallback::Introspect);
    assert_eq!(asks.verify(&jwt).await, Err(Refused::NoAnswer));
    issuer.answer(json!({ "active": true, "aud": "orders" }));
    assert!(is_ok(&asks.verify(&jwt).await));
    issuer.answer(json!({ "active": true, "aud": "shop" }));
    assert_eq!(asks.verify(&jwt).await, Err(NotValid::Audience.into()));
}

#[tokio::test]
async fn a_token_that_is_remembered_is_refused_when_it_ends_and_when_its_key_is_withdrawn() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier();
    let (long, short) = (AccessToken { exp: START + 10_000, ..token() }, token());
    let (long, short) = (jwt(&long), jwt(&short));
    for text in [&long, &short, &long, &short] {
        assert!(is_ok(&tokens.verify(text).await));
    }
    // A token for another service is not accepted because it is remembered.
    let elsewhere = JwtVerifier::new(ISSUER, "shop", issuer.clone()).unwrap();
    let elsewhere = elsewhere.clock(issuer.clock.clone());
    for _ in 0..2 {
        assert_eq!(elsewhere.verify(&long).await, Err(NotValid::Audience.into()));
    }
    issuer.pass(904);
    issuer.publish_list(&[]);
    assert!(is_ok(&tokens.verify(&short).await));
    issuer.pass(1);
    assert_eq!(tokens.verify(&short).await, Err(NotValid::Expired.into()));
    assert!(is_ok(&tokens.verify(&long).await));
    issuer.publish_keys(&[2]);
    issuer.pass(300);
    let withdrawn = tokens.verify(&long).await;
    assert_eq!(withdrawn, Err(NotSigned::UnknownKey.into()));
}

#[tokio::test]
async fn a_verifier_that_never_had_keys_refuses() {
    let issuer = Issuer::new();
    issuer.fail(JWKS);
    let tokens = issuer.verifier();
    for _ in 0..10 {
        assert_eq!(tokens.verify(&jwt(&token())).await, Err(Refused::NoKeys));
    }
    assert_eq!(issuer.asked(JWKS), 1);
    issuer.publish_keys(&[1]);
    issuer.pass(5);
    assert!(is_ok(&tokens.verify(&jwt(&token())).await));
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_met_and_not_more_often_than_that() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier();
    tokens.verify(&jwt(&token())).await.unwrap();
    issuer.publish_keys(&[1, 2]);
    issuer.pass(5);
    let rotated = token().sign(&key(2)).unwrap();
    assert!(is_ok(&tokens.verify(&rotated).await));
    let by_nobody = token().sign(&key(3)).unwrap();
    for _ in 0..10 {
        let refused = tokens.verify(&by_nobody).await;
        assert_eq!(refused, Err(NotSigned::UnknownKey.into()));
    }
    assert_eq!(issuer.asked(JWKS), 2);
    assert_eq!(issuer.asked("introspection"), 0);
    // A list that the new key signs is read too.
    issuer.publish_keys(&[1, 4]);
    issuer.put(LIST, issuer.list(&[7]).sign(&key(4)).unwrap());
    issuer.pass(60);
    assert_eq!(tokens.verify(&jwt(&token())).await, Err(Refused::Revoked));
}

#[tokio::test]
async fn the_clocks_may_differ_by_the_skew() {
    let issuer = Issuer::new();
    let tokens = issuer.verifier().clock_skew(Ttl::from_secs(10));
    let early = AccessToken { iat: START + 10, ..token() };
    let earlier = AccessToken { iat: START + 11, ..token() };
    let late = AccessToken { exp: START - 9, ..token() };
    let later = AccessToken { exp: START - 10, ..token() };
    assert!(is_ok(&tokens.verify(&jwt(&early)).await));
    assert_eq!(tokens.verify(&jwt(&earlier)).await, Err(NotValid::NotYet.into()));
    assert!(is_ok(&tokens.verify(&jwt(&late)).await));
    assert_eq!(tokens.verify(&jwt(&later)).await, Err(NotValid::Expired.into()));
    let foreign = AccessToken { iss: "https://other.example".into(), ..token() };
    assert_eq!(tokens.verify(&jwt(&foreign)).await, Err(NotValid::Issuer.into()));
}

#[tokio::test]
async fn an_opaque_token_is_refused_or_the_issuer_is_asked() {
    let issuer = Issuer::new();
    issuer.answer(json!({ "active": true, "aud": "orders", "sub": "bob", "scope": "read" }));
    let tokens = issuer.verifier();
    assert_eq!(tokens.verify("kf_a_opaque").await, Err(Refused::Opaque));
    let tokens = tokens.opaque(Fallback::Introspect);
    assert_eq!(tokens.verify("kf_a_opaque").await.unwrap().subject.as_deref(), Some("bob"));
    assert_eq!(issuer.asked("introspection"), 1);
    // What looks like a JWT and is none is not asked about.
    let refused = tokens.verify("eyJhbGciOiJub25lIn0.e30.").await.unwrap_err();
    assert!(matches!(refused, Refused::NotSigned(_)), "{refused}");
    assert_eq!(issuer.asked("introspection"), 1);
    let mute = JwtVerifier::new(ISSUER, "orders", issuer.clone()).unwrap();
    let mute = mute.opaque(Fallback::Introspect);
    assert_eq!(mute.verify("kf_a_opaque").await, Err(Refused::Opaque), "nobody to ask");
}

#[tokio::test]
async fn a_bound_token_needs_its_key() {
    let issuer = Issuer::new();
    let [mine, other] = [b"mine", b"else"].map(|der| Confirmation::of_certificate(der));
    let bound = jwt(&AccessToken { cnf: Some(mine.clone()), ..token() });
    let tokens = issuer.verifier().without_status(Fallback::Introspect);
    assert_eq!(tokens.verify(&bound).await, Err(Refused::NotProven));
    assert_eq!(tokens.verify_with(&bound, Some(&other)).await, Err(Refused::NotProven));
    assert!(is_ok(&tokens.verify_with(&bound, Some(&mine)).await));
    // Also where the answer of the issuer does not have the key.
    issuer.fail(LIST);
    issuer.pass(200);
    issuer.answer(json!({ "active": true, "aud": "orders" }));
    assert_eq!(tokens.verify(&bound).await, Err(Refused::NotProven));
    assert!(is_ok(&tokens.verify_with(&bound, Some(&mine)).await));
}

#[tokio::test]
async fn requests_at_the_same_time_share_a_fetch() {
    let issuer = Issuer::new();
    let (tokens, jwt) = (issuer.verifier(), Arc::new(jwt(&token())));
    for round in 1..=2 {
        let checks: Vec<_> = (0..20)
            .map(|_| {
                let (tokens, jwt) = (tokens.clone(), Arc::clone(&jwt));
                tokio::spawn(async move { tokens.verify(&jwt).await })
            })
            .collect();
        for check in checks {
            assert!(is_ok(&check.await.unwrap()));
        }
        assert_eq!(issuer.asked(LIST), round);
        issuer.pass(60);
    }
}
