//! A store that is opened again has all its contents.

use keyfob::seal::KeyVersion;
use keyfob::store::LaneCount;
use keyfob::store::prelude::*;
use keyfob::store::*;
use keyfob::{Subject, Ttl};

use crate::fixture::{self, Fixture};

#[tokio::test]
async fn a_reopened_store_has_all_its_contents() {
    let fixture = Fixture::new();
    let lanes = LaneCount::new(4).unwrap();
    let store = fixture.options().lanes(lanes).open(fixture.path()).unwrap();
    let key = store.namespace().key().clone();
    let [kept, revoked, covered, counted] = ["kept", "revoked", "covered", "counted"]
        .map(|subject| NewRecord { uses_left: Some(3), ..fixture.record(&store, subject) });
    let id = kept.id;
    for record in [&kept, &revoked, &covered, &counted] {
        fixture.insert(&store, vec![record.clone()]).await;
    }
    store.revoke(fixture.operation(), fixture.revocation(revoked.id)).await.unwrap();
    let field = covered.epochs.subject.unwrap();
    let advance = fixture::advance(&fixture.clock, covered.id.lane(), field);
    store.advance(fixture.operation(), advance).await.unwrap();
    store.consume(fixture.operation(), Consume { id: counted.id }).await.unwrap();
    store.touch(&[LastUse::new(id, fixture.now())]).await.unwrap();
    store.observe(id.lane(), vec![b"refused".to_vec()]).await.unwrap();
    let replace = Replace {
        id,
        read: RecordVersion(1),
        body: b"new".to_vec(),
        key: KeyVersion::PLAINTEXT,
        added_terms: vec![fixture::tag(&store, "added")],
        minted: vec![],
        ends_at: None,
        clear: None,
        events: vec![b"replaced".to_vec()],
    };
    store.replace(fixture.operation(), replace).await.unwrap();

    let all = [kept.id, revoked.id, covered.id, counted.id];
    let before = contents(&store, &all).await;
    drop(store);
    let store = fixture.store();
    assert!(*store.namespace().key() == key, "under another key, no digest would match");
    assert_eq!(store.namespace().lanes(), lanes);
    let after = contents(&store, &all).await;
    for ((label, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(after, before, "{label}");
    }
    assert_eq!(after.len(), before.len());
    let verdict = async |id| store.load(id).await.unwrap().unwrap().verdict;
    assert_eq!(verdict(kept.id).await, Verdict::Clear);
    assert!(matches!(verdict(revoked.id).await, Verdict::Revoked(_)));
    assert!(matches!(verdict(covered.id).await, Verdict::Revoked(_)));
    assert_eq!(store.load(counted.id).await.unwrap().unwrap().uses_left, Some(2));
    fixture::assert_consistent(&store).await;
}

/// The answers of all read methods of a store, each with a label.
async fn contents(
    store: &keyfob_redb::RedbStore,
    ids: &[keyfob::TokenId],
) -> Vec<(String, String)> {
    let mut contents = Vec::new();
    let mut add = |label: String, answer: &dyn std::fmt::Debug| {
        contents.push((label, format!("{answer:?}")));
    };
    for id in ids {
        add(format!("load {id}"), &store.load(*id).await.unwrap());
    }
    for lane in store.namespace().lanes().lanes() {
        add(format!("stamp of {lane:?}"), &store.stamp(lane).await.unwrap());
    }
    let kept = Subject::new("kept").unwrap();
    for term in [
        store.namespace().all(),
        store.namespace().subject(&kept),
        fixture::tag(store, "mobile"),
        fixture::tag(store, "added"),
    ] {
        for order in [Order::NewestFirst, Order::NextToExpire] {
            let ids = fixture::ids(store, term, order).await;
            add(format!("query {term:?} {order:?}"), &ids);
        }
        add(format!("count {term:?}"), &store.count(term, None).await.unwrap());
    }
    for feed in [Feed::Events, Feed::Observations] {
        let entries = store.entries(feed, &Cursor::start(), 100).await.unwrap();
        add(format!("entries of {feed:?}"), &entries);
        add(format!("latest of {feed:?}"), &store.latest(feed).await.unwrap());
    }
    contents
}

#[tokio::test]
async fn an_operation_that_is_sent_again_after_a_reopen_gets_the_same_answer() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let record = NewRecord { uses_left: Some(5), ..fixture.record(&store, "user") };
    let (id, lane) = (record.id, record.id.lane());
    let field = record.epochs.subject.unwrap();
    let [insert, consume, advance, revoke] = std::array::from_fn(|_| fixture.operation());
    let new = Insert { records: vec![record], events: vec![b"issued".to_vec()] };
    let revocation = Revoke { cascade: Some(field), ..fixture.revocation(id) };
    let advancing = fixture::advance(&fixture.clock, lane, field);
    let answers = async |store: &keyfob_redb::RedbStore| {
        let inserted = store.insert(insert, new.clone()).await;
        let consumed = store.consume(consume, Consume { id }).await;
        let advanced = store.advance(advance, advancing.clone()).await;
        let revoked = store.revoke(revoke, revocation.clone()).await;
        format!("{inserted:?} {consumed:?} {advanced:?} {revoked:?}")
    };
    let first = answers(&store).await;
    let stamp = store.stamp(lane).await.unwrap();
    drop(store);
    let store = fixture.store();
    assert_eq!(answers(&store).await, first);
    assert_eq!(store.stamp(lane).await.unwrap(), stamp, "no epoch was advanced twice");
    assert_eq!(store.load(id).await.unwrap().unwrap().uses_left, Some(4));
    assert_eq!(fixture::events(&store).await.len(), 2, "issued and advanced, once each");
}

#[tokio::test]
async fn a_clock_that_was_set_back_reorders_no_events() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let early = fixture.now();
    fixture.clock.advance(Ttl::from_mins(10));
    let first = fixture.record(&store, "first");
    fixture.insert(&store, vec![first.clone()]).await;
    let read = store.entries(Feed::Events, &Cursor::start(), 10).await.unwrap();
    let stamp = store.stamp(first.id.lane()).await.unwrap();
    drop(store);
    fixture.clock.set(early);
    let store = fixture.store();
    assert_eq!(store.stamp(first.id.lane()).await.unwrap(), stamp, "a sequence has one start");
    let second = fixture.record(&store, "second");
    fixture.insert(&store, vec![second]).await;
    let next = store.entries(Feed::Events, &read.cursor, 10).await.unwrap();
    assert_eq!(next.entries.len(), 1, "a reader that read later events misses nothing");
    assert!(next.entries[0].position > read.entries[0].position);
    assert!(store.load(first.id).await.unwrap().unwrap().is_clear());
}

/// An attacker may get the file. It contains only the data that callers passed to the store.
#[tokio::test]
async fn the_file_contains_only_data_of_stored_records() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let name = "alice-in-wonderland";
    let body = b"sealed-bytes-only".to_vec();
    let record = NewRecord { body: body.clone(), ..fixture.record(&store, name) };
    fixture.insert(&store, vec![record]).await;
    let refused = NewRecord { body: b"never-stored".repeat(6000), ..fixture.record(&store, name) };
    let insert = Insert { records: vec![refused], events: vec![b"never-happened".to_vec()] };
    let refused = store.insert(fixture.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    let shown = format!("{store:?} {:?}", store.report().await.unwrap());
    drop(store);
    let file = std::fs::read(fixture.path()).unwrap();
    let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(holds(&body), "the body is in the file");
    for absent in [name.as_bytes(), b"never-stored", b"never-happened"] {
        assert!(!holds(absent), "{}", String::from_utf8_lossy(absent));
    }
    assert!(!shown.contains("sealed") && !shown.contains("namespace"), "{shown}");
}
