//! Proofs that are signed and wrong in one thing each.

use serde_json::{Value, json};

use super::*;
use crate::dpop::{BadProof, ProofPolicy, TargetUri, verify};
use crate::jws::Malformed;
use crate::key::{BadKey, BadSignature};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &str = "fob_at_token";

fn uri() -> TargetUri {
    "https://example.org/orders".parse().unwrap()
}

/// Verifies a proof of a request to `uri` with `TOKEN`, after a change of header and payload.
fn outcome(change: impl FnOnce(&mut Value, &mut Value)) -> Result<Confirmation, BadProof> {
    let key = ProofKey::generate().unwrap();
    let digest = digest::digest(&digest::SHA256, TOKEN.as_bytes());
    let mut header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": { "kty": "EC", "crv": "P-256", "x": key.x, "y": key.y },
    });
    let mut payload = json!({
        "jti": "one",
        "htm": "GET",
        "htu": "https://example.org/orders",
        "iat": NOW.as_secs(),
        "ath": Base64UrlUnpadded::encode_string(digest.as_ref()),
    });
    change(&mut header, &mut payload);
    let proof = key.sign_json(&header, &payload).unwrap();
    let uri = uri();
    let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(TOKEN) };
    verify(&proof, &request, &ProofPolicy::default(), NOW).map(|proof| proof.key)
}

#[test]
fn a_proof_that_says_what_it_has_to_is_valid() {
    assert!(outcome(|_, _| {}).is_ok());
    assert!(outcome(|header, _| header["typ"] = "DPoP+JWT".into()).is_ok());
    assert!(
        outcome(|_, payload| payload["htu"] = "https://EXAMPLE.org:443/orders?a=b".into()).is_ok()
    );
    assert!(outcome(|_, payload| payload["iat"] = (NOW.as_secs() as f64 + 0.5).into()).is_ok());
    assert!(outcome(|_, payload| payload["more"] = json!({ "a": [1] })).is_ok());
}

#[test]
fn a_proof_that_is_wrong_in_one_thing_is_refused() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, BadProof); 22] = [
        (|header, _| header["typ"] = "JWT".into(), BadProof::Type),
        (|header, _| header["alg"] = "none".into(), Malformed::Header.into()),
        (|header, _| header["alg"] = "HS256".into(), Malformed::Header.into()),
        (|header, _| header["alg"] = "RS256".into(), BadKey::OtherUse.into()),
        (|header, _| header["crit"] = json!(["b64"]), BadProof::Critical),
        (|header, _| header["jwk"]["d"] = "AAAA".into(), BadKey::Private.into()),
        (|header, _| header["jwk"]["x"] = header["jwk"]["y"].clone(), BadSignature.into()),
        (|header, _| drop(header.as_object_mut().unwrap().remove("jwk")), Malformed::Header.into()),
        (
            |_, payload| drop(payload.as_object_mut().unwrap().remove("jti")),
            Malformed::Payload.into(),
        ),
        (|_, payload| payload["jti"] = "".into(), BadProof::Id),
        (|_, payload| payload["jti"] = "x".repeat(257).into(), BadProof::Id),
        (|_, payload| payload["htm"] = "POST".into(), BadProof::Method),
        (|_, payload| payload["htm"] = "get".into(), BadProof::Method),
        (|_, payload| payload["htu"] = "https://example.org/order".into(), BadProof::Uri),
        (|_, payload| payload["htu"] = "http://example.org/orders".into(), BadProof::Uri),
        (|_, payload| payload["htu"] = "/orders".into(), BadProof::Uri),
        (|_, payload| payload["iat"] = (NOW.as_secs() - 66).into(), BadProof::TooOld),
        (|_, payload| payload["iat"] = (NOW.as_secs() + 6).into(), BadProof::InFuture),
        (|_, payload| payload["iat"] = (-1).into(), Malformed::Payload.into()),
        (|_, payload| payload["iat"] = u64::MAX.into(), Malformed::Payload.into()),
        (|_, payload| payload["ath"] = "AAAA".into(), BadProof::AccessToken),
        (|_, payload| drop(payload.as_object_mut().unwrap().remove("ath")), BadProof::AccessToken),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(outcome(change).unwrap_err(), expected, "case {number}");
    }
}

#[test]
fn a_proof_that_was_changed_after_it_was_signed_is_refused() {
    let key = ProofKey::generate().unwrap();
    let uri = uri();
    let request = ProofRequest { method: "GET", uri: &uri, access_token: None };
    let proof = key.sign(&request, "one", None, NOW).unwrap();
    let later = key.sign(&request, "two", None, NOW).unwrap();
    let (signed, _) = proof.rsplit_once('.').unwrap();
    let (_, other) = later.rsplit_once('.').unwrap();
    let policy = ProofPolicy::default();
    for signature in [other, "", "AAAA"] {
        let forged = format!("{signed}.{signature}");
        let refused = verify(&forged, &request, &policy, NOW).unwrap_err();
        assert_eq!(refused, BadProof::Signature(BadSignature));
    }
}

#[test]
fn the_id_of_a_proof_depends_on_key_and_jti_alone() {
    let (one, other) = (ProofKey::generate().unwrap(), ProofKey::generate().unwrap());
    let uri = uri();
    let request = ProofRequest { method: "GET", uri: &uri, access_token: None };
    let id = |key: &ProofKey, jti, nonce, at| {
        let proof = key.sign(&request, jti, nonce, at).unwrap();
        verify(&proof, &request, &ProofPolicy::default(), NOW).unwrap().id
    };
    let first = id(&one, "one", None, NOW);
    assert_eq!(id(&one, "one", Some("n"), Timestamp::from_secs(NOW.as_secs() - 1)), first);
    assert_ne!(id(&one, "two", None, NOW), first);
    assert_ne!(id(&other, "one", None, NOW), first);
}
