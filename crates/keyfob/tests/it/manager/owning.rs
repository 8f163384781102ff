//! Tokens of one subject, and the short forms of a request to revoke.

use keyfob::values::Reason;
use keyfob::{Error, Grant, Kind, Paging, RevokeOutcome, RevokeRequest, Subject};

use super::{bench, session};

fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

#[tokio::test]
async fn a_token_of_another_subject_is_as_if_it_did_not_exist() {
    let bench = bench();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    let (id, owner) = (issued.token.id, subject("user123"));
    let other = subject("user456");
    let unknown = |error: Error| matches!(error, Error::NotFound { id: found } if found == id);
    assert!(unknown(bench.manager.get_owned(&other, id).await.unwrap_err()));
    assert!(unknown(bench.manager.revoke_owned(&other, id, "not mine").await.unwrap_err()));
    bench.manager.validate_active(&issued.bearer).await.unwrap();

    assert_eq!(bench.manager.get_owned(&owner, id).await.unwrap().id, id);
    let outcome = bench.manager.revoke_owned(&owner, id, "mine").await.unwrap();
    assert_eq!(outcome, RevokeOutcome::Revoked);
    let again = bench.manager.revoke_owned(&owner, id, ()).await.unwrap();
    let RevokeOutcome::AlreadyRevoked(first) = again else { panic!("{again:?}") };
    assert_eq!(first.reason.unwrap().as_str(), "mine");
}

#[tokio::test]
async fn a_token_without_a_subject_is_owned_by_no_subject() {
    let bench = bench();
    let id = bench.manager.issue(Grant::new(Kind::Access).client("web")).await.unwrap().token.id;
    let error = bench.manager.revoke_owned(&subject("user123"), id, ()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }));
}

#[tokio::test]
async fn a_subject_sees_its_own_tokens_and_its_active_sessions() {
    let bench = bench();
    let ended = bench.manager.issue(session("user123")).await.unwrap().token.id;
    let active = bench.manager.issue(session("user123")).await.unwrap().token.id;
    let key = Grant::new(Kind::ApiKey).subject("user123");
    let key = bench.manager.issue(key).await.unwrap().token.id;
    bench.manager.issue(session("user456")).await.unwrap();
    bench.manager.revoke(ended, ()).await.unwrap();

    let owner = subject("user123");
    let all = bench.manager.list_owned(&owner, Paging::default()).await.unwrap();
    let mut ids: Vec<_> = all.tokens.iter().map(|token| token.id).collect();
    ids.sort();
    let mut expected = vec![ended, active, key];
    expected.sort();
    assert_eq!(ids, expected);
    let sessions = bench.manager.sessions_of(&owner, Paging::default()).await.unwrap();
    assert_eq!(sessions.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [active]);
}

#[tokio::test]
async fn a_request_is_made_of_a_text_a_reason_a_subject_or_nothing() {
    let bench = bench();
    let admin = subject("admin7");
    let requests: [(RevokeRequest, Option<&str>, Option<&str>); 5] = [
        (().into(), None, None),
        ("text".into(), Some("text"), None),
        (String::from("owned").into(), Some("owned"), None),
        (Reason::new("typed").unwrap().into(), Some("typed"), None),
        (RevokeRequest::reason("by").by(&admin), Some("by"), Some("admin7")),
    ];
    for (request, reason, by) in requests {
        let id = bench.manager.issue(session("user123")).await.unwrap().token.id;
        bench.manager.revoke(id, request).await.unwrap();
        let revocation = bench.manager.get(id).await.unwrap().revocation.unwrap();
        assert_eq!(revocation.reason.as_ref().map(Reason::as_str), reason);
        assert_eq!(revocation.by.as_ref().map(|by| by.as_str()), by);
    }
    let id = bench.manager.issue(session("user123")).await.unwrap().token.id;
    for invalid in ["", "two\nlines"] {
        let error = bench.manager.revoke(id, invalid).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    assert!(bench.manager.get(id).await.unwrap().revocation.is_none());
}
