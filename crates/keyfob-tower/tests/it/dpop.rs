//! Tokens that are bound to a key, presented with and without proofs (RFC 9449).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::routing::get as route;
use http::Method;
use keyfob::clock::ManualClock;
use keyfob::limit::{Charge, Charged, LimitStore};
use keyfob::store::StoreError;
use keyfob::{Issued, LocalLimits, TokenManager, Ttl, ValidationChain};
use keyfob_jwt::dpop::{ProofKey, ProofRequest};
use keyfob_tower::dpop::{BadProof, Dpop, NoProof, TargetUri};
use keyfob_tower::{AuthLayer, Authenticated};

use crate::harness::*;

const ORIGIN: &str = "https://shop.example";

async fn me(auth: Authenticated) -> String {
    auth.subject().map(ToString::to_string).unwrap_or_default()
}

/// An application at `/me` and, in a nested router, at `/api/me`.
fn app(bench: &Bench, dpop: Dpop) -> Router {
    let chain = ValidationChain::new().allow_audience("shop");
    let auth = AuthLayer::new(bench.manager.clone(), chain).unwrap();
    let auth = auth.dpop(dpop, ORIGIN.parse().unwrap());
    let routes = Router::new().route("/me", route(me).post(me)).layer(auth);
    Router::new().nest("/api", routes.clone()).merge(routes)
}

fn dpop(bench: &Bench) -> Dpop {
    let used = LocalLimits::with(1_000, bench.clock.clone());
    Dpop::new(&bench.manager, used).unwrap()
}

/// A client with a key, and an access token that is bound to it.
struct Client {
    key: ProofKey,
    issued: Issued,
}

impl Client {
    async fn new(bench: &Bench) -> Self {
        let key = ProofKey::generate().unwrap();
        let issued = bench.issue(grant().confirmation(key.confirmation())).await;
        Self { key, issued }
    }

    fn authorization(&self) -> String {
        format!("DPoP {}", self.issued.bearer.expose())
    }

    /// A proof for `GET` at a path.
    fn proof(&self, bench: &Bench, path: &str, jti: &str) -> String {
        self.proof_for(bench, &format!("{ORIGIN}{path}"), jti, None, self.issued.bearer.expose())
    }

    fn proof_for(
        &self,
        bench: &Bench,
        uri: &str,
        jti: &str,
        nonce: Option<&str>,
        token: &str,
    ) -> String {
        let uri: TargetUri = uri.parse().unwrap();
        let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(token) };
        self.key.sign(&request, jti, nonce, bench.manager.now()).unwrap()
    }
}

#[tokio::test]
async fn a_bound_token_passes_with_a_proof_and_each_proof_counts_once() {
    let bench = bench();
    let address = serve(app(&bench, dpop(&bench))).await;
    let client = Client::new(&bench).await;
    let authorization = client.authorization();
    for path in ["/me", "/api/me"] {
        let proof = client.proof(&bench, path, path);
        let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
        assert_eq!(get(address, path, &headers).await.body, "user123", "{path}");
        let again = get(address, path, &headers).await;
        assert_eq!(again.status, 401);
        assert_eq!(again.json()["code"], "invalid_dpop_proof");
        assert!(
            again
                .header("www-authenticate")
                .starts_with("DPoP realm=\"keyfob\", error=\"invalid_dpop_proof\"")
        );
        assert!(again.header("www-authenticate").contains("algs=\"ES256 "));
    }
}

#[tokio::test]
async fn a_stolen_bound_token_is_refused() {
    let bench = bench();
    let address = serve(app(&bench, dpop(&bench))).await;
    let (victim, thief) = (Client::new(&bench).await, Client::new(&bench).await);
    let stolen = victim.issued.bearer.expose();
    let (as_bearer, as_dpop) = (bearer(&victim.issued), victim.authorization());
    let by_thief = thief.proof_for(&bench, &format!("{ORIGIN}/me"), "1", None, stolen);
    let for_other_path = victim.proof(&bench, "/other", "2");
    let for_other_host = victim.proof_for(&bench, "https://evil.example/me", "3", None, stolen);
    let for_other_token = victim.proof_for(&bench, &format!("{ORIGIN}/me"), "4", None, "another");
    let good = victim.proof(&bench, "/me", "5");
    let cases: [(&str, &[&str], &str); 9] = [
        (&as_bearer, &[], "invalid_token"),
        (&as_bearer, &[&good], "invalid_token"),
        (&as_dpop, &[], "invalid_dpop_proof"),
        (&as_dpop, &[&by_thief], "invalid_token"),
        (&as_dpop, &[&for_other_path], "invalid_dpop_proof"),
        (&as_dpop, &[&for_other_host], "invalid_dpop_proof"),
        (&as_dpop, &[&for_other_token], "invalid_dpop_proof"),
        (&as_dpop, &[&good, &good], "invalid_dpop_proof"),
        (&as_dpop, &["nonsense"], "invalid_dpop_proof"),
    ];
    for (number, (authorization, proofs, code)) in cases.into_iter().enumerate() {
        let mut headers = vec![("authorization", authorization)];
        headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        let answer = get(address, "/me", &headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (401, Some(code)),
            "case {number}"
        );
        let challenges = answer.headers.get_all("www-authenticate");
        assert!(
            challenges.iter().any(|value| value.as_bytes().starts_with(b"DPoP ")),
            "case {number}"
        );
    }
    // Another method than the proof's.
    let proof = victim.proof(&bench, "/me", "6");
    let headers = [("authorization", as_dpop.as_str()), ("dpop", &proof)];
    let posted = send(address, Method::POST, "/me", &headers, "").await;
    assert_eq!(posted.json()["code"], "invalid_dpop_proof");
    // None of these used up what the owner has.
    let headers = [("authorization", as_dpop.as_str()), ("dpop", &good)];
    assert_eq!(get(address, "/me", &headers).await.status, 200);
}

#[tokio::test]
async fn a_token_without_a_key_needs_no_proof_and_is_no_dpop_token() {
    let bench = bench();
    let address = serve(app(&bench, dpop(&bench))).await;
    let mut client = Client::new(&bench).await;
    client.issued = bench.access().await;
    assert_eq!(
        get(address, "/me", &[("authorization", &bearer(&client.issued))]).await.status,
        200
    );
    let (authorization, proof) = (client.authorization(), client.proof(&bench, "/me", "1"));
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    let answer = get(address, "/me", &headers).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (401, &"invalid_token".into()));
    let without = get(address, "/me", &[]).await;
    let challenges: Vec<_> = without.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 2, "{challenges:?}");
}

#[tokio::test]
async fn a_proof_is_accepted_for_a_minute_and_is_remembered_as_long() {
    let bench = bench();
    let address = serve(app(&bench, dpop(&bench))).await;
    let client = Client::new(&bench).await;
    let authorization = client.authorization();
    let (first, second) = (client.proof(&bench, "/me", "1"), client.proof(&bench, "/me", "2"));
    let ask = async |proof: &str| {
        let headers = [("authorization", authorization.as_str()), ("dpop", proof)];
        get(address, "/me", &headers).await.status.as_u16()
    };
    assert_eq!(ask(&first).await, 200);
    for _ in 0..13 {
        bench.clock.advance(Ttl::from_secs(5));
        assert_eq!(ask(&first).await, 401);
    }
    assert_eq!(ask(&second).await, 200, "a minute and the clock skew");
    bench.clock.advance(Ttl::from_secs(1));
    assert_eq!(ask(&client.proof(&bench, "/me", "3")).await, 200);
    for _ in 0..100 {
        bench.clock.advance(Ttl::from_secs(1));
        assert_eq!(ask(&second).await, 401);
    }
}

#[tokio::test]
async fn where_a_nonce_is_demanded_a_proof_without_it_is_refused_and_told_the_nonce() {
    let bench = bench();
    let address = serve(app(&bench, dpop(&bench).require_nonce())).await;
    let client = Client::new(&bench).await;
    let authorization = client.authorization();
    let token = client.issued.bearer.expose();
    let uri = format!("{ORIGIN}/me");
    let without = client.proof(&bench, "/me", "1");
    let headers = [("authorization", authorization.as_str()), ("dpop", &without)];
    let answer = get(address, "/me", &headers).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (401, &"use_dpop_nonce".into()));
    let nonce = answer.header("dpop-nonce").to_owned();
    assert!(!nonce.is_empty());
    let proof = client.proof_for(&bench, &uri, "2", Some(&nonce), token);
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    assert_eq!(get(address, "/me", &headers).await.status, 200);
    bench.clock.advance(Ttl::from_mins(5));
    let stale = client.proof_for(&bench, &uri, "3", Some(&nonce), token);
    let headers = [("authorization", authorization.as_str()), ("dpop", &stale)];
    let answer = get(address, "/me", &headers).await;
    assert_eq!(answer.json()["code"], "use_dpop_nonce");
    assert_ne!(answer.header("dpop-nonce"), nonce);
}

#[tokio::test]
async fn a_proof_from_before_the_process_began_is_refused() {
    let bench = bench();
    let client = Client::new(&bench).await;
    let before = client.proof(&bench, "/me", "1");
    bench.clock.advance(Ttl::from_secs(2));
    let address = serve(app(&bench, dpop(&bench))).await;
    let authorization = client.authorization();
    let headers = [("authorization", authorization.as_str()), ("dpop", &before)];
    assert_eq!(get(address, "/me", &headers).await.json()["code"], "invalid_dpop_proof");
}

/// The store may forget a proof when its time has ended by the clock of the store, so that one decides.
#[tokio::test]
async fn a_proof_that_has_ended_by_the_clock_of_the_store_of_used_proofs_is_refused() {
    let bench = bench();
    let clock_of_store = ManualClock::new(bench.manager.now());
    let used = LocalLimits::with(1_000, clock_of_store.clone());
    let dpop = Dpop::new(&bench.manager, used).unwrap();
    let address = serve(app(&bench, dpop.clone())).await;
    let client = Client::new(&bench).await;
    let authorization = client.authorization();
    let ask = async |jti: &str| {
        let proof = client.proof(&bench, "/me", jti);
        let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
        get(address, "/me", &headers).await
    };
    // A minute and the clock skew: as old as a proof may be.
    clock_of_store.advance(Ttl::from_secs(65));
    assert_eq!(ask("1").await.status, 200);
    clock_of_store.advance(Ttl::from_secs(5));
    let answer = ask("2").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (401, &"invalid_dpop_proof".into())
    );
    let uri = format!("{ORIGIN}/me").parse().unwrap();
    let token = client.issued.bearer.expose();
    let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(token) };
    let proof = client.proof(&bench, "/me", "3");
    let proof = dpop.check(&proof, &request).expect("it is new by the clock of the node");
    assert_eq!(dpop.use_up(&proof).await, Err(NoProof::Bad(BadProof::TooOld)));
    assert_eq!(bench.metrics.value("keyfob_proofs_total", ["proof_too_old"]), 2.0);
}

#[tokio::test]
async fn managers_of_one_store_accept_the_nonces_of_each_other_and_no_proof_twice() {
    let first = bench();
    let second = TokenManager::builder(Arc::clone(&first.store) as Arc<dyn keyfob::Store>)
        .clock(first.clock.clone())
        .build();
    let used = Arc::new(LocalLimits::with(1_000, first.clock.clone()));
    let node =
        |manager: &TokenManager| Dpop::new(manager, Arc::clone(&used)).unwrap().require_nonce();
    let (one, two) = (node(&first.manager), node(&second));
    let stranger = node(&bench().manager);
    let (key, uri) = (ProofKey::generate().unwrap(), ORIGIN.parse().unwrap());
    let request = ProofRequest { method: "GET", uri: &uri, access_token: None };
    for (jti, from, to) in [("1", &one, &two), ("2", &two, &one)] {
        let nonce = from.nonce().unwrap();
        let proof = key.sign(&request, jti, nonce.to_str().ok(), first.manager.now()).unwrap();
        assert_eq!(stranger.check(&proof, &request), Err(NoProof::Nonce));
        let checked = to.check(&proof, &request).unwrap();
        to.use_up(&checked).await.unwrap();
        let again = from.check(&proof, &request).unwrap();
        assert_eq!(from.use_up(&again).await, Err(NoProof::Used));
    }
}

/// A store of limits that is away.
#[derive(Debug, Default)]
struct Away(AtomicBool);

#[async_trait]
impl LimitStore for Away {
    async fn charge(&self, _: &[Charge]) -> Result<Charged, StoreError> {
        self.0.store(true, Ordering::Relaxed);
        Err(StoreError::unavailable("away"))
    }
}

#[tokio::test]
async fn a_proof_that_cannot_be_remembered_does_not_count() {
    let bench = bench();
    let away = Arc::new(Away::default());
    let dpop = Dpop::new(&bench.manager, Arc::clone(&away)).unwrap();
    let address = serve(app(&bench, dpop)).await;
    let client = Client::new(&bench).await;
    let (authorization, proof) = (client.authorization(), client.proof(&bench, "/me", "1"));
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    let answer = get(address, "/me", &headers).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    assert!(away.0.load(Ordering::Relaxed));
}

#[tokio::test]
async fn every_proof_is_counted_once_by_what_became_of_it() {
    let bench = bench();
    let address = serve(app(&bench, dpop(&bench).require_nonce())).await;
    let client = Client::new(&bench).await;
    let authorization = client.authorization();
    let ask = async |path: &str, proofs: &[&str]| {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        get(address, path, &headers).await
    };
    let without = client.proof(&bench, "/me", "1");
    let nonce = ask("/me", &[&without]).await.header("dpop-nonce").to_owned();
    let (uri, token) = (format!("{ORIGIN}/me"), client.issued.bearer.expose());
    let good = client.proof_for(&bench, &uri, "2", Some(&nonce), token);
    assert_eq!(ask("/me", &[&good]).await.status, 200);
    for (path, proofs) in [
        ("/me", &[&*good][..]),
        ("/me", &[]),
        ("/me", &[&*good, &*good]),
        ("/api/me", &[&*good]),
        ("/me", &["nonsense"]),
    ] {
        assert_eq!(ask(path, proofs).await.status, 401, "{path} {proofs:?}");
    }
    // A token that needs no proof counts none.
    let free = bearer(&bench.access().await);
    assert_eq!(get(address, "/me", &[("authorization", &free)]).await.status, 200);
    let count = |outcome| bench.metrics.value("keyfob_proofs_total", [outcome]);
    for (outcome, expected) in [
        ("use_dpop_nonce", 1.0),
        ("accepted", 1.0),
        ("proof_used", 1.0),
        ("proof_header", 2.0),
        ("proof_uri", 1.0),
        ("proof_malformed", 1.0),
    ] {
        assert_eq!(count(outcome), expected, "{outcome}");
    }
    assert_eq!(bench.metrics.sum("keyfob_proofs_total"), 7.0);
}
