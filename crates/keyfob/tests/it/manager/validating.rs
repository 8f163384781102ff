//! Validation: states, requirements and refusals.

use keyfob::{
    BearerPrefix, BearerToken, Error, Grant, Kind, Refusal, RevokeRequest, Ttl, ValidationChain,
};

use super::{bench, bench_with, session};

fn code(outcome: Result<keyfob::Token, Error>) -> String {
    outcome.err().map(|error| error.code().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_bearer_is_valid_until_it_expires() {
    let bench = bench();
    let grant = session("user123").ttl(Ttl::from_hours(4));
    let issued = bench.manager.issue(grant).await.unwrap();
    assert_eq!(code(bench.manager.validate_active(&issued.bearer).await), "");
    bench.clock.advance(Ttl::from_hours(4));
    assert_eq!(code(bench.manager.validate_active(&issued.bearer).await), "token_expired");
    // The record is kept for a short time, to explain the refusal. Then the token is unknown.
    bench.clock.advance(Ttl::from_mins(1));
    assert_eq!(code(bench.manager.validate_active(&issued.bearer).await), "token_unknown");
}

#[tokio::test]
async fn a_clock_that_goes_backwards_revives_nothing() {
    let bench = bench();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    bench.manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
    bench.clock.set(issued.token.issued_at.saturating_sub(Ttl::from_days(1)));
    assert_eq!(code(bench.manager.validate_active(&issued.bearer).await), "token_revoked");
}

#[tokio::test]
async fn malformed_text_is_refused_without_a_lookup() {
    let bench = bench();
    let huge = "x".repeat(1 << 20);
    for text in ["", " ", "fob_at_", "\u{0}", "Bearer x", huge.as_str()] {
        assert_eq!(code(bench.manager.validate_active(text).await), "token_malformed");
    }
}

#[tokio::test]
async fn a_known_id_with_another_secret_is_unknown() {
    let (one, two) =
        (bench(), bench_with(|builder| builder.random(keyfob::random::SeededRandom::new(9))));
    let real = one.manager.issue(session("user123")).await.unwrap();
    let other = two.manager.issue(session("user123")).await.unwrap();
    // The other manager's bearer is well-formed, and its id is not known to the first.
    assert_eq!(code(one.manager.validate_active(&other.bearer).await), "token_unknown");
    // The id of one bearer with the secret of the other, and a valid checksum.
    let splice = |secret_of: &BearerToken| {
        let mut text = real.bearer.expose()[..32].to_owned();
        text.push_str(&secret_of.expose()[32..62]);
        with_check(&text)
    };
    assert_eq!(code(one.manager.validate_active(&splice(&real.bearer)).await), "");
    assert_eq!(code(one.manager.validate_active(&splice(&other.bearer)).await), "token_unknown");
}

#[tokio::test]
async fn the_kind_in_the_text_must_agree_with_the_record() {
    let bench = bench();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    let body = &issued.bearer.expose()[7..62];
    let as_access = with_check(&format!("fob_at_{body}"));
    assert!(BearerToken::parse(&as_access, &BearerPrefix::default()).is_ok());
    assert_eq!(code(bench.manager.validate_active(&as_access).await), "token_unknown");
}

fn with_check(text: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut check = crc32fast::hash(text.as_bytes());
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.insert(0, DIGITS[(check % 62) as usize]);
        check /= 62;
    }
    format!("{text}{}", String::from_utf8(digits).unwrap())
}

#[tokio::test]
async fn uses_are_counted_down_and_then_exhausted() {
    let bench = bench();
    let grant = Grant::new(Kind::Access).uses(2);
    let issued = bench.manager.issue(grant).await.unwrap();
    let first = bench.manager.validate_active(&issued.bearer).await.unwrap();
    assert_eq!(first.uses_left, Some(1));
    // A refusal by the chain takes no use.
    let chain = ValidationChain::new().require_scope("read");
    assert_eq!(code(bench.manager.validate(&issued.bearer, &chain).await), "insufficient_scope");
    assert_eq!(code(bench.manager.validate_active(&issued.bearer).await), "");
    assert_eq!(code(bench.manager.validate_active(&issued.bearer).await), "token_exhausted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_validations_take_exactly_the_uses() {
    let bench = bench();
    let issued = bench.manager.issue(Grant::new(Kind::Access).uses(3)).await.unwrap();
    let races = (0..40).map(|_| {
        let (manager, bearer) = (bench.manager.clone(), issued.bearer.clone());
        tokio::spawn(async move { manager.validate_active(&bearer).await.is_ok() })
    });
    let wins = futures_util::future::join_all(races).await;
    assert_eq!(wins.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 3);
}

#[tokio::test]
async fn explain_reports_every_failure_and_consumes_no_use() {
    let bench = bench();
    let grant = Grant::new(Kind::Access).uses(1).scope("read");
    let issued = bench.manager.issue(grant).await.unwrap();
    let chain = ValidationChain::new().allow_issuer("a").require_scope("write");
    let diagnosis = bench.manager.explain(&issued.bearer, &chain).await.unwrap();
    assert_eq!(diagnosis.token.id, issued.token.id);
    let codes: Vec<_> = diagnosis.refusals.iter().map(Refusal::code).collect();
    assert_eq!(codes, ["invalid_issuer", "insufficient_scope"]);
    assert_eq!(bench.manager.get(issued.token.id).await.unwrap().uses_left, Some(1));
}

#[tokio::test]
async fn an_invalid_chain_refuses_every_bearer() {
    let bench = bench();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    let chain = ValidationChain::new().allow_audience("");
    assert_eq!(code(bench.manager.validate(&issued.bearer, &chain).await), "invalid_value");
}
