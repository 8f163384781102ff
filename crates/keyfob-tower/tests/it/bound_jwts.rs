//! JWTs that are bound to a key, in a service without a manager.

use http::HeaderMap;
use keyfob::clock::Clock as _;
use keyfob::{LocalLimits, Metrics};
use keyfob_jwt::access_token::AccessToken;
use keyfob_jwt::dpop::{ProofKey, ProofRequest};
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_tower::dpop::{Dpop, TargetUri};
use keyfob_tower::jwt::{JwtVerifier, Verified};
use keyfob_tower::{ErrorResponse, PresentedBearer};

use crate::jwt::{Issuer, jwt, token};

const URI: &str = "https://orders.example/orders";

/// A service that has the keys and the status lists of an issuer, and no store.
struct Service {
    issuer: Issuer,
    tokens: JwtVerifier,
    proofs: Dpop,
}

impl Service {
    fn new() -> Self {
        let issuer = Issuer::new();
        let (tokens, proofs) = (issuer.verifier(), proofs(&issuer, 1));
        Self { issuer, tokens, proofs }
    }

    async fn check(&self, headers: &HeaderMap) -> Result<Verified, ErrorResponse> {
        let uri: TargetUri = URI.parse().unwrap();
        let presented = PresentedBearer::read(headers, "", None)?;
        let presented = presented.ok_or_else(ErrorResponse::unauthenticated)?;
        let token = presented.bearer();
        let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(token) };
        let proof = self.proofs.proof_of(&presented, headers, &request)?;
        let key = proof.as_ref().map(|proof| &proof.key);
        let verified = self.tokens.verify_with(token, key).await?;
        if let Some(proof) = &proof {
            self.proofs.accept_jwt(proof, &verified).await?;
        }
        Ok(verified)
    }

    /// The status and the code of the answer.
    async fn answer(&self, headers: &HeaderMap) -> (u16, String) {
        match self.check(headers).await {
            Ok(verified) => (200, verified.subject.unwrap()),
            Err(refused) => (refused.status().as_u16(), refused.code().to_owned()),
        }
    }

    /// A proof for a request with a JWT.
    fn proof(&self, key: &ProofKey, token: &str, jti: &str, nonce: Option<&str>) -> String {
        let uri = URI.parse().unwrap();
        let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(token) };
        key.sign(&request, jti, nonce, self.issuer.clock.now()).unwrap()
    }
}

fn proofs(issuer: &Issuer, nonce_key: u8) -> Dpop {
    let used = LocalLimits::with(1_000, issuer.clock.clone());
    Dpop::with(issuer.clock.clone(), &[nonce_key; 32], used).unwrap()
}

fn headers(scheme: &str, token: &str, proofs: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("{scheme} {token}").parse().unwrap());
    for proof in proofs {
        headers.append("dpop", proof.parse().unwrap());
    }
    headers
}

fn bound_to(key: &ProofKey) -> String {
    jwt(&AccessToken { cnf: Some(key.confirmation()), ..token() })
}

fn refused(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

#[tokio::test]
async fn a_bound_jwt_passes_with_a_proof_of_its_key_and_each_proof_counts_once() {
    let service = Service::new();
    let [owner, thief] = [(); 2].map(|()| ProofKey::generate().unwrap());
    let bound = bound_to(&owner);
    let good = service.proof(&owner, &bound, "1", None);
    let by_thief = service.proof(&thief, &bound, "1", None);
    let for_other = service.proof(&owner, "another", "1", None);
    for (scheme, proofs, code) in [
        ("Bearer", &[][..], "invalid_token"),
        ("Bearer", &[&*good], "invalid_token"),
        ("DPoP", &[], "invalid_dpop_proof"),
        ("DPoP", &[&*by_thief], "invalid_token"),
        ("DPoP", &[&*for_other], "invalid_dpop_proof"),
        ("DPoP", &[&*good, &*good], "invalid_dpop_proof"),
    ] {
        let answer = service.answer(&headers(scheme, &bound, proofs)).await;
        assert_eq!(answer, refused(code), "{scheme} {proofs:?}");
    }
    // None of these used up what the owner has.
    let request = headers("DPoP", &bound, &[&good]);
    assert_eq!(service.answer(&request).await, (200, "alice".to_owned()));
    assert_eq!(service.answer(&request).await, refused("invalid_dpop_proof"));
    let next = service.proof(&owner, &bound, "2", None);
    assert_eq!(service.answer(&headers("DPoP", &bound, &[&next])).await.0, 200);
}

#[tokio::test]
async fn a_jwt_without_a_key_needs_no_proof_and_is_no_dpop_token() {
    let service = Service::new();
    let (key, free) = (ProofKey::generate().unwrap(), jwt(&token()));
    assert_eq!(service.answer(&headers("Bearer", &free, &[])).await.0, 200);
    let proof = service.proof(&key, &free, "1", None);
    let answer = service.answer(&headers("DPoP", &free, &[&proof])).await;
    assert_eq!(answer, refused("invalid_token"));
}

#[tokio::test]
async fn nodes_with_the_same_nonce_key_accept_the_nonces_of_each_other() {
    let mut service = Service::new();
    let key = ProofKey::generate().unwrap();
    let bound = bound_to(&key);
    let other = proofs(&service.issuer, 1).require_nonce().nonce().unwrap();
    let foreign = proofs(&service.issuer, 2).require_nonce().nonce().unwrap();
    service.proofs = service.proofs.require_nonce();
    for (jti, nonce, expected) in [
        ("1", None, refused("use_dpop_nonce")),
        ("2", Some(&foreign), refused("use_dpop_nonce")),
        ("3", Some(&other), (200, "alice".to_owned())),
    ] {
        let nonce = nonce.map(|nonce| nonce.to_str().unwrap());
        let proof = service.proof(&key, &bound, jti, nonce);
        assert_eq!(service.answer(&headers("DPoP", &bound, &[&proof])).await, expected, "{jti}");
    }
}

#[tokio::test]
async fn proofs_without_a_manager_are_counted_where_the_service_says() {
    let recorder = MemoryRecorder::default();
    let mut service = Service::new();
    service.proofs = service.proofs.metrics(&Metrics::on(&recorder));
    let key = ProofKey::generate().unwrap();
    let bound = bound_to(&key);
    let proof = service.proof(&key, &bound, "1", None);
    for _ in 0..3 {
        service.answer(&headers("DPoP", &bound, &[&proof])).await;
    }
    let count = |outcome| recorder.value("keyfob_proofs_total", [outcome]);
    assert_eq!((count("accepted"), count("proof_used")), (1.0, 2.0));
}
