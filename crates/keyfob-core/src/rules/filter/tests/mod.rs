//! Tests of filter matching.

mod round_trip;
mod text;

use super::*;
use crate::token::{Revocation, RevocationScope, sample};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns a token of `user123` that is valid for a day, with a value in every field that a filter
/// can read.
fn token() -> Token {
    let mut token = sample::token();
    token.id = "tok_00d1h88n000000000000000001".parse().unwrap();
    token.family = Some("tok_00d1h88n000000000000000000".parse().unwrap());
    token.audiences = names(["example-app", "other-app"]);
    token.scopes = names(["read", "write"]);
    token.issued_at = at("2026-11-24T08:30:00Z");
    token.expires_at = Some(at("2026-11-25T08:30:00Z"));
    token.metadata.app = Some(AppId::new("shop").unwrap());
    token.metadata.tags = names(["mobile", "beta"]);
    let (team, colours) = ("team".try_into().unwrap(), "red and blue".try_into().unwrap());
    token.metadata.labels.insert(team, colours).unwrap();
    token
}

fn names<T, const N: usize>(texts: [&str; N]) -> NameSet<T>
where
    T: crate::names::Name + for<'a> TryFrom<&'a str, Error = InvalidValue>,
{
    NameSet::from_names(texts.map(|text| T::try_from(text).unwrap())).unwrap()
}

fn parse(text: &str) -> Filter {
    Filter::parse(text, NOW).unwrap_or_else(|refused| panic!("{text}\n{refused}"))
}

#[test]
fn each_part_keeps_a_token_that_has_it_and_drops_one_that_has_not() {
    let token = token();
    for (text, matches) in [
        ("", true),
        ("   ", true),
        ("kind:access", true),
        ("kind:refresh", false),
        ("kind:refresh,access", true),
        ("kind:refresh kind:access", true),
        ("state:active", true),
        ("state:expired,revoked", false),
        ("subject:user123", true),
        ("subject:user12", false),
        ("subject:USER123", false),
        ("issuer:example-service", true),
        ("issuer:other", false),
        ("audience:other-app", true),
        ("audience:third-app", false),
        ("client:web", true),
        ("client:phone", false),
        ("device:device123", true),
        ("device:device124", false),
        ("app:shop", true),
        ("app:bank", false),
        ("family:tok_00d1h88n000000000000000000", true),
        ("family:tok_00d1h88n000000000000000001", false),
        ("id:tok_00d1", true),
        ("id:00d1h88n000000000000000001", true),
        ("id:tok_00d2", false),
        ("tag:mobile tag:beta", true),
        ("tag:mobile tag:alpha", false),
        ("any-tag:mobile any-tag:alpha", true),
        ("any-tag:alpha any-tag:gamma", false),
        ("tag:beta any-tag:alpha", false),
        ("label:environment=production", true),
        ("label:environment=staging", false),
        ("label:region=production", false),
        ("label:environment=production label:team=\"red and blue\"", true),
        ("label:\"team=red and blue\" label:region=eu", false),
        ("scope:read scope:write", true),
        ("scope:read scope:admin", false),
        ("any-scope:admin any-scope:write", true),
        ("any-scope:admin", false),
        ("subject:user123 tag:mobile label:environment=production state:active", true),
        ("subject:user123 tag:mobile label:environment=production state:revoked", false),
    ] {
        assert_eq!(parse(text).matches(&token, token.issued_at), matches, "{text}");
    }
}

#[test]
fn after_includes_its_moment_and_before_excludes_it() {
    let token = token();
    for (text, matches) in [
        ("issued-after:2026-11-24T08:30:00Z", true),
        ("issued-after:2026-11-24T08:30:00.001Z", false),
        ("issued-before:2026-11-24T08:30:00Z", false),
        ("issued-before:2026-11-24T08:30:00.001Z", true),
        ("issued-after:2026-11-24 issued-before:2026-11-25", true),
        ("issued-after:2026-11-25 issued-before:2026-11-26", false),
        ("expires-after:2026-11-25T08:30:00Z", true),
        ("expires-after:2026-11-25T08:30:00.001Z", false),
        ("expires-before:2026-11-25T08:30:00Z", false),
        ("expires-before:2026-11-25T08:30:00.001Z", true),
    ] {
        assert_eq!(parse(text).matches(&token, token.issued_at), matches, "{text}");
    }
}

#[test]
fn a_token_without_expiry_sorts_last() {
    let token = Token { expires_at: None, ..token() };
    assert!(Filter::new().expires_after(Timestamp::MAX).matches(&token, NOW));
    assert!(!Filter::new().expires_before(Timestamp::MAX).matches(&token, NOW));
}

#[test]
fn the_state_is_that_of_the_moment() {
    let mut token = token();
    let (active, ended) = (parse("state:active"), parse("state:expired,revoked"));
    let (start, end) = (token.issued_at, at("2026-11-25T08:30:00Z"));
    assert!(active.matches(&token, start) && !ended.matches(&token, start));
    assert!(!active.matches(&token, end) && ended.matches(&token, end));
    token.revocation =
        Some(Revocation { at: start, reason: None, by: None, through: RevocationScope::Token });
    assert!(!active.matches(&token, start) && ended.matches(&token, start));
}

#[test]
fn an_invalid_filter_reports_its_error_and_matches_nothing() {
    let filter = Filter::new().subject("user123").tag("").client("");
    let refused = filter.check().unwrap_err();
    assert_eq!((refused.what(), refused.reason()), ("tag", &InvalidReason::Empty));
    assert!(!filter.matches(&token(), NOW));
    assert!(!filter.is_empty());
    let twice = Filter::new().label("a", "1").label("a", "2");
    assert_eq!(twice.check().unwrap_err().reason(), &InvalidReason::Duplicate);
    let many = (0..65).fold(Filter::new(), |filter, n| filter.any_scope(n.to_string()));
    assert_eq!(many.check().unwrap_err().reason(), &InvalidReason::TooMany { max: 64 });
}
