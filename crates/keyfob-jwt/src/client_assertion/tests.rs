//! What is accepted, and every refusal.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::*;
use crate::signing::SigningAlgorithm;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://tokens.example";
const TOKEN_ENDPOINT: &str = "https://tokens.example/oauth2/token";
const POLICY: AssertionPolicy<'_> = AssertionPolicy::new(&[ISSUER, TOKEN_ENDPOINT]);

fn signing(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::derive(&[3; 32], algorithm).unwrap()
}

fn public(key: &SigningKey) -> AssertionKey {
    AssertionKey::parse(&serde_json::to_string(key.public()).unwrap()).unwrap()
}

fn header(alg: &str) -> Value {
    json!({ "alg": alg, "kid": "key-1" })
}

fn claims() -> Value {
    json!({
        "iss": "shop", "sub": "shop", "aud": ISSUER, "jti": "a", "exp": NOW + 60, "iat": NOW, "nbf": NOW,
    })
}

fn accept(text: &str, key: &AssertionKey) -> Result<ProvenAssertion, BadAssertion> {
    let assertion = ClientAssertion::parse(text)?;
    assertion.check(&POLICY, Timestamp::from_secs(NOW))?;
    assertion.verify(key, &POLICY)
}

fn compact(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| Base64UrlUnpadded::encode_string(json.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

/// The outcome with other members, signed by the right key.
fn outcome(change: impl FnOnce(&mut Value, &mut Value)) -> Result<ProvenAssertion, BadAssertion> {
    let key = signing(SigningAlgorithm::Es256);
    let (mut header, mut claims) = (header("ES256"), claims());
    change(&mut header, &mut claims);
    accept(&key.sign_parts(&header, &claims), &public(&key))
}

#[test]
fn an_assertion_for_this_server_is_accepted() {
    for algorithm in SigningAlgorithm::ALL {
        let key = signing(algorithm);
        let (kid, now) = ("key-1", Timestamp::from_secs(NOW));
        let new = NewAssertion { kid, client: "shop", audience: TOKEN_ENDPOINT, jti: "a" };
        let text = new.sign(&key, now).unwrap();
        let assertion = ClientAssertion::parse(&text).unwrap();
        assert_eq!((assertion.client(), assertion.kid()), ("shop", "key-1"));
        let proven = accept(&text, &public(&key)).unwrap();
        assert_eq!((proven.made_at, proven.expires_at.as_secs()), (now, NOW + 60));
    }
    for typ in ["JWT", "jwt", "client-authentication+jwt"] {
        assert!(outcome(|header, _| header["typ"] = typ.into()).is_ok(), "{typ}");
    }
    let without =
        outcome(|_, claims| claims.as_object_mut().unwrap().retain(|name, _| name != "iat"));
    // It may have been made as long ago as an assertion may live.
    assert_eq!(without.unwrap().made_at.as_secs(), NOW + 60 - 305);
    assert!(outcome(|_, claims| claims["exp"] = (NOW as f64 + 0.5).into()).is_ok());
}

#[test]
fn an_id_belongs_to_a_key() {
    let id = |seed: u8, jti: &str| {
        let key = SigningKey::derive(&[seed; 32], SigningAlgorithm::EdDsa).unwrap();
        let mut claims = claims();
        claims["jti"] = jti.into();
        accept(&key.sign_parts(&header("EdDSA"), &claims), &public(&key)).unwrap().id
    };
    assert_eq!(id(1, "a"), id(1, "a"));
    assert_ne!(id(1, "a"), id(1, "b"));
    assert_ne!(id(1, "a"), id(2, "a"));
}

#[test]
fn every_member_is_checked() {
    use BadAssertion::*;
    let long = "x".repeat(257);
    let cases: [(&str, Value, BadAssertion); 23] = [
        ("iss", json!("bank"), Client),
        ("sub", json!("bank"), Client),
        ("sub", json!(null), Malformed),
        ("aud", json!("https://other.example"), Audience),
        ("aud", json!("https://tokens.example/"), Audience),
        ("aud", json!([ISSUER]), Audience),
        ("aud", json!([ISSUER, "https://other.example"]), Audience),
        ("aud", json!({}), Audience),
        ("aud", json!(null), Audience),
        ("exp", json!(NOW - 5), Expired),
        ("exp", json!(0), Expired),
        ("exp", json!(NOW + 306), LivesTooLong),
        ("exp", json!(253_402_300_799_u64), LivesTooLong),
        ("exp", json!(-1), Malformed),
        ("exp", json!(1e300), Malformed),
        ("exp", json!("1800000060"), Malformed),
        ("exp", json!(null), Malformed),
        ("iat", json!(NOW + 6), InFuture),
        ("nbf", json!(NOW + 6), InFuture),
        ("nbf", json!("now"), Malformed),
        ("jti", json!(""), Id),
        ("jti", json!(long), Id),
        ("jti", json!(7), Malformed),
    ];
    for (name, value, expected) in cases {
        let refused = outcome(|_, claims| claims[name] = value.clone()).unwrap_err();
        assert_eq!(refused, expected, "{name}: {value}");
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let left_out = outcome(|_, claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        assert!(left_out.is_err(), "{name}");
    }
    let cases: [(&str, Value, BadAssertion); 9] = [
        ("typ", json!("at+jwt"), Type),
        ("typ", json!("dpop+jwt"), Type),
        ("crit", json!(["exp"]), Critical),
        ("kid", json!(null), Malformed),
        ("alg", json!("none"), Malformed),
        ("alg", json!("HS256"), Malformed),
        ("alg", json!("ES384"), Key),
        ("alg", json!("RS256"), Key),
        ("alg", json!("EdDSA"), Key),
    ];
    for (name, value, expected) in cases {
        let refused = outcome(|header, _| header[name] = value.clone()).unwrap_err();
        assert_eq!(refused, expected, "{name}: {value}");
    }
}

#[test]
fn the_borders_of_time_are_as_they_are_said() {
    let at = |exp: u64| outcome(|_, claims| claims["exp"] = exp.into()).map(|_| ());
    assert_eq!(at(NOW - 4), Ok(()));
    assert_eq!(at(NOW + 305), Ok(()));
    assert_eq!(outcome(|_, claims| claims["iat"] = (NOW + 5).into()).map(|_| ()), Ok(()));
    let end = |now: u64| {
        let proven = outcome(|_, _| ()).unwrap();
        proven.check_end(&POLICY, Timestamp::from_secs(now))
    };
    assert_eq!(end(NOW + 64), Ok(()));
    assert_eq!(end(NOW + 65), Err(BadAssertion::Expired));
    // By the clock of the store it may live too long.
    assert_eq!(end(NOW - 245), Ok(()));
    assert_eq!(end(NOW - 246), Err(BadAssertion::LivesTooLong));
    assert_eq!(POLICY.window(), Ttl::from_secs(310));
}

#[test]
fn keys_of_every_kind_sign_with_their_own_algorithm_alone() {
    let random = SystemRandom::new();
    let text = Base64UrlUnpadded::encode_string;
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let point = p384.public_key().as_ref();
    let jwk = json!({
        "kty": "EC", "crv": "P-384", "x": text(&point[1..49]), "y": text(&point[49..]), "alg": "ES384",
    });
    let key = AssertionKey::parse(&jwk.to_string()).unwrap();
    let signed = compact(&header("ES384"), &claims());
    let signature = p384.sign(&random, signed.as_bytes()).unwrap();
    assert!(accept(&format!("{signed}.{}", text(signature.as_ref())), &key).is_ok());

    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let of = |alg: &str| {
        // DER: the heads of a sequence and of a number, the modulus, then the exponent 65,537.
        let der = rsa.public_key().as_ref();
        let (n, e) = (text(&der[9..265]), text(&der[267..270]));
        AssertionKey::parse(&json!({ "kty": "RSA", "n": n, "e": e, "alg": alg }).to_string())
            .unwrap()
    };
    let sign = |alg: &str, encoding: &'static dyn RsaEncoding| {
        let signed = compact(&header(alg), &claims());
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(encoding, &random, signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", text(&signature))
    };
    let by = [("RS256", &RSA_PKCS1_SHA256 as &'static dyn RsaEncoding), ("PS256", &RSA_PSS_SHA256)];
    for (alg, encoding) in by {
        assert!(accept(&sign(alg, encoding), &of(alg)).is_ok(), "{alg}");
        let other = if alg == "RS256" { "PS256" } else { "RS256" };
        assert_eq!(accept(&sign(alg, encoding), &of(other)), Err(BadAssertion::Key), "{alg}");
    }
}

#[test]
fn the_public_key_is_no_secret_of_an_hmac() {
    let key = signing(SigningAlgorithm::Es256);
    let public_jwk = serde_json::to_string(key.public()).unwrap();
    for alg in ["HS256", "none", "None", "ES256"] {
        let signed = compact(&header(alg), &claims());
        let secret = hmac::Key::new(hmac::HMAC_SHA256, public_jwk.as_bytes());
        let tag = hmac::sign(&secret, signed.as_bytes());
        let tag = Base64UrlUnpadded::encode_string(tag.as_ref());
        for text in [format!("{signed}.{tag}"), format!("{signed}.")] {
            let refused = accept(&text, &public(&key)).unwrap_err();
            assert!(matches!(refused, BadAssertion::Malformed | BadAssertion::Key), "{alg}");
        }
    }
    // A key in the header says nothing.
    let thief = SigningKey::derive(&[4; 32], SigningAlgorithm::Es256).unwrap();
    let mut with_key = header("ES256");
    with_key["jwk"] = serde_json::to_value(thief.public()).unwrap();
    let stolen = thief.sign_parts(&with_key, &claims());
    assert_eq!(accept(&stolen, &public(&key)), Err(BadAssertion::Key));
    assert!(AssertionKey::parse(r#"{"kty":"oct","k":"AAAA","alg":"HS256"}"#).is_err());
}

#[test]
fn text_that_is_too_long_or_no_jwt_is_malformed() {
    let padded = outcome(|_, claims| claims["more"] = "x".repeat(MAX_BYTES).into());
    assert_eq!(padded, Err(BadAssertion::Malformed));
    for text in ["", "a.b", "a.b.c", "e30.e30.", "e30.W10.e30"] {
        assert_eq!(ClientAssertion::parse(text).unwrap_err(), BadAssertion::Malformed, "{text}");
    }
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    let codes: std::collections::BTreeSet<_> =
        BadAssertion::ALL.iter().map(|bad| bad.code()).collect();
    assert_eq!(codes.len(), BadAssertion::ALL.len());
    for bad in BadAssertion::ALL {
        let message = bad.message();
        assert!(bad.code().starts_with("assertion_"), "{message}");
        // The characters of RFC 6749 section 5.2.
        assert!(
            message.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\".contains(&byte))
        );
    }
}
