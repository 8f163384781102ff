//! A request for a token is read whole, and its errors contain no value.

use super::*;

const LINE: &str = r#"{"kind":"api-key","subject":"user123","issuer":"i","audience":["a","b"],
    "scopes":["read"],"client":"c","username":"u","auth_time":"now","acr":"aal2",
    "amr":["pwd","otp"],"cnf":{"jkt":"t"},"ttl":"never","not_before":"+5m",
    "idle":"1h","absolute":"90d","uses":3,"metadata":{"device":{"id":"d"},
    "labels":{"k":"v"},"tags":["t"]},"may_issue":{"scopes":"all"},"claims":{"plan":"team"}}"#;

fn refused(text: &str) -> String {
    match GrantSpec::from_json(text) {
        Err(invalid) => invalid.to_string(),
        Ok(spec) => spec.into_grant(None, Timestamp::default()).unwrap_err().to_string(),
    }
}

#[test]
fn every_member_reaches_the_grant() {
    let spec = GrantSpec::from_json(LINE).unwrap();
    let now = Timestamp::from_millis(1_000);
    let grant = spec.into_grant(Some(&"ops".parse().unwrap()), now).unwrap();
    let parts = grant.into_parts().unwrap();
    assert_eq!(parts.kind, Kind::ApiKey);
    assert_eq!(parts.subject.unwrap(), "user123");
    assert_eq!(parts.issuer.unwrap(), "i");
    assert_eq!(parts.audiences.len(), 2);
    assert!(parts.scopes.contains("read"));
    assert_eq!(parts.client.unwrap(), "c");
    assert_eq!(parts.registered.username.unwrap(), "u");
    assert_eq!(parts.registered.auth_time, Some(now));
    assert_eq!(parts.registered.authentication_methods.len(), 2);
    assert_eq!(parts.registered.confirmation.unwrap().thumbprint(), &"t");
    assert_eq!(parts.expiry, keyfob_core::token::Expiry::Never);
    assert_eq!(parts.not_before, Some(now + Ttl::from_mins(5)));
    assert_eq!(parts.idle_timeout, Some(Ttl::from_hours(1)));
    assert_eq!(parts.absolute_lifetime, Some(Ttl::from_days(90)));
    assert_eq!(parts.uses, Some(3));
    assert_eq!(parts.metadata.device.id.unwrap(), "d");
    assert!(parts.metadata.tags.contains("t"));
    assert!(parts.registered.may_issue.unwrap().scopes.permits("anything"));
    assert_eq!(parts.private, PrivateClaims::from_json(r#"{"plan":"team"}"#).unwrap());
    assert_eq!(parts.by.unwrap(), "ops");
}

#[test]
fn a_written_text_is_read_again() {
    let written = serde_json::to_string(&GrantSpec::from_json(LINE).unwrap()).unwrap();
    let again = serde_json::to_string(&GrantSpec::from_json(&written).unwrap()).unwrap();
    assert_eq!(written, again);
    assert!(written.contains(r#""claims":{"plan":"team"}"#), "{written}");
    assert_eq!(serde_json::to_string(&GrantSpec::default()).unwrap(), "{}");
}

#[test]
fn an_error_names_the_member_and_contains_no_value() {
    assert!(refused(r#"{"subjct":"x"}"#).contains("subjct"));
    assert!(refused(r#"{"subject":""}"#).contains("subject is empty"));
    assert!(refused(r#"{"amr":["pwd"]}"#).contains("Say when"));
    assert!(refused(r#"{"ttl":"1h","expires_at":"+1h"}"#).contains("exclude"));
    for text in [
        r#"{"audience":"hunter2"}"#,
        r#"{"uses":"hunter2"}"#,
        r#"{"ttl":"hunter2"}"#,
        r#"{"claims":{"sub":"hunter2"}}"#,
        r#"{"metadata":{"labels":{"a":"hunter2","a":"hunter2"}}}"#,
        r#""hunter2""#,
        "hunter2",
    ] {
        let refused = refused(text);
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn more_than_64_names_are_refused() {
    let names: Vec<_> = (0..65).map(|n| format!("\"s{n}\"")).collect();
    assert!(refused(&format!(r#"{{"scopes":[{}]}}"#, names.join(","))).contains("at most 64"));
}
