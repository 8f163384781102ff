//! What a store held when it was let go of, it holds when it is opened again.

use keyfob::store::prelude::*;
use keyfob::store::*;
use keyfob::{KeyVersion, LaneCount, Subject, Ttl};

use crate::stage::{self, Stage};

#[tokio::test]
async fn everything_is_there_again() {
    let stage = Stage::new();
    let lanes = LaneCount::new(4).unwrap();
    let store = stage.options().lanes(lanes).open(stage.path()).unwrap();
    let key = store.namespace().key().clone();
    let [kept, revoked, covered, counted] = ["kept", "revoked", "covered", "counted"]
        .map(|subject| NewRecord { uses_left: Some(3), ..stage.record(&store, subject) });
    let id = kept.id;
    for record in [&kept, &revoked, &covered, &counted] {
        stage.insert(&store, vec![record.clone()]).await;
    }
    store.revoke(stage.operation(), stage.revocation(revoked.id)).await.unwrap();
    let field = covered.epochs.subject.unwrap();
    let advance = stage::advance(&stage.clock, covered.id.lane(), field);
    store.advance(stage.operation(), advance).await.unwrap();
    store.consume(stage.operation(), Consume { id: counted.id }).await.unwrap();
    store.touch(&[LastUse::new(id, stage.now())]).await.unwrap();
    store.observe(id.lane(), vec![b"refused".to_vec()]).await.unwrap();
    let replace = Replace {
        id,
        read: RecordVersion(1),
        body: b"new".to_vec(),
        key: KeyVersion::PLAINTEXT,
        added_terms: vec![stage::tag(&store, "added")],
        minted: vec![],
        ends_at: None,
        events: vec![b"replaced".to_vec()],
    };
    store.replace(stage.operation(), replace).await.unwrap();

    let all = [kept.id, revoked.id, covered.id, counted.id];
    let before = picture(&store, &all).await;
    drop(store);
    let store = stage.store();
    assert!(*store.namespace().key() == key, "digests under another key would find nothing");
    assert_eq!(store.namespace().lanes(), lanes);
    assert_eq!(picture(&store, &all).await, before);
    let verdict = async |id| store.load(id).await.unwrap().unwrap().verdict;
    assert_eq!(verdict(kept.id).await, Verdict::Clear);
    assert!(matches!(verdict(revoked.id).await, Verdict::Revoked(_)));
    assert!(matches!(verdict(covered.id).await, Verdict::Revoked(_)));
    assert_eq!(store.load(counted.id).await.unwrap().unwrap().uses_left, Some(2));
    stage::assert_sound(&store).await;
}

/// All that can be asked of a store, in words.
async fn picture(store: &keyfob_redb::RedbStore, ids: &[keyfob::TokenId]) -> String {
    let mut picture = String::new();
    let mut add = |fact: &dyn std::fmt::Debug| picture.push_str(&format!("{fact:?}\n"));
    for id in ids {
        add(&store.load(*id).await.unwrap());
    }
    for lane in store.namespace().lanes().lanes() {
        add(&store.stamp(lane).await.unwrap());
    }
    let kept = Subject::new("kept").unwrap();
    for term in [
        store.namespace().all(),
        store.namespace().subject(&kept),
        stage::tag(store, "mobile"),
        stage::tag(store, "added"),
    ] {
        for order in [Order::NewestFirst, Order::NextToExpire] {
            add(&stage::ids(store, term, order).await);
        }
        add(&store.count(term, None).await.unwrap());
    }
    for feed in [Feed::Events, Feed::Observations] {
        add(&store.entries(feed, &Cursor::start(), 100).await.unwrap());
        add(&store.latest(feed).await.unwrap());
    }
    picture
}

#[tokio::test]
async fn an_operation_gets_its_answer_again_after_a_reopen_and_has_its_effect_once() {
    let stage = Stage::new();
    let store = stage.store();
    let record = NewRecord { uses_left: Some(5), ..stage.record(&store, "user") };
    let (id, lane) = (record.id, record.id.lane());
    let field = record.epochs.subject.unwrap();
    let [insert, consume, advance, revoke] = std::array::from_fn(|_| stage.operation());
    let new = Insert { records: vec![record], events: vec![b"issued".to_vec()] };
    let revocation = Revoke { cascade: Some(field), ..stage.revocation(id) };
    let advancing = stage::advance(&stage.clock, lane, field);
    let answers = async |store: &keyfob_redb::RedbStore| {
        let inserted = store.insert(insert, new.clone()).await;
        let spent = store.consume(consume, Consume { id }).await;
        let advanced = store.advance(advance, advancing.clone()).await;
        let revoked = store.revoke(revoke, revocation.clone()).await;
        format!("{inserted:?} {spent:?} {advanced:?} {revoked:?}")
    };
    let first = answers(&store).await;
    let stamp = store.stamp(lane).await.unwrap();
    drop(store);
    let store = stage.store();
    assert_eq!(answers(&store).await, first);
    assert_eq!(store.stamp(lane).await.unwrap(), stamp, "no epoch moved again");
    assert_eq!(store.load(id).await.unwrap().unwrap().uses_left, Some(4));
    assert_eq!(stage::events(&store).await.len(), 2, "issued and advanced, once each");
}

#[tokio::test]
async fn a_clock_that_went_backwards_reorders_nothing() {
    let stage = Stage::new();
    let store = stage.store();
    let early = stage.now();
    stage.clock.advance(Ttl::from_mins(10));
    let first = stage.record(&store, "first");
    stage.insert(&store, vec![first.clone()]).await;
    let read = store.entries(Feed::Events, &Cursor::start(), 10).await.unwrap();
    let stamp = store.stamp(first.id.lane()).await.unwrap();
    drop(store);
    stage.clock.set(early);
    let store = stage.store();
    assert_eq!(store.stamp(first.id.lane()).await.unwrap(), stamp, "a sequence begins once");
    let second = stage.record(&store, "second");
    stage.insert(&store, vec![second]).await;
    let next = store.entries(Feed::Events, &read.cursor, 10).await.unwrap();
    assert_eq!(next.entries.len(), 1, "a reader who was ahead misses nothing");
    assert!(next.entries[0].position > read.entries[0].position);
    assert!(store.load(first.id).await.unwrap().unwrap().is_clear());
}

/// A file is read by whoever gets hold of it: it must hold what it was given, and no more.
#[tokio::test]
async fn nothing_is_written_that_was_not_given() {
    let stage = Stage::new();
    let store = stage.store();
    let name = "alice-in-wonderland";
    let body = b"sealed-bytes-only".to_vec();
    let record = NewRecord { body: body.clone(), ..stage.record(&store, name) };
    stage.insert(&store, vec![record]).await;
    let refused = NewRecord { body: b"never-stored".repeat(6000), ..stage.record(&store, name) };
    let insert = Insert { records: vec![refused], events: vec![b"never-happened".to_vec()] };
    let refused = store.insert(stage.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    let shown = format!("{store:?} {:?}", store.report().await.unwrap());
    drop(store);
    let file = std::fs::read(stage.path()).unwrap();
    let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(holds(&body), "what was given is there");
    for absent in [name.as_bytes(), b"never-stored", b"never-happened"] {
        assert!(!holds(absent), "{}", String::from_utf8_lossy(absent));
    }
    assert!(!shown.contains("sealed") && !shown.contains("namespace"), "{shown}");
}
