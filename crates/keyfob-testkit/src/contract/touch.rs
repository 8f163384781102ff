//! Touch: the latest time wins, and nothing else changes.

use keyfob::store::{LastUse, NewRecord, Order, RecordVersion, Replaced};
use keyfob::{TokenId, Ttl};

use super::scene::Scene;

async fn touch(scene: &Scene, uses: &[LastUse]) {
    scene.store().touch(uses).await.expect("a touch is answered");
}

/// A later time wins, whichever came first.
pub async fn the_later_time_wins(scene: Scene) {
    let records = [scene.record(scene.lane(0)), scene.record(scene.lane(1))];
    let [one, other] = records.each_ref().map(|record| record.id);
    for record in records {
        scene.insert(record).await;
    }
    let early = scene.now();
    let late = early + Ttl::from_secs(9);
    touch(&scene, &[LastUse::new(one, early)]).await;
    assert_eq!(scene.loaded(one).await.last_used, Some(early), "the first use");
    assert_eq!(scene.loaded(other).await.last_used, None, "another token was not used");
    touch(&scene, &[LastUse::new(one, late), LastUse::new(other, late)]).await;
    touch(&scene, &[LastUse::new(one, early), LastUse::new(other, early)]).await;
    for id in [one, other] {
        assert_eq!(scene.loaded(id).await.last_used, Some(late), "an earlier time changes nothing");
    }
    let later = late + Ttl::from_secs(1);
    let uses = [late, later, early].map(|at| LastUse::new(one, at));
    touch(&scene, &uses).await;
    assert_eq!(scene.loaded(one).await.last_used, Some(later), "the latest of one call wins");
}

/// An unknown token is passed over, and those that came with it are not.
pub async fn an_unknown_token_is_passed_over(scene: Scene) {
    touch(&scene, &[]).await;
    let record = scene.record(scene.lane(0));
    let (id, at) = (record.id, scene.now());
    scene.insert(record).await;
    let unknown: Vec<TokenId> = scene.lanes().into_iter().map(|lane| scene.id(lane)).collect();
    let mut uses: Vec<_> = unknown.iter().map(|id| LastUse::new(*id, at)).collect();
    uses.push(LastUse::new(id, at));
    touch(&scene, &uses).await;
    assert_eq!(scene.loaded(id).await.last_used, Some(at), "the known one was noted");
    for id in unknown {
        assert!(scene.load(id).await.is_none(), "a touch creates no record");
    }
}

/// A touch is no replacement.
pub async fn nothing_else_changes(scene: Scene) {
    let tag = scene.tag("touched");
    let record = NewRecord { uses_left: Some(2), terms: vec![tag], ..scene.record(scene.lane(0)) };
    let id = record.id;
    scene.insert(record.clone()).await;
    let before = scene.loaded(id).await;
    let at = scene.now() + Ttl::from_hours(5);
    touch(&scene, &[LastUse::new(id, at)]).await;
    let after = scene.loaded(id).await;
    assert_eq!(after.version, RecordVersion(1), "the version stands");
    assert_eq!(after.body, before.body, "the body is the same");
    assert_eq!(after.stamp, before.stamp, "the stamp is the same");
    assert_eq!(after.keep_until, before.keep_until, "it is kept as long as before");
    assert_eq!(after.uses_left, Some(2), "no use was taken");
    let replace = scene.replacement(id, RecordVersion(1), b"new");
    let replaced = scene.store().replace(scene.operation(), replace).await.expect("an answer");
    assert_eq!(replaced, Replaced::Stored(RecordVersion(2)), "the version read still stands");
    assert_eq!(scene.loaded(id).await.last_used, Some(at), "a replacement keeps the last use");
    let listed = scene.list(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed[0].last_used, Some(at), "a query shows the last use");
    assert_eq!(scene.events().await, Vec::<Vec<u8>>::new(), "a touch is no event");
}

/// Nothing is created that outlives the record.
pub async fn nothing_outlives_the_record(scene: Scene) {
    let keep_until = scene.now() + scene.brief();
    let record = NewRecord { keep_until, ..scene.record(scene.lane(0)) };
    let id = record.id;
    scene.insert(record.clone()).await;
    let at = keep_until + Ttl::from_days(1);
    touch(&scene, &[LastUse::new(id, at)]).await;
    scene.wait_until(keep_until).await;
    assert!(scene.load(id).await.is_none(), "a touch does not prolong");
    touch(&scene, &[LastUse::new(id, at)]).await;
    assert!(scene.load(id).await.is_none(), "a touch brings nothing back");
    let keep_until = scene.now() + Ttl::from_hours(1);
    scene.insert(NewRecord { keep_until, ..record }).await;
    assert_eq!(scene.loaded(id).await.last_used, None, "the use was that of the record before");
}
