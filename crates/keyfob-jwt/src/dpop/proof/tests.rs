//! The examples of RFC 9449, and proofs with other kinds of keys.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding,
};
use serde_json::{Value, json};

use super::*;

/// RFC 9449 section 4.1, figure 2: a proof for the token endpoint.
const FIGURE_2: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
/// RFC 9449 section 7.1, figure 13: a proof for a resource.
const FIGURE_13: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
/// The access token of figure 13.
const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
/// The thumbprint of figures 8 and 9.
const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

fn check(
    proof: &str,
    method: &str,
    uri: &str,
    access_token: Option<&str>,
    now: u64,
) -> Result<Proof, BadProof> {
    let uri = uri.parse().unwrap();
    let request = ProofRequest { method, uri: &uri, access_token };
    verify(proof, &request, &ProofPolicy::default(), Timestamp::from_secs(now))
}

#[test]
fn the_examples_of_rfc_9449_are_valid() {
    let token = check(FIGURE_2, "POST", "https://server.example.com/token", None, 1_562_262_616);
    assert_eq!(token.unwrap().key.thumbprint(), &THUMBPRINT);
    let uri = "https://resource.example.org/protectedresource";
    let resource = check(FIGURE_13, "GET", uri, Some(ACCESS_TOKEN), 1_562_262_620);
    assert_eq!(resource.unwrap().key.thumbprint(), &THUMBPRINT);
    let other = check(FIGURE_13, "GET", uri, Some("another"), 1_562_262_620);
    assert_eq!(other, Err(BadProof::AccessToken));
    let without =
        check(FIGURE_2, "POST", "https://server.example.com/token", Some("x"), 1_562_262_616);
    assert_eq!(without, Err(BadProof::AccessToken));
    let late = check(FIGURE_2, "POST", "https://server.example.com/token", None, 1_562_262_682);
    assert_eq!(late, Err(BadProof::TooOld));
}

/// Returns a proof for `GET https://example.org/`, signed by `sign`.
fn proof_by(alg: &str, jwk: Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "typ": "dpop+jwt", "alg": alg, "jwk": jwk });
    let payload = json!({ "jti": "a", "htm": "GET", "htu": "https://example.org/", "iat": 100 });
    let [header, payload] =
        [header, payload].map(|json| Base64UrlUnpadded::encode_string(json.to_string().as_bytes()));
    let signed = format!("{header}.{payload}");
    let signature = Base64UrlUnpadded::encode_string(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn every_kind_of_key_proves() {
    let text = Base64UrlUnpadded::encode_string;
    let random = SystemRandom::new();
    let ed = Ed25519KeyPair::generate().unwrap();
    let ed_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": text(ed.public_key().as_ref()) });
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let point = p384.public_key().as_ref();
    let p384_jwk =
        json!({ "kty": "EC", "crv": "P-384", "x": text(&point[1..49]), "y": text(&point[49..]) });
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    // DER: the heads of a sequence and of a number, the modulus, then the exponent 65,537.
    let der = rsa.public_key().as_ref();
    let (n, e) = (&der[9..265], &der[267..270]);
    let rsa_jwk = json!({ "kty": "RSA", "n": text(n), "e": text(e) });
    let by_rsa = |padding: &'static dyn RsaEncoding, signed: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(padding, &random, signed, &mut signature).unwrap();
        signature
    };
    let by_ed = |signed: &[u8]| ed.sign(signed).as_ref().to_vec();
    let proofs = [
        proof_by("EdDSA", ed_jwk.clone(), by_ed),
        proof_by("Ed25519", ed_jwk, by_ed),
        proof_by("ES384", p384_jwk, |signed| p384.sign(&random, signed).unwrap().as_ref().to_vec()),
        proof_by("PS256", rsa_jwk.clone(), |signed| by_rsa(&RSA_PSS_SHA256, signed)),
        proof_by("RS256", rsa_jwk.clone(), |signed| by_rsa(&RSA_PKCS1_SHA256, signed)),
    ];
    for proof in &proofs {
        assert!(check(proof, "GET", "https://example.org/", None, 100).is_ok(), "{proof}");
    }
    // A signature by one algorithm of RSA is none by the other.
    let confused = proof_by("PS256", rsa_jwk, |signed| by_rsa(&RSA_PKCS1_SHA256, signed));
    let refused = check(&confused, "GET", "https://example.org/", None, 100);
    assert_eq!(refused, Err(BadProof::Signature(BadSignature)));
}
