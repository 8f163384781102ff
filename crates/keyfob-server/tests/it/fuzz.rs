//! A short run of the fuzz targets of the server.

use keyfob_server::fuzzing;

use crate::mutations::run;

const ID: &str = "tok_00d1h88n000000000000000001";

fn samples(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.replace("ID", ID).into_bytes()).collect()
}

#[test]
fn no_bytes_break_the_form_parser() {
    let texts = [
        "token=abc&token_type_hint=access_token",
        "grant_type=refresh_token&refresh_token=a%20b+c&scope=read+write",
        "audience=a&audience=b&resource=https%3A%2F%2Fshop.example%2F&client_id=%F0%9F%94%91",
        "&&empty=&no",
    ];
    run(1, &samples(&texts), fuzzing::form);
}

#[test]
fn no_bytes_break_the_parser_of_credentials() {
    let texts = [
        "basic YXBwOnNlY3JldA==\nclient_id=app",
        "Basic YSUyMGI6cyUyNQ==\ntoken=x",
        "Bearer fob_at_0nJVxVgS9j0W5OZi96yPwG000AvpLzJCebS78rMTXd3K5J\ntoken=x",
        "client_id=app&client_secret=secret&token=x",
        "client_id=app&grant_type=refresh_token",
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c&token=x",
    ];
    run(2, &samples(&texts), fuzzing::credentials);
}

#[test]
fn no_bytes_break_the_query_parser() {
    let texts = [
        "filter=subject:$who+kind:access&bind.who=alice,+bob&limit=2",
        "filter=&order=expiring&limit=1000&max_time=25ms",
        "filter=state:active%20tag:beta&cursor=n-0000002a-1-6754c8f0-ID",
        "",
    ];
    run(3, &samples(&texts), fuzzing::query);
}

#[test]
fn no_bytes_break_the_readers_of_bodies() {
    let texts = [
        r#"{"subject":"alice","scopes":["read"],"ttl":"15m","claims":{"plan":{"seats":[1,2]}}}"#,
        r#"[{"kind":"api-key","client":"web","may_issue":{"scopes":"all"}},{}]"#,
        r#"{"token":"t","audience":["a","b"],"limits":[{"name":"calls","cost":2}],"strong":true}"#,
        r#"{"labels":{"team":"shop"},"remove_tags":["beta"],"ip":"192.0.2.1"}"#,
        r#"{"token":"t","acting":"billing","scopes":["read"],"cnf":{"jkt":"x"}}"#,
        r#"{"overlap":"24h"}"#,
        r#"{"id":"ID","max_age":"1h 30m"}"#,
        r#"{"tokens":["a","b"]}"#,
        r#"{"target":{"filter":{"filter":"subject:$who","bind":{"who":"a"},"throttle":9}}}"#,
        r#"{"target":{"all":true},"dry_run":true,"reason":"left"}"#,
        r#"{"maxEvents":5,"returnImmediately":true,"ack":["a"],"setErrs":{"b":{"err":"x"}}}"#,
        r#"{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://a.example"}}"#,
        r#"{"stream_id":"wh-0","aud":["a"],"iss":"x","min_verification_interval":60}"#,
        r#"{"stream_id":"wh-0","status":"paused","reason":"x"}"#,
        r#"{"stream_id":"wh-0","subject":{"format":"opaque","id":"x"}}"#,
        r#"{"url":"https://a.example","types":["keyfob.token."],"format":"set","audience":"a"}"#,
        r#"{"url":"nats:a.b","enabled":false,"description":"x"}"#,
        r#"{"tokens":["a","b"],"reason":"leaked"}"#,
        r#"[{"token":"a","type":"keyfob","url":"https://a.example","source":"commit"}]"#,
    ];
    run(4, &samples(&texts), fuzzing::body);
}

#[test]
fn no_bytes_break_the_readers_of_certificates_and_keys() {
    let hash = "0b".repeat(32);
    let texts = [
        ":TUlJQg==:".to_owned(),
        format!("By=spiffe://a;Hash={hash};Subject=\"CN=a\",By=b;Hash={hash}"),
        "-----BEGIN%20CERTIFICATE-----%0ATUlJQg%3D%3D%0A-----END%20CERTIFICATE-----%0A".to_owned(),
    ];
    run(6, &texts.map(String::into_bytes), fuzzing::certificate);
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let github = r#"{"public_keys":[{"key_identifier":"one","is_current":true,"key":"KEY"}]}"#;
    let github = github.replace("KEY", crate::leaks::GITHUB_KEY);
    let texts =
        [format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","alg":"EdDSA","kid":"a"}}"#), github];
    run(7, &texts.map(String::into_bytes), fuzzing::keys);
}

#[test]
fn no_bytes_break_the_parsers_of_cursors() {
    let texts = ["n-0000002a-1-6754c8f0-ID", "x-ffffffff-0-0-ID", "start"];
    run(5, &samples(&texts), fuzzing::cursor);
}
