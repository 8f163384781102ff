//! Which events are signals, and what their claims are.

use keyfob_core::id::FamilyId;
use keyfob_core::operation::OperationId;

use super::*;

const ISSUER: &str = "https://tokens.example";
const STREAM: Stream<'_> = Stream { issuer: ISSUER, audience: "https://shop.example" };

fn event(what: EventKind) -> Event {
    Event::new(OperationId::from_bytes([1; 16]), 0, Timestamp::from_secs(1_000), what)
}

fn id() -> TokenId {
    TokenId::from_bytes([0; 16])
}

fn details(kind: Kind) -> TokenDetails {
    TokenDetails { kind, subject: Some("alice".parse().unwrap()) }
}

fn claims(event: &Event, token: Option<&TokenDetails>) -> Value {
    STREAM.claims(event, token, Timestamp::from_secs(1_005)).unwrap()
}

#[test]
fn a_revoked_session_names_the_token_and_its_user() {
    let event = event(EventKind::Revoked { token: id() });
    let event = event.by(Some("ops".parse().unwrap())).reason(Some("stolen".parse().unwrap()));
    let session = json!({ "format": "opaque", "id": id().to_string() });
    let user = json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" });
    let expected = json!({
        "iss": ISSUER,
        "jti": event.id.to_string(),
        "iat": 1_005,
        "aud": "https://shop.example",
        "sub_id": { "format": "complex", "session": session, "user": user },
        "events": { SESSION_REVOKED: {
            "event_timestamp": 1_000,
            "initiating_entity": "admin",
            "reason_admin": { "en": "stolen" },
        } },
    });
    assert_eq!(claims(&event, Some(&details(Kind::Session))), expected);
    assert_eq!(claims(&event, None)["sub_id"], session);
}

#[test]
fn an_api_key_is_a_credential() {
    let key = details(Kind::ApiKey);
    let revoked = claims(&event(EventKind::Revoked { token: id() }), Some(&key));
    let older_until = None;
    let rotated = EventKind::SecretReplaced { token: id(), generation: 2, older_until };
    let rotated = claims(&event(rotated), Some(&key));
    for (claims, change) in [(revoked, "revoke"), (rotated, "update")] {
        let signal = &claims["events"][CREDENTIAL_CHANGE];
        assert_eq!(
            (&signal["credential_type"], &signal["change_type"]),
            (&json!("api_key"), &json!(change))
        );
        assert_eq!(signal["initiating_entity"], "system");
        assert!(signal.get("reason_admin").is_none());
    }
}

#[test]
fn an_epoch_names_the_sessions_that_it_covers() {
    let subject = EpochOf::Subject("alice".parse().unwrap());
    let family = FamilyId::from_root(id());
    let cases = [
        (subject, json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" })),
        (EpochOf::Family(family), json!({ "format": "opaque", "id": family.to_string() })),
        (
            EpochOf::Client("web".parse().unwrap()),
            json!({ "format": "complex", "application": { "format": "opaque", "id": "web" } }),
        ),
        (
            EpochOf::All,
            json!({ "format": "complex", "tenant": { "format": "uri", "uri": ISSUER } }),
        ),
    ];
    for (of, expected) in cases {
        let event = event(EventKind::EpochAdvanced { of });
        assert_eq!(needs_token(&event), None);
        let claims = claims(&event, None);
        assert_eq!(claims["sub_id"], expected);
        assert!(claims["events"][SESSION_REVOKED].is_object());
    }
}

#[test]
fn the_initiator_is_the_user_an_administrator_a_policy_or_the_system() {
    let session = details(Kind::Session);
    let of = |event: &Event| {
        claims(event, Some(&session))["events"][SESSION_REVOKED]["initiating_entity"].clone()
    };
    let revoked = || event(EventKind::Revoked { token: id() });
    assert_eq!(of(&revoked()), "system");
    assert_eq!(of(&revoked().by(Some("alice".parse().unwrap()))), "user");
    assert_eq!(of(&revoked().by(Some("bob".parse().unwrap()))), "admin");
    let reuse =
        EventKind::ReuseDetected { token: id(), presented: 1, generation: 2, is_forged: false };
    assert_eq!(of(&event(reuse)), "policy");
}

#[test]
fn other_events_are_no_signals() {
    let updated = event(EventKind::MetadataUpdated { token: id() });
    assert_eq!(STREAM.claims(&updated, None, Timestamp::default()), None);
    assert_eq!(needs_token(&updated), None);
}

#[test]
fn a_verification_names_its_stream() {
    let claims = STREAM.verification("test_1", "wh-1", None, Timestamp::default());
    assert_eq!(claims["sub_id"], json!({ "format": "opaque", "id": "wh-1" }));
    assert_eq!(claims["events"], json!({ VERIFICATION: {} }));
    let claims = STREAM.verification("test_1", "wh-1", Some("abc"), Timestamp::default());
    assert_eq!(claims["events"], json!({ VERIFICATION: { "state": "abc" } }));
    assert_eq!(signal_of(&claims), Some(VERIFICATION));
}

#[test]
fn a_change_of_status_names_its_stream_and_the_reason() {
    let of = |reason| STREAM.updated("u_1", "wh-1", ("paused", reason), Timestamp::default());
    let claims = of(Some("maintenance"));
    assert_eq!(claims["sub_id"], json!({ "format": "opaque", "id": "wh-1" }));
    let signal = json!({ "status": "paused", "reason": "maintenance" });
    assert_eq!(claims["events"], json!({ STREAM_UPDATED: signal }));
    assert_eq!(of(None)["events"], json!({ STREAM_UPDATED: { "status": "paused" } }));
}

#[test]
fn an_error_of_a_receiver_is_read_and_bounded() {
    let read = |body: &str| rejection(body.as_bytes());
    let body = r#"{"err":"invalid_key","description":"no\nsuch key"}"#;
    assert_eq!(read(body).as_deref(), Some("invalid_key: no such key"));
    assert_eq!(read(r#"{"err":"access_denied"}"#).as_deref(), Some("access_denied"));
    for odd in ["", "{}", "[]", r#"{"err":1}"#, r#"{"err":""}"#, "<html>"] {
        assert_eq!(read(odd), None, "{odd}");
    }
    let long = format!(r#"{{"err":"{}"}}"#, "x".repeat(1_000));
    assert_eq!(read(&long).map(|text| text.len()), Some(MAX_ERROR_CHARS));
}
