//! The properties of the parsers for any input. Fuzz targets and tests run them. Each panics if a property is
//! violated, and returns whether the parser accepted the input.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use keyfob_core::time::Timestamp;
use serde_json::Value;

use crate::access_token::{self, AccessToken};
use crate::client_assertion::{AssertionKey, AssertionPolicy, ClientAssertion, NewAssertion};
use crate::dpop::{Proof, ProofKey, ProofPolicy, ProofRequest, TargetUri, verify};
use crate::key_set::{KeySet, MAX_KEYS};
use crate::signing::{SigningAlgorithm, SigningKey};
use crate::status_list::{self, MAX_TOKENS, StatusList};

/// The request that the proofs are for.
const METHOD: &str = "GET";
const URI: &str = "https://resource.example.org/protectedresource";
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const NOW: u64 = 1_562_262_618;

/// The proof of RFC 9449 section 7.1, figure 13.
pub const FIGURE_13: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

/// Text that is accepted as a proof says what the proof of RFC 9449 says: nobody else has its key.
pub fn proof(bytes: &[u8]) -> bool {
    static OF_RFC_9449: LazyLock<Proof> =
        LazyLock::new(|| verified(FIGURE_13).expect("the proof of RFC 9449 is valid"));
    let text = String::from_utf8_lossy(bytes);
    let Some(proof) = verified(&text) else { return false };
    says_all_that_it_has_to(&text, &proof);
    if proof.key == OF_RFC_9449.key {
        assert_eq!(proof, *OF_RFC_9449, "a proof was changed and is accepted");
    }
    true
}

/// A line is the header of a proof, the rest its payload. Both are signed, with `X` and `Y` in the place of the key, so
/// that the code after the signature is reached. What is accepted says all that it has to, read in another way.
pub fn signed_proof(bytes: &[u8]) -> bool {
    static KEY: LazyLock<ProofKey> = LazyLock::new(|| ProofKey::generate().expect("a key"));
    let text = String::from_utf8_lossy(bytes);
    let Some((header, payload)) = text.split_once('\n') else { return false };
    let header = header.replace(r#""X""#, &format!("\"{}\"", KEY.x));
    let header = header.replace(r#""Y""#, &format!("\"{}\"", KEY.y));
    let text = KEY.sign_parts(header.as_bytes(), payload.as_bytes()).expect("a signature");
    let Some(proof) = verified(&text) else { return false };
    assert_eq!(proof.key, KEY.confirmation(), "another key was proven than has signed");
    says_all_that_it_has_to(&text, &proof);
    true
}

fn verified(text: &str) -> Option<Proof> {
    let uri = URI.parse().expect("an address");
    let request = ProofRequest { method: METHOD, uri: &uri, access_token: Some(TOKEN) };
    verify(text, &request, &ProofPolicy::default(), Timestamp::from_secs(NOW)).ok()
}

/// Reads an accepted proof as any JSON, and asks for what RFC 9449 section 4.2 demands.
fn says_all_that_it_has_to(text: &str, proof: &Proof) {
    let json = |part: Option<&str>| -> Value {
        let decoded = Base64UrlUnpadded::decode_vec(part.expect("a part")).expect("base64url");
        serde_json::from_slice(&decoded).expect("JSON")
    };
    let mut parts = text.split('.');
    let (header, payload) = (json(parts.next()), json(parts.next()));
    let type_of_jwt = header["typ"].as_str().map(str::to_ascii_lowercase);
    assert_eq!(type_of_jwt.as_deref(), Some("dpop+jwt"));
    assert!(header.get("crit").is_none_or(Value::is_null), "critical extensions: {header}");
    let algorithm = header["alg"].as_str().unwrap_or_default();
    assert!(crate::key::Algorithm::NAMES.contains(&algorithm), "{algorithm:?}");
    assert!(header["jwk"].get("d").is_none_or(Value::is_null), "a private key: {header}");
    assert_eq!(payload["htm"], METHOD);
    let uri = payload["htu"].as_str().expect("an address").parse::<TargetUri>();
    assert_eq!(uri.expect("an address").as_str(), URI);
    let hash = digest::digest(&digest::SHA256, TOKEN.as_bytes());
    assert_eq!(payload["ath"], Base64UrlUnpadded::encode_string(hash.as_ref()));
    let made_at = payload["iat"].as_f64().expect("a time");
    let ProofPolicy { max_age, clock_skew } = ProofPolicy::default();
    let (now, skew) = (NOW as f64, clock_skew.as_secs() as f64);
    // A time is read in whole seconds.
    assert!((now - skew - max_age.as_secs() as f64..=now + skew + 1.0).contains(&made_at));
    assert_eq!(proof.made_at.as_secs(), made_at as u64);
    assert!(!payload["jti"].as_str().expect("a jti").is_empty());
    assert_eq!(proof.nonce.as_deref(), payload["nonce"].as_str());
}

/// An address that is written again is the same, and has nothing that may be written in two ways.
pub fn target_uri(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(uri) = text.parse::<TargetUri>() else { return false };
    assert_eq!(uri.as_str().parse(), Ok(uri.clone()), "{text:?}");
    let (scheme, rest) = uri.as_str().split_once("://").expect("a scheme");
    assert!(["http", "https"].contains(&scheme), "{uri:?}");
    let (authority, path) = rest.split_once('/').expect("a path");
    assert!(!authority.is_empty() && !authority.contains('@'), "{uri:?}");
    assert_eq!(authority, authority.to_ascii_lowercase(), "{uri:?}");
    assert!(!path.contains(['?', '#']), "{uri:?}");
    assert!(!path.split('/').any(|segment| [".", ".."].contains(&segment)), "{uri:?}");
    true
}

/// The key that signs the access tokens.
static ISSUER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::derive(&[1; 32], SigningAlgorithm::EdDsa).expect("a key"));

fn issuer_keys() -> KeySet {
    KeySet::new([ISSUER.public().clone()])
}

/// Returns an access token that is accepted.
pub fn sample_access_token() -> String {
    ISSUER.sign_any(
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, ISSUER.kid()).as_bytes(),
        br#"{"iss":"i","sub":"s","aud":["a","b"],"exp":2,"iat":1,"jti":"j","client_id":"c"}"#,
    )
}

/// Text that is accepted as an access token is the one that the issuer has signed: nobody else has its key.
pub fn access_token(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if access_token::open(&text, &issuer_keys()).is_err() {
        return false;
    }
    assert_eq!(*text, sample_access_token(), "a token was changed and is accepted");
    true
}

/// A line is the header of an access token, the rest its claims. Both are signed, with `K` in the place of the name of the
/// key. What is accepted says all that it has to, read in another way, and is the same when it is signed again.
pub fn signed_access_token(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((header, claims)) = text.split_once('\n') else { return false };
    let header = header.replace(r#""K""#, &format!("\"{}\"", ISSUER.kid()));
    let text = ISSUER.sign_any(header.as_bytes(), claims.as_bytes());
    let keys = issuer_keys();
    let Ok((token, _)) = access_token::open(&text, &keys) else { return false };
    let header: Value = serde_json::from_str(&header).expect("a header");
    let claims: Value = serde_json::from_str(claims).expect("claims");
    let typ = header["typ"].as_str().expect("a type").to_ascii_lowercase();
    assert!(["at+jwt", "application/at+jwt"].contains(&&*typ), "{typ}");
    assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().unwrap_or_default()));
    assert!(header.get("crit").is_none_or(Value::is_null), "critical extensions: {header}");
    assert_eq!(token.exp, claims["exp"].as_u64().expect("a time"));
    assert_eq!(token.jti, claims["jti"].as_str().expect("an id"));
    let again = token.sign(&ISSUER).expect("a signature");
    let (again, _): (AccessToken, _) = access_token::open(&again, &keys).expect("a token");
    assert_eq!(again, token);
    true
}

/// What clients sign their assertions for.
const ASSERTION_POLICY: AssertionPolicy<'_> = AssertionPolicy::new(&["i", "i/oauth2/token"]);

fn accepted_assertion(text: &str) -> Option<String> {
    let key = serde_json::to_string(ISSUER.public()).expect("a key");
    let key = AssertionKey::parse(&key).expect("a key");
    let assertion = ClientAssertion::parse(text).ok()?;
    assertion.check(&ASSERTION_POLICY, Timestamp::from_secs(NOW)).ok()?;
    assertion.verify(&key, &ASSERTION_POLICY).ok()?;
    Some(assertion.client().to_owned())
}

/// Returns an assertion of a client that is accepted.
pub fn sample_client_assertion() -> String {
    let new = NewAssertion { kid: "k", client: "c", audience: "i", jti: "j" };
    new.sign(&ISSUER, Timestamp::from_secs(NOW)).expect("a signature")
}

/// Text that is accepted as an assertion is the one that the client has signed: nobody else has its key.
pub fn client_assertion(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if accepted_assertion(&text).is_none() {
        return false;
    }
    assert_eq!(*text, sample_client_assertion(), "an assertion was changed and is accepted");
    true
}

/// A line is the header of an assertion, the rest its claims. Both are signed. What is accepted says all that it has to,
/// read in another way.
pub fn signed_client_assertion(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((header, claims)) = text.split_once('\n') else { return false };
    let signed = ISSUER.sign_any(header.as_bytes(), claims.as_bytes());
    let Some(client) = accepted_assertion(&signed) else { return false };
    let header: Value = serde_json::from_str(header).expect("a header");
    let claims: Value = serde_json::from_str(claims).expect("claims");
    assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().unwrap_or_default()));
    assert!(header.get("crit").is_none_or(Value::is_null), "critical extensions: {header}");
    assert!(header["kid"].is_string(), "{header}");
    for name in ["iss", "sub"] {
        assert_eq!(claims[name], client.as_str());
    }
    assert!(["i", "i/oauth2/token"].contains(&claims["aud"].as_str().expect("one audience")));
    assert!(claims["jti"].as_str().is_some_and(|jti| (1..=256).contains(&jti.len())));
    let (now, end) = (NOW as f64, claims["exp"].as_f64().expect("a time"));
    // A time is read in whole seconds.
    assert!((now - 5.0..now + 306.0).contains(&end), "{end}");
    true
}

/// Bits that are read are the same when they are written again, and are no more than are allowed.
pub fn status_list(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Ok(list) = StatusList::from_text(&text) else { return false };
    assert!(list.capacity() <= MAX_TOKENS);
    assert_eq!(list.is_revoked(list.capacity()), None);
    assert_eq!(StatusList::from_text(&list.to_text()), Ok(list));
    true
}

/// A line is the header of a status list, the rest its claims. Both are signed, with `K` in the place of the name of the
/// key. What is accepted is the same when it is signed again.
pub fn signed_status_list(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((header, claims)) = text.split_once('\n') else { return false };
    let header = header.replace(r#""K""#, &format!("\"{}\"", ISSUER.kid()));
    let text = ISSUER.sign_any(header.as_bytes(), claims.as_bytes());
    let Ok(list) = status_list::open(&text, &issuer_keys()) else { return false };
    let header: Value = serde_json::from_str(&header).expect("a header");
    let claims: Value = serde_json::from_str(claims).expect("claims");
    let typ = header["typ"].as_str().expect("a type").to_ascii_lowercase();
    assert!(["statuslist+jwt", "application/statuslist+jwt"].contains(&&*typ), "{typ}");
    assert_eq!(claims["status_list"]["bits"], 1);
    assert_eq!(list.expires_at.is_none(), claims.get("exp").is_none_or(Value::is_null));
    let again = list.sign(&ISSUER).expect("a signature");
    assert_eq!(status_list::open(&again, &issuer_keys()), Ok(list));
    true
}

/// A JWK set that is read is the same when it is written again, and no key of it has a secret.
pub fn key_set(bytes: &[u8]) -> bool {
    let Ok(set) = KeySet::parse(bytes) else { return false };
    assert!(set.keys().len() <= MAX_KEYS);
    let json = serde_json::to_vec(&set).expect("JSON");
    assert_eq!(KeySet::parse(&json), Ok(set));
    let json = String::from_utf8_lossy(&json);
    assert!(!json.contains(r#""d":"#) && !json.contains(r#""k":"#), "{json}");
    true
}
