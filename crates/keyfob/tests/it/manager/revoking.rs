//! Revocations of every scope, and sweeps.

use keyfob::manager::ResumeToken;
use keyfob::rotation::SecretOverlap;
use keyfob::token::RevocationScope;
use keyfob::{
    ClientId, Error, Filter, Grant, Kind, Leaked, Paging, RevokeOutcome, RevokeRequest,
    RotateRequest, Subject, Token, TokenId, Ttl, UpdateRequest,
};

use super::{Bench, bench, session};

async fn through(bench: &Bench, id: TokenId) -> Option<RevocationScope> {
    bench.manager.get(id).await.unwrap().revocation.map(|revocation| revocation.through)
}

#[tokio::test]
async fn the_first_revocation_keeps_its_time_reason_and_actor() {
    let bench = bench();
    let id = bench.manager.issue(session("user123")).await.unwrap().token.id;
    let at = bench.manager.now();
    let why = RevokeRequest::reason("user logout").by("user123");
    assert_eq!(bench.manager.revoke(id, why).await.unwrap(), RevokeOutcome::Revoked);
    bench.clock.advance(Ttl::from_mins(1));
    let again = bench.manager.revoke(id, RevokeRequest::reason("another").by("ops")).await.unwrap();
    let RevokeOutcome::AlreadyRevoked(first) = again else { panic!("{again:?}") };
    assert_eq!((first.at, first.through), (at, RevocationScope::Token));
    assert_eq!(first.reason.unwrap().as_str(), "user logout");
    assert_eq!(first.by.unwrap().as_str(), "user123");
}

#[tokio::test]
async fn revoking_what_is_not_there_or_for_a_bad_reason_is_an_error() {
    let bench = bench();
    let unknown: TokenId = "tok_00d1h88n000000000000000001".parse().unwrap();
    let missing = bench.manager.revoke(unknown, RevokeRequest::default()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
    let bad = bench.manager.revoke(unknown, RevokeRequest::reason("a\u{0}b")).await.unwrap_err();
    assert!(matches!(bad, Error::Invalid(_)));
}

#[tokio::test]
async fn a_family_that_never_was_is_not_found() {
    let bench = bench();
    let unknown = "tok_00d1h88n000000000000000001".parse().unwrap();
    let missing = bench.manager.revoke_family(unknown, RevokeRequest::default()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
    assert!(
        bench.manager.events(&keyfob::store::Cursor::start(), 9).await.unwrap().events.is_empty()
    );
}

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_while_forgets_no_epoch() {
    let bench = bench();
    let mut ids = Vec::new();
    for n in 0..200 {
        let grant = Grant::new(Kind::Access).subject("user1").tag(format!("t{n}"));
        ids.push(bench.manager.issue(grant).await.unwrap().token.id);
    }
    let subject = Subject::new("user1").unwrap();
    bench.manager.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
    let right = bench.manager.now();
    bench.clock.set(right + Ttl::from_hours(9));
    // Writes that remove expired data, among them many epochs of the same lane.
    for n in 0..3 {
        let token = bench.manager.issue(session("user1").tag(format!("x{n}"))).await.unwrap().token;
        bench.manager.revoke(token.id, RevokeRequest::default()).await.unwrap();
    }
    bench.clock.set(right);
    for id in ids {
        if let Ok(token) = bench.manager.get(id).await {
            assert!(token.revocation.is_some(), "{id} must stay revoked");
        }
    }
}

#[tokio::test]
async fn a_token_is_revoked_with_each_ancestor_and_with_no_descendant() {
    let bench = bench();
    let root = bench.manager.issue(session("user123")).await.unwrap().token;
    let child = bench.manager.mint(root.id, Grant::new(Kind::Access)).await.unwrap().token;
    let grandchild = bench.manager.mint(child.id, Grant::new(Kind::Access)).await.unwrap().token;
    let sibling = bench.manager.mint(root.id, Grant::new(Kind::Access)).await.unwrap().token;

    bench.manager.revoke(child.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(through(&bench, root.id).await, None);
    assert_eq!(through(&bench, sibling.id).await, None);
    assert_eq!(through(&bench, child.id).await, Some(RevocationScope::Token));
    assert_eq!(through(&bench, grandchild.id).await, Some(RevocationScope::Ancestor(child.id)));

    bench.manager.revoke_family(root.family.unwrap(), RevokeRequest::default()).await.unwrap();
    assert_eq!(through(&bench, root.id).await, Some(RevocationScope::Token));
    assert_eq!(through(&bench, sibling.id).await, Some(RevocationScope::Ancestor(root.id)));
}

#[tokio::test]
async fn epochs_cover_what_was_issued_before_and_nothing_after() {
    let bench = bench();
    let subject = Subject::new("user1").unwrap();
    let client = ClientId::new("web").unwrap();
    let issue = async |subject: &str, client: &str| -> Token {
        let grant = Grant::new(Kind::Access).subject(subject).client(client);
        bench.manager.issue(grant).await.unwrap().token
    };
    let one = issue("user1", "web").await;
    let two = issue("user2", "web").await;
    let three = issue("user3", "cron").await;

    bench.manager.revoke_subject(&subject, RevokeRequest::reason("stolen")).await.unwrap();
    assert_eq!(through(&bench, one.id).await, Some(RevocationScope::Subject));
    assert_eq!(through(&bench, two.id).await, None);
    let after = issue("user1", "web").await;
    assert_eq!(through(&bench, after.id).await, None);

    bench.manager.revoke_client(&client, RevokeRequest::default()).await.unwrap();
    assert_eq!(through(&bench, two.id).await, Some(RevocationScope::Client));
    assert_eq!(through(&bench, after.id).await, Some(RevocationScope::Client));
    assert_eq!(through(&bench, three.id).await, None);

    bench.manager.revoke_all(RevokeRequest::reason("incident 7").by("on call")).await.unwrap();
    let revocation = bench.manager.get(three.id).await.unwrap().revocation.unwrap();
    assert_eq!(revocation.through, RevocationScope::All);
    assert_eq!(revocation.reason.unwrap().as_str(), "incident 7");
    let last = issue("user3", "cron").await;
    assert_eq!(through(&bench, last.id).await, None);
}

#[tokio::test]
async fn the_first_revocation_is_reported() {
    let bench = bench();
    let id = bench.manager.issue(session("user1")).await.unwrap().token.id;
    let subject = Subject::new("user1").unwrap();
    bench.manager.revoke_subject(&subject, RevokeRequest::reason("stolen laptop")).await.unwrap();
    bench.manager.revoke_all(RevokeRequest::reason("incident 7")).await.unwrap();
    bench.manager.revoke(id, RevokeRequest::reason("clean up")).await.unwrap();
    let revocation = bench.manager.get(id).await.unwrap().revocation.unwrap();
    assert_eq!(revocation.through, RevocationScope::Subject);
    assert_eq!(revocation.reason.unwrap().as_str(), "stolen laptop");
}

#[tokio::test]
async fn a_sweep_counts_first_shows_progress_and_resumes() {
    let bench = bench();
    for n in 0..250 {
        let grant = session(&format!("user{n}")).tag(if n % 5 == 0 { "beta" } else { "stable" });
        bench.manager.issue(grant).await.unwrap();
    }
    let filter = || Filter::new().tag("stable");
    let sweep = bench.manager.sweep(filter(), RevokeRequest::reason("bad build"));
    assert_eq!(sweep.dry_run().await.unwrap(), 200);
    assert_eq!(
        bench.manager.count(&Filter::new().state(keyfob::TokenState::Active)).await.unwrap(),
        250
    );

    // A second sweep resumes where the first was interrupted, after its first page.
    let mut sweep = bench.manager.sweep(filter(), RevokeRequest::reason("bad build"));
    let mut pages = Vec::new();
    let interrupted = sweep.run(|progress| pages.push(progress.clone()));
    drop(interrupted);
    let done = sweep.run(|progress| pages.push(progress.clone())).await.unwrap();
    assert_eq!(done.revoked, 200);
    assert_eq!(done.resume, ResumeToken::Done);
    assert!(pages.len() > 1);
    let mut rest = bench
        .manager
        .sweep(filter(), RevokeRequest::reason("again"))
        .resume(pages[0].resume.cursor().unwrap());
    let rest = rest.run(|_| {}).await.unwrap();
    assert_eq!((rest.revoked, rest.examined), (0, 100));
    assert_eq!(
        bench.manager.count(&Filter::new().state(keyfob::TokenState::Active)).await.unwrap(),
        50
    );
}

#[tokio::test(start_paused = true)]
async fn a_throttled_sweep_keeps_its_rate() {
    let bench = bench();
    for n in 0..300 {
        bench.manager.issue(session(&format!("user{n}")).tag("x")).await.unwrap();
    }
    let started = tokio::time::Instant::now();
    let filter = Filter::new().tag("x");
    let mut sweep = bench.manager.sweep(filter, RevokeRequest::default()).throttle(50);
    sweep.run(|_| {}).await.unwrap();
    // Three pages of a hundred, with a pause between them.
    assert!(started.elapsed() >= std::time::Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_update_never_revives_a_revoked_token() {
    let bench = bench();
    let id = bench.manager.issue(session("user123")).await.unwrap().token.id;
    let manager = bench.manager.clone();
    // The revocation happens between the read and the write of the update.
    let update = bench
        .manager
        .update(id, UpdateRequest::new(), |metadata| {
            let revoke = manager.revoke(id, RevokeRequest::default());
            futures_util::FutureExt::now_or_never(revoke).unwrap().unwrap();
            metadata.tags.insert("vip".try_into()?)
        })
        .await;
    assert!(matches!(update, Err(Error::Ended { .. })), "{update:?}");
    let token = bench.manager.get(id).await.unwrap();
    assert!(token.revocation.is_some() && token.metadata.tags.is_empty());
    let page = bench.manager.list(&Filter::new().tag("vip"), Paging::new(1)).await.unwrap();
    assert!(page.tokens.is_empty());
}

#[tokio::test]
async fn every_generation_of_a_refresh_token_that_was_leaked_revokes_its_family() {
    let bench = bench();
    let first = bench.family().await;
    let next = bench.refresh(&first.bearer).await.unwrap();
    let leaked = bench.manager.revoke_leaked(first.bearer.expose(), "leaked").await.unwrap();
    assert!(matches!(leaked, Leaked::Revoked(_)), "{leaked:?}");
    assert!(bench.manager.validate_active(&next.access.bearer).await.is_err());
    assert!(bench.refresh(&next.refresh.bearer).await.is_err());
    let again = bench.manager.revoke_leaked(next.refresh.bearer.expose(), "leaked").await.unwrap();
    assert!(matches!(again, Leaked::AlreadyRevoked(_)), "{again:?}");
}

#[tokio::test]
async fn a_secret_that_a_key_has_no_longer_does_not_revoke_the_key() {
    let bench = bench();
    let key = bench.manager.issue(Grant::new(Kind::ApiKey)).await.unwrap();
    bench.manager.validate_active(&key.bearer).await.unwrap();
    let overlap = RotateRequest::new().overlap(SecretOverlap::new(Ttl::from_mins(5)));
    let rotated = bench.manager.rotate(key.token.id, overlap).await.unwrap();
    bench.clock.advance(Ttl::from_mins(6));
    let leaked = bench.manager.revoke_leaked(key.bearer.expose(), "leaked").await.unwrap();
    assert!(matches!(leaked, Leaked::Replaced(_)), "{leaked:?}");
    assert!(bench.manager.validate_active(&rotated.bearer).await.is_ok());
    let leaked = bench.manager.revoke_leaked(rotated.bearer.expose(), "leaked").await.unwrap();
    assert!(matches!(leaked, Leaked::Revoked(_)), "{leaked:?}");
    assert!(bench.manager.validate_active(&rotated.bearer).await.is_err());
}
