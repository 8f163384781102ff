//! A short run of the fuzz targets.

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

#[test]
fn an_access_token_that_was_changed_is_refused() {
    run(4, &samples(&[&fuzzing::sample_access_token()]), fuzzing::access_token);
}

#[test]
fn a_signed_access_token_says_all_that_it_has_to() {
    let header = r#"{"typ":"at+jwt","alg":"EdDSA","kid":"K"}"#;
    let other_header =
        r#"{"kid":"K","typ":"application/AT+JWT","alg":"Ed25519","jku":"https://a"}"#;
    let claims = r#"{"iss":"i","sub":"s","aud":"a","exp":2,"iat":1,"jti":"j","client_id":"c"}"#;
    let other_claims = r#"{"jti":"j","client_id":"c","iss":"i","sub":"s","aud":["a","b"],"exp":20,"iat":1,
        "nbf":2,"scope":"read write","auth_time":1,"acr":"silver","amr":["pwd"],"cnf":{"jkt":"a"},
        "act":{"sub":"b"},"status":{"status_list":{"idx":1,"uri":"u"}},"plan":{"a":[1,null]}}"#;
    let texts = [format!("{header}\n{claims}"), format!("{other_header}\n{other_claims}")];
    run(5, &texts.map(String::into_bytes), fuzzing::signed_access_token);
}

#[test]
fn an_assertion_that_was_changed_is_refused() {
    run(8, &samples(&[&fuzzing::sample_client_assertion()]), fuzzing::client_assertion);
}

#[test]
fn a_signed_assertion_says_all_that_it_has_to() {
    let header = r#"{"alg":"EdDSA","kid":"k"}"#;
    let other_header = r#"{"kid":"","typ":"JWT","alg":"Ed25519","jku":"https://a","jwk":{}}"#;
    let claims = r#"{"iss":"c","sub":"c","aud":"i","exp":1562262678,"jti":"j"}"#;
    let other_claims = r#"{"jti":"j","iat":1562262618,"nbf":1562262618.5,"exp":1.562262918e9,
        "sub":"\u0063","iss":"c","aud":"i/oauth2/token","more":{"a":[1,null]}}"#;
    let texts = [format!("{header}\n{claims}"), format!("{other_header}\n{other_claims}")];
    run(9, &texts.map(String::into_bytes), fuzzing::signed_client_assertion);
}

#[test]
fn bits_of_a_list_that_are_read_are_written_again() {
    run(
        6,
        &samples(&[
            "eNrbuRgAAhcBXQ",
            "eNpjYGBgAAAABAAB",
            "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb",
        ]),
        fuzzing::status_list,
    );
}

#[test]
fn a_signed_list_says_all_that_it_has_to() {
    let header = r#"{"typ":"statuslist+jwt","alg":"EdDSA","kid":"K"}"#;
    let claims = r#"{"sub":"https://a/1","iat":1,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}"#;
    let other = r#"{"exp":20,"ttl":5,"sub":"u","iat":1,"status_list":{"lst":"eNpjYGBgAAAABAAB","bits":1,"aggregation_uri":"u"}}"#;
    let texts = [format!("{header}\n{claims}"), format!("{header}\n{other}")];
    run(10, &texts.map(String::into_bytes), fuzzing::signed_status_list);
}

#[test]
fn a_key_set_that_is_read_is_written_again() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let texts = [
        r#"{"keys":[]}"#.to_owned(),
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}","alg":"EdDSA","kid":"a"}},{{"kty":"oct"}}]}}"#
        ),
    ];
    run(7, &texts.map(String::into_bytes), fuzzing::key_set);
}
