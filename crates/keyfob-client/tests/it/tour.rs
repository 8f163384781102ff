//! Each route, against a real server.

use std::str::FromStr;

use futures_util::TryStreamExt as _;
use keyfob::clock::{Clock as _, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::KeyRing;
use keyfob::values::{Name, NameSet};
use keyfob::{Grant, InvalidValue, Kind, MemoryStore, TokenManager, TokenState};
use keyfob_client::api::{
    DeriveBody, ExplainBody, GrantSpec, IssueOutcome, RevokeOutcome, RevokeTarget, RotateBody,
    SecretText, UpdateBody, ValidateBody,
};
use keyfob_client::{EventsQuery, LimitsQuery, ListOrder, ListQuery};

use crate::support::{Service, builder};

fn grant(subject: &str) -> GrantSpec {
    GrantSpec { subject: Some(subject.parse().unwrap()), ..GrantSpec::default() }
}

fn names<T: Name + FromStr<Err = InvalidValue>>(name: &str) -> NameSet<T> {
    NameSet::from_names([name.parse().unwrap()]).unwrap()
}

fn demands(bearer: &str) -> ValidateBody {
    ValidateBody { token: SecretText::new(bearer), ..ValidateBody::default() }
}

#[tokio::test]
async fn a_token_is_issued_read_changed_and_revoked() {
    let service = Service::start().await;
    let client = service.client();
    let issued = client.issue(&grant("alice")).await.unwrap();
    let id = issued.token.id;
    assert_eq!(client.get(id).await.unwrap().subject, issued.token.subject);

    let body = UpdateBody { tags: names("vip"), ..Default::default() };
    let changed = client.update(id, &body).await.unwrap();
    assert_eq!(changed.metadata.tags.len(), 1);

    let verdict = client.validate(&demands(issued.bearer.expose())).await.unwrap();
    assert_eq!(verdict.token.unwrap().id, id);

    let revoked = client.revoke(id, Some(&"logout".parse().unwrap())).await.unwrap();
    assert_eq!(revoked.outcome, RevokeOutcome::Revoked);
    let refused = client.validate(&demands(issued.bearer.expose())).await.unwrap();
    assert_eq!((refused.ok, refused.code.as_deref()), (false, Some("token_revoked")));
    let history = client.history(id).await.unwrap();
    let steps: Vec<_> = history.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps, ["issued", "metadata_updated", "revoked"]);
    assert_eq!(history[2].reason.as_ref().unwrap().as_str(), "logout");
}

#[tokio::test]
async fn many_tokens_are_issued_and_validated_in_order() {
    let service = Service::start().await;
    let client = service.client();
    let grants: Vec<_> = (0..50).map(|n| grant(&format!("user{n}"))).collect();
    let outcomes = client.issue_many(&grants).await.unwrap();
    let issued: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            IssueOutcome::Issued(issued) => *issued,
            IssueOutcome::Failed { error } => panic!("{error:?}"),
        })
        .collect();
    let subjects = issued.iter().map(|one| one.token.subject.clone());
    assert!(subjects.eq(grants.iter().map(|grant| grant.subject.clone())));
    assert!(client.issue_many(&[]).await.unwrap().is_empty());

    let mut bodies: Vec<_> = issued.iter().map(|one| demands(one.bearer.expose())).collect();
    bodies[7] = demands("fob_at_guess");
    let verdicts = client.validate_many(&bodies).await.unwrap();
    assert!(verdicts.iter().enumerate().all(|(n, verdict)| verdict.ok == (n != 7)));
    let bearers = bodies.iter().map(|body| body.token.clone()).collect();
    let introspected = client.introspect(bearers).await.unwrap();
    assert_eq!(introspected[0].sub, grants[0].subject);
    assert!(introspected[6].active && !introspected[7].active);
}

#[tokio::test]
async fn a_list_is_read_by_page_or_as_a_stream() {
    let service = Service::start().await;
    let client = service.client();
    for n in 0..25 {
        let grant =
            Grant::new(Kind::Access).subject("Jane Doe").tag(if n < 5 { "old" } else { "new" });
        service.issue(grant).await;
    }
    let query = ListQuery::new("subject:$who").bind("who", "Jane Doe").limit(10);
    let page = client.list(&query).await.unwrap();
    assert_eq!((page.tokens.len(), page.next.is_some()), (10, true));
    let rest: Vec<_> = client
        .list_all(ListQuery::new(page.filter).limit(10).after(page.next))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest.len(), 15);
    assert!(rest.iter().all(|token| !page.tokens.iter().any(|seen| seen.id == token.id)));
    let expiring = client.list(&query.clone().order(ListOrder::Expiring).limit(1)).await.unwrap();
    assert_ne!(expiring.tokens[0].id, page.tokens[0].id);
    assert_eq!(client.count(&ListQuery::new("tag:old")).await.unwrap().count, 5);
}

#[tokio::test]
async fn keys_are_rotated_and_tokens_derived() {
    let service = Service::start().await;
    let client = service.client();
    let key = service.issue(Grant::new(Kind::ApiKey).client("shop").scope("read")).await;
    let rotated = client.rotate(key.token.id, &RotateBody::default()).await.unwrap();
    assert_ne!(rotated.bearer.expose(), key.bearer.expose());
    let body = DeriveBody {
        token: SecretText::new(rotated.bearer.expose()),
        scopes: names("read"),
        ..DeriveBody::default()
    };
    let derived = client.derive(key.token.id, &body).await.unwrap();
    assert_eq!(derived.token.client, key.token.client);
}

#[tokio::test]
async fn a_dry_run_counts_and_each_name_revokes() {
    let service = Service::start().await;
    let client = service.client();
    for _ in 0..3 {
        service.issue(Grant::new(Kind::Session).subject("alice").client("web")).await;
    }
    let alice = RevokeTarget::Subject("alice".parse().unwrap());
    assert_eq!(client.count_revocable(alice.clone()).await.unwrap().count, Some(3));
    assert_eq!(client.revoke_target(alice, None).await.unwrap().listed, Some(3));
    let web = RevokeTarget::Client("web".parse().unwrap());
    assert_eq!(client.count_revocable(web).await.unwrap().count, Some(0));
    let all = client.revoke_all(Some("incident".parse().unwrap())).await.unwrap();
    assert_eq!(all.outcome, RevokeOutcome::Revoked);
    assert_eq!(client.stats().await.unwrap_err().code(), "invalid_client");
}

#[tokio::test]
async fn everything_wrong_is_explained_and_the_state_is_read() {
    let ring = KeyRing::generate(SystemClock.now(), &OsRandom).unwrap();
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).keys(&ring).build();
    let service = Service::over(manager).await;
    let client = service.client();
    let issued = service.issue(Grant::new(Kind::Access).subject("alice")).await;
    let body =
        ExplainBody { id: Some(issued.token.id), scopes: names("write"), ..ExplainBody::default() };
    let explained = client.explain(&body).await.unwrap();
    assert_eq!(explained.refusals[0].code, "insufficient_scope");
    assert_eq!(explained.token.unwrap().state, TokenState::Active);

    assert_eq!(client.stats().await.unwrap().total, 2);
    assert!(client.doctor().await.unwrap().ok);
    let keys = client.keys(true).await.unwrap().keys;
    let states: Vec<_> = keys.iter().map(|key| (key.state.as_str(), key.records)).collect();
    assert_eq!(states, [("retired", Some(0)), ("active", Some(2))]);
    assert_eq!(client.keys(false).await.unwrap().keys[1].records, None);
    let ip = "192.0.2.1".parse().unwrap();
    assert!(client.limits(&LimitsQuery::new().ip(ip)).await.unwrap().policies.is_empty());
    let events = client.events(&EventsQuery::new().token(issued.token.id)).await.unwrap();
    assert_eq!(events.events[0].kind, "keyfob.token.issued");
    let observed = client.events(&EventsQuery::new().observations().after("latest")).await.unwrap();
    assert!(observed.events.is_empty());
}

#[tokio::test]
async fn a_person_opens_a_session_and_sees_what_it_may_do() {
    let service = Service::start().await;
    let key = service.client().caller().await.unwrap();
    assert!(key.ancestors.is_empty());
    let session = service.client().open_session(&Default::default()).await.unwrap();
    assert_eq!(session.token.kind, Kind::Session);
    let person = builder(service.address).bearer(session.bearer.expose()).build().unwrap();
    let caller = person.caller().await.unwrap();
    assert_eq!(caller.id, session.token.id);
    assert_eq!(caller.ancestors, [key.id]);
}
