//! A short run of the fuzz targets of proofs.

use keyfob_jwt::fuzzing;

use crate::mutations::run;

fn samples(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn a_proof_that_was_changed_is_refused_or_says_the_same() {
    run(1, &samples(&[fuzzing::FIGURE_13]), fuzzing::proof);
}

#[test]
fn a_signed_proof_says_all_that_it_has_to() {
    let header =
        r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"X","y":"Y"}}"#;
    let other_header = r#"{"jwk":{"use":"sig","y":"Y","x":"X","alg":"ES256","crv":"P-256","kty":"EC","kid":[{}]},
        "alg":"ES256","typ":"DPoP+JWT"}"#;
    let uri = r#""htu":"https://resource.example.org/protectedresource""#;
    let hash = r#""ath":"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo""#;
    let other_uri = r#""htu":"HTTPS://Resource.Example.org:443/a/../protecte%64resource?a=b#c""#;
    let texts = [
        format!("{header}\n{{\"jti\":\"a\",\"htm\":\"GET\",{uri},\"iat\":1562262618,{hash}}}"),
        format!(
            "{}\n{{{hash},\"nonce\":\"n\",\"iat\":1562262600.5,{other_uri},\"htm\":\"GET\",\"jti\":\"b\"}}",
            other_header.replace('\n', " ")
        ),
    ];
    run(2, &texts.map(String::into_bytes), fuzzing::signed_proof);
}

#[test]
fn an_address_that_is_written_again_is_the_same() {
    let texts = [
        "https://example.org",
        "HTTP://Example.org:80/%7Ea/./b/../%2f/..//c?d=e#f",
        "https://[2001:DB8::1]:8443//a//../%e2%82%ac;x=1/.",
        "http://127.0.0.1:65535/...",
    ];
    run(3, &samples(&texts), fuzzing::target_uri);
}
