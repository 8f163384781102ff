//! Access tokens that are signed and wrong in one thing each.

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::json;

use super::*;
use crate::key::BadSignature;
use crate::signing::SigningAlgorithm;

const NOW: u64 = 1_700_000_000;

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::derive(&[1; 32], algorithm).unwrap()
}

fn keys() -> KeySet {
    KeySet::new(SigningAlgorithm::ALL.map(|algorithm| key(algorithm).public().clone()))
}

fn claims() -> Value {
    json!({
        "iss": "https://tokens.example",
        "sub": "alice",
        "aud": "https://orders.example",
        "exp": NOW + 900,
        "iat": NOW,
        "jti": "tok_00d1h88n000000000000000001",
        "client_id": "web",
        "scope": "read write",
        "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" },
        "act": { "sub": "agent" },
        "status": { "status_list": { "idx": 7, "uri": "https://tokens.example/status-lists/a" } },
        "plan": "team",
    })
}

fn policy() -> AccessTokenPolicy<'static> {
    AccessTokenPolicy {
        issuer: "https://tokens.example",
        audience: Some("https://orders.example"),
        clock_skew: Ttl::from_secs(5),
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn a_signed_token_is_read_back() {
    for algorithm in SigningAlgorithm::ALL {
        let token: AccessToken = serde_json::from_value(claims()).unwrap();
        let (read, by) = (token.sign(&key(algorithm)).unwrap(), keys());
        let (read, by) = open(&read, &by).unwrap();
        assert_eq!(read, token);
        assert_eq!(by.algorithm(), algorithm.algorithm());
        assert_eq!(serde_json::to_value(&read).unwrap(), claims());
        assert_eq!(read.private["plan"], "team");
        assert_eq!(read.check(&policy(), at(NOW)), Ok(()));
    }
}

#[test]
fn a_token_for_others_or_out_of_time_is_refused() {
    let outcome = |change: fn(&mut Value), now: u64| {
        let mut claims = claims();
        change(&mut claims);
        serde_json::from_value::<AccessToken>(claims).unwrap().check(&policy(), at(now))
    };
    let none = |_: &mut Value| {};
    assert_eq!(outcome(none, NOW + 904), Ok(()), "within the skew");
    assert_eq!(outcome(none, NOW + 905), Err(Refused::Expired));
    assert_eq!(outcome(none, NOW - 5), Ok(()));
    assert_eq!(outcome(none, NOW - 6), Err(Refused::NotYet));
    assert_eq!(outcome(|c| c["nbf"] = (NOW + 60).into(), NOW), Err(Refused::NotYet));
    assert_eq!(outcome(|c| c["iss"] = "https://other.example".into(), NOW), Err(Refused::Issuer));
    assert_eq!(outcome(|c| c["aud"] = "https://shop.example".into(), NOW), Err(Refused::Audience));
    let both = |c: &mut Value| c["aud"] = json!(["https://shop.example", "https://orders.example"]);
    assert_eq!(outcome(both, NOW), Ok(()));
    assert_eq!(outcome(|c| c["aud"] = json!([]), NOW), Err(Refused::Audience));
}

/// Signs any header and claims with the key on P-256.
fn signed(header: &Value, claims: &Value) -> String {
    key(SigningAlgorithm::Es256).sign_parts(header, claims)
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": TYPE, "kid": key(SigningAlgorithm::Es256).kid() })
}

#[test]
fn attacks_on_the_header_are_refused() {
    type Change = fn(&mut Value);
    let other = SigningKey::derive(&[2; 32], SigningAlgorithm::Es256).unwrap();
    let cases: [(Change, NotSigned); 9] = [
        (|h| h["alg"] = "none".into(), Malformed::Header.into()),
        (|h| h["alg"] = "None".into(), Malformed::Header.into()),
        (|h| h["alg"] = "HS256".into(), Malformed::Header.into()),
        (|h| h["alg"] = "EdDSA".into(), NotSigned::Algorithm),
        (|h| h["alg"] = "RS256".into(), NotSigned::Algorithm),
        (|h| h["typ"] = "JWT".into(), NotSigned::Type),
        (|h| h["typ"] = "statuslist+jwt".into(), NotSigned::Type),
        (|h| h["crit"] = json!(["b64"]), NotSigned::Critical),
        (|h| h["kid"] = key(SigningAlgorithm::EdDsa).kid().into(), NotSigned::Algorithm),
    ];
    for (change, expected) in cases {
        let mut header = header();
        change(&mut header);
        assert_eq!(open(&signed(&header, &claims()), &keys()).unwrap_err(), expected, "{header}");
    }
    let mut named = header();
    named["kid"] = other.kid().into();
    assert_eq!(open(&signed(&named, &claims()), &keys()).unwrap_err(), NotSigned::UnknownKey);
    // The key of somebody else under the name of ours.
    let forged = other.sign_parts(&header(), &claims());
    assert_eq!(open(&forged, &keys()).unwrap_err(), BadSignature.into());
    // A key in the header is not looked at.
    let mut brought = header();
    brought["jwk"] = serde_json::to_value(other.public()).unwrap();
    let forged = other.sign_parts(&brought, &claims());
    assert_eq!(open(&forged, &keys()).unwrap_err(), BadSignature.into());
}

#[test]
fn a_public_key_is_no_secret_of_an_hmac() {
    let public = serde_json::to_vec(key(SigningAlgorithm::Es256).public()).unwrap();
    let mut header = header();
    header["alg"] = "HS256".into();
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&claims()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), signed.as_bytes());
    let text = format!("{signed}.{}", Base64UrlUnpadded::encode_string(tag.as_ref()));
    assert_eq!(open(&text, &keys()).unwrap_err(), Malformed::Header.into());
    let none = format!("{signed}.");
    assert_eq!(open(&none, &keys()).unwrap_err(), Malformed::Header.into());
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let text = signed(&header(), &claims());
    for place in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(open(&changed, &keys()).is_err(), "{place}");
    }
}

#[test]
fn claims_that_are_missing_twice_or_out_of_range_are_refused() {
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let refused = open(&signed(&header(), &claims), &keys()).unwrap_err();
        assert_eq!(refused, Malformed::Payload.into(), "{name}");
    }
    for value in [json!(-1), json!(1.5), json!(u64::MAX), json!("1700000000")] {
        let mut claims = claims();
        claims["exp"] = value;
        let refused = open(&signed(&header(), &claims), &keys()).unwrap_err();
        assert_eq!(refused, Malformed::Payload.into());
    }
}
