//! Key changes, and resealing of records with older keys.

use super::super::refreshing;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_changed_while_traffic_flows() {
    let vault = Vault::new();
    let old = ring(1);
    let manager = vault.sealed(&old);
    let mut issued = Vec::new();
    for n in 0..1200 {
        let grant = session(&format!("user{}", n % 7)).tag("all");
        issued.push(manager.issue(grant).await.unwrap());
        vault.clock.advance(Ttl::from_millis(1).unwrap());
    }
    let mut ring = turned(&old, NewKey::SealingAndTerms, 2);
    manager.set_keys(&ring).unwrap();
    let filter = Filter::new().tag("all");

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let traffic = {
        let (manager, some) = (manager.clone(), issued[..40].to_vec());
        let filter = filter.clone();
        tokio::spawn(async move {
            let mut more = Vec::new();
            while !*stopped.borrow() {
                more.push(manager.issue(session("user1").tag("all")).await.unwrap());
                let id = some[more.len() % some.len()].token.id;
                let tag = format!("t{}", more.len());
                let change = |metadata: &mut keyfob::Metadata| {
                    metadata.tags.insert(tag.as_str().try_into()?)
                };
                // The number of tags of a token is limited.
                let _full = manager.update(id, keyfob::UpdateRequest::new(), change).await;
                let mut listed = 0;
                let mut paging = Paging::new(1000);
                loop {
                    let page = manager.list(&filter, paging.clone()).await.unwrap();
                    listed += page.tokens.len();
                    match page.next {
                        Some(next) => paging = paging.after(Some(next)),
                        None => break,
                    }
                }
                assert!(listed >= 1200, "a list during the change is complete: {listed}");
                tokio::task::yield_now().await;
            }
            more
        })
    };
    let mut pages = 0;
    let mut cursor = None;
    let mut reseal = manager.reseal().unwrap();
    let count = |progress: &keyfob::manager::ResealProgress| {
        pages += 1;
        cursor = cursor.take().or(progress.resume.cursor());
    };
    let done = reseal.run(count).await.unwrap();
    stop.send(true).unwrap();
    let more = traffic.await.unwrap();
    assert!(pages >= 3 && done.resealed >= 1100, "{pages} pages, {done:?}");

    // A second run reads fewer records and reseals none.
    let again = manager.reseal().unwrap().resume(cursor.unwrap()).run(|_| {}).await.unwrap();
    assert_eq!((again.resealed, again.unreadable), (0, 0));
    assert!(again.examined < done.examined);
    let (first, second) = (KeyVersion::FIRST, ring.active());
    let counts = manager.count_by_key().await.unwrap();
    assert_eq!(counts.keys().collect::<Vec<_>>(), [&second], "{counts:?}");
    for key in [KeyVersion::PLAINTEXT, first] {
        manager.retire_key(&mut ring, key).await.unwrap();
    }
    manager.set_keys(&ring).unwrap();
    assert_eq!(manager.count(&filter).await.unwrap(), (1200 + more.len()) as u64);
    for issued in issued.iter().chain(&more) {
        assert!(is_valid(&manager, issued).await);
    }
    // A node with the old ring reads the records that it can open, and writes nothing.
    let stale = vault.sealed(&old);
    assert_eq!(stale.issue(session("user1")).await.unwrap_err().code(), "key_retired");
}

#[tokio::test]
async fn resealing_keeps_what_a_token_is() {
    let vault = Vault::new();
    let old = ring(1);
    let manager = vault.sealed(&old);
    let family = manager.issue(session("user123")).await.unwrap();
    let grant = keyfob::Grant::new(keyfob::Kind::Access);
    let child = manager.mint(family.token.id, grant).await.unwrap();
    let revoked = manager.issue(session("user123")).await.unwrap();
    manager.revoke(revoked.token.id, RevokeRequest::reason("user logout")).await.unwrap();
    let ids = [family.token.id, child.token.id, revoked.token.id];
    let mut before = Vec::new();
    for id in ids {
        before.push(manager.get(id).await.unwrap());
    }
    manager.set_keys(&turned(&old, NewKey::SealingAndTerms, 2)).unwrap();
    let events = manager.latest_event().await.unwrap();
    assert_eq!(manager.reseal().unwrap().run(|_| {}).await.unwrap().resealed, 3);
    for (id, before) in ids.into_iter().zip(before) {
        assert_eq!(manager.get(id).await.unwrap(), before);
        assert_eq!(vault.raw(id).await.key.value(), 2);
    }
    let new_events = manager.events(&events, 10).await.unwrap().events;
    assert!(new_events.is_empty(), "resealing writes no events");
    manager.revoke(family.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(
        code(&manager, &child).await,
        "token_revoked",
        "a cascade reaches what was resealed"
    );
}

#[tokio::test]
async fn cached_tokens_stay_valid_through_a_reseal() {
    let vault = Vault::new();
    let old = ring(1);
    let manager = vault.sealed(&old);
    let issued = manager.issue(session("user123")).await.unwrap();
    let chain = ValidationChain::new();
    assert!(manager.validate(&issued.bearer, &chain).await.is_ok());
    manager.set_keys(&turned(&old, NewKey::Sealing, 2)).unwrap();
    manager.reseal().unwrap().run(|_| {}).await.unwrap();
    assert!(manager.validate(&issued.bearer, &chain).await.is_ok());
    manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
    let refused = manager.validate(&issued.bearer, &chain).await.unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
}

#[tokio::test]
async fn a_record_changed_during_a_reseal_is_found_and_resealed() {
    let vault = Vault::new();
    let before = [vault.bare().issue(session("user123").tag("old")).await.unwrap()];
    let old = ring(1);
    let sealed = vault.sealed(&old);
    let issued = sealed.issue(session("user123").tag("old")).await.unwrap();
    let mut ring = turned(&old, NewKey::SealingAndTerms, 2);
    let manager = vault.sealed(&ring);
    let ids = [before[0].token.id, issued.token.id];
    for id in ids {
        let change = |metadata: &mut keyfob::Metadata| metadata.tags.insert("new".try_into()?);
        manager.update(id, keyfob::UpdateRequest::new(), change).await.unwrap();
        assert_eq!(vault.raw(id).await.key, ring.active(), "a write seals the record immediately");
    }
    let counts = manager.count_by_key().await.unwrap();
    let expected = [(KeyVersion::PLAINTEXT, 1), (KeyVersion::FIRST, 1)];
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        expected,
        "the terms of these records are older"
    );
    let found = async |tag: &str| {
        let tag = Filter::new().tag(tag);
        let mut found = ids_of(&manager, &tag).await;
        found.sort();
        found
    };
    let mut all = ids;
    all.sort();
    for tag in ["old", "new"] {
        assert_eq!(found(tag).await, all, "{tag}");
    }
    for key in [KeyVersion::PLAINTEXT, KeyVersion::FIRST] {
        assert!(manager.retire_key(&mut ring, key).await.is_err(), "{key:?} is needed");
    }
    assert_eq!(manager.reseal().unwrap().run(|_| {}).await.unwrap().resealed, 2);
    for key in [KeyVersion::PLAINTEXT, KeyVersion::FIRST] {
        manager.retire_key(&mut ring, key).await.unwrap();
    }
    manager.set_keys(&ring).unwrap();
    for tag in ["old", "new"] {
        assert_eq!(found(tag).await, all, "{tag}");
    }
}

#[tokio::test]
async fn session_indexes_are_resealed() {
    let vault = Vault::new();
    let old = ring(1);
    let policy = SessionPolicy::new(2, WhenFull::RetireOldest).unwrap();
    let builder = TokenManager::builder(vault.store.clone()).clock(vault.clock.clone());
    let manager = builder.keys(&old).sessions(policy).build();
    for n in 0..3 {
        manager.issue(session(&format!("user{n}"))).await.unwrap();
    }
    let mut ring = turned(&old, NewKey::SealingAndTerms, 2);
    manager.set_keys(&ring).unwrap();
    let under = |count| [(KeyVersion::FIRST, count)].into_iter().collect();
    assert_eq!(
        manager.count_by_key().await.unwrap(),
        under(6),
        "three sessions and three session indexes"
    );
    // The reseal is stopped between the tokens and the session indexes, and resumed from there.
    let mut first = None;
    let mut reseal = manager.reseal().unwrap();
    reseal
        .run(|progress| {
            first.get_or_insert(progress.clone());
        })
        .await
        .unwrap();
    let first = first.unwrap();
    assert_eq!((first.resealed, reseal.progress().resealed), (3, 6));
    let cursor: PageCursor = first.resume.cursor().unwrap().to_string().parse().unwrap();
    let resumed = manager.reseal().unwrap().resume(cursor).run(|_| {}).await.unwrap();
    assert_eq!((resumed.examined, resumed.resealed), (3, 0));

    for key in [KeyVersion::PLAINTEXT, KeyVersion::FIRST] {
        manager.retire_key(&mut ring, key).await.unwrap();
    }
    manager.set_keys(&ring).unwrap();
    let subject = Filter::new().subject("user0").state(keyfob::TokenState::Active);
    for _ in 0..3 {
        vault.clock.advance(Ttl::from_secs(1));
        manager.issue(session("user0")).await.unwrap();
        assert!(ids_of(&manager, &subject).await.len() <= 2);
    }
    // A session index is not a token.
    assert_eq!(ids_of(&manager, &Filter::new()).await.len(), 6);
}

#[tokio::test]
async fn a_retry_gets_the_same_pair_under_every_key() {
    let vault = Vault::new();
    let old = ring(1);
    let manager = vault.sealed(&old);
    let first = manager.issue(refreshing::family()).await.unwrap();
    let next = manager.refresh(&first.bearer, RefreshRequest::new()).await.unwrap();
    let ring = turned(&old, NewKey::SealingAndTerms, 2);
    manager.set_keys(&ring).unwrap();
    manager.reseal().unwrap().run(|_| {}).await.unwrap();
    for manager in [&manager, &vault.sealed(&ring)] {
        let again = manager.refresh(&first.bearer, RefreshRequest::new()).await.unwrap();
        assert_eq!(again.case, RefreshCase::Replayed);
        let text = |issued: &Issued| issued.bearer.expose().to_owned();
        assert_eq!(text(&again.access), text(&next.access));
        assert_eq!(text(&again.refresh), text(&next.refresh));
        assert!(is_valid(manager, &again.access).await);
    }
    let third = vault.sealed(&ring).refresh(&next.refresh.bearer, RefreshRequest::new()).await;
    assert_eq!(third.unwrap().case, RefreshCase::Rotated);
    assert_eq!(vault.raw(first.token.id).await.key, ring.active());
}

#[tokio::test]
async fn a_node_with_an_old_ring_gets_an_error_that_names_the_key() {
    let vault = Vault::new();
    let mut ring = turned(&ring(1), NewKey::Sealing, 2);
    let manager = vault.sealed(&ring);
    for key in [KeyVersion::PLAINTEXT, KeyVersion::FIRST] {
        manager.retire_key(&mut ring, key).await.unwrap();
    }
    let lacks = async |manager: &TokenManager| {
        let report = manager.report().await.unwrap();
        let is_ready = report.is_ready();
        let found = report.findings;
        assert_eq!(is_ready, found.iter().all(|finding| finding.severity != Severity::Fault));
        let found = found.into_iter().find(|finding| finding.what == "key ring")?;
        assert_eq!(found.severity, Severity::Fault);
        Some(found.advice)
    };
    assert_eq!(lacks(&manager).await, None);
    let stale = lacks(&vault.sealed(&super::ring(1))).await.unwrap();
    assert!(stale.contains("key 2") && stale.contains("seals under key 1"), "{stale}");
    let bare = lacks(&vault.bare()).await.unwrap();
    assert!(bare.contains("has no keys"), "{bare}");
    assert!(manager.report().await.unwrap().is_ready());
    assert!(!vault.bare().report().await.unwrap().is_ready());
}

#[tokio::test]
async fn plaintext_notes_from_before_sealing_are_dropped_without_an_integrity_error() {
    let vault = Vault::new();
    let before = vault.bare().issue(session("user123")).await.unwrap();
    vault.bare().revoke(before.token.id, RevokeRequest::reason("user logout")).await.unwrap();
    let mut ring = ring(1);
    let manager = vault.sealed(&ring);
    let reason = async |manager: &TokenManager| {
        let revocation = manager.get(before.token.id).await.unwrap().revocation.unwrap();
        revocation.reason.map(|reason| reason.as_str().to_owned())
    };
    assert_eq!(reason(&manager).await.as_deref(), Some("user logout"));
    manager.reseal().unwrap().run(|_| {}).await.unwrap();
    manager.retire_key(&mut ring, KeyVersion::PLAINTEXT).await.unwrap();
    manager.set_keys(&ring).unwrap();
    assert_eq!(reason(&manager).await, None, "the token is revoked without a readable reason");
    let new_events = manager.events(&Cursor::start(), 10).await.unwrap().events;
    assert!(new_events.is_empty(), "{new_events:?}");
    let findings = manager.report().await.unwrap().findings;
    let accused = findings.iter().find(|finding| finding.what == "sealed records");
    assert!(accused.is_none(), "{accused:?}");
}

/// A key provider with a replaceable ring, which can fail on request.
#[derive(Clone, Debug)]
struct Changing(Arc<std::sync::Mutex<Option<KeyRing>>>);

impl Changing {
    fn change(&self, ring: Option<&KeyRing>) {
        *self.0.lock().unwrap() = ring.cloned();
    }
}

#[async_trait]
impl KeyProvider for Changing {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        let ring = self.0.lock().unwrap().clone();
        ring.ok_or(KeyError::NoneActive)
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_polled_until_the_shutdown_and_the_ring_stays_when_it_fails() {
    let vault = Vault::new();
    let first = ring(1);
    let second = turned(&first, NewKey::Sealing, 2);
    let manager = vault.sealed(&first);
    let provider = Changing(Arc::default());
    manager.poll_keys(provider.clone(), Ttl::from_secs(60)).unwrap();
    let sealed_under = async || {
        let id = manager.issue(session("user123")).await.unwrap().token.id;
        vault.raw(id).await.key
    };
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    assert_eq!(sealed_under().await, first.active(), "the provider failed");
    provider.change(Some(&second));
    assert_eq!(sealed_under().await, first.active(), "the provider was not polled yet");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(sealed_under().await, second.active());
    manager.shutdown().await;
    let third = turned(&second, NewKey::Sealing, 3);
    provider.change(Some(&third));
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    assert_eq!(
        sealed_under().await,
        second.active(),
        "the provider is not polled after the shutdown"
    );
    assert!(vault.bare().poll_keys(provider, Ttl::from_secs(60)).is_err());
}

#[tokio::test]
async fn documents_are_sealed_under_the_active_key_and_sealed_again() {
    let vault = Vault::new();
    let old = ring(1);
    let manager = vault.sealed(&old);
    let names: Vec<DocumentName> = (0..120).map(|n| format!("a/{n}").parse().unwrap()).collect();
    for name in &names {
        let body = format!("the secret of {name}").into_bytes();
        manager.write_document(name, None, Some(body)).await.unwrap();
    }
    let stored = || async { vault.store.read_document(&names[7]).await.unwrap().unwrap() };
    assert_eq!(stored().await.key, KeyVersion::FIRST);
    assert!(!stored().await.body.windows(6).any(|window| window == b"secret"));

    // A document under the name of another does not open.
    let moved = stored().await;
    let write = WriteDocument {
        key: moved.key,
        ..WriteDocument::new("b/1".parse().unwrap(), None, Some(moved.body))
    };
    let operation = vault.operation();
    vault.store.write_document(operation, write).await.unwrap();
    let read = manager.read_document(&"b/1".parse().unwrap()).await.unwrap_err();
    assert_eq!(read.code(), "not_opened");

    let mut ring = turned(&old, NewKey::SealingAndTerms, 2);
    manager.set_keys(&ring).unwrap();
    let done = manager.reseal().unwrap().run(|_| {}).await.unwrap();
    assert_eq!((done.resealed, done.unreadable), (120, 1));
    manager.retire_key(&mut ring, KeyVersion::PLAINTEXT).await.unwrap();
    let refused = manager.retire_key(&mut ring, KeyVersion::FIRST).await.unwrap_err();
    assert!(refused.to_string().contains('1'), "{refused}");
    let bad: DocumentName = "b/1".parse().unwrap();
    let version = vault.store.read_document(&bad).await.unwrap().unwrap().version;
    manager.write_document(&bad, Some(version), None).await.unwrap();
    manager.retire_key(&mut ring, KeyVersion::FIRST).await.unwrap();
    assert_eq!(stored().await.key, ring.active());
    let read = manager.read_document(&names[7]).await.unwrap().unwrap();
    assert_eq!(read.body, b"the secret of a/7");
    let folder = Some("a".parse().unwrap());
    let list = ListDocuments { folder, after: None, limit: 100 };
    assert_eq!(manager.list_documents(&list).await.unwrap().len(), 100);
}
