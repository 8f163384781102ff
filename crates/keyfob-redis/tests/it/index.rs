//! Indexes with leaves so small that every case of splitting a leaf occurs.

use keyfob::Ttl;
use keyfob::seal::KeyVersion;
use keyfob::store::prelude::*;
use keyfob::store::{
    Lane, NewRecord, Order, Position, RecordVersion, Replace, Replaced, StoreError,
};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::server;

use crate::support::*;

/// A small pseudo-random generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Slow and fast clocks, long and short lifetimes.
fn odd_record(store: &RedisStore, dice: &mut Dice) -> NewRecord {
    let skew = dice.below(29_000);
    let at = now().saturating_sub(Ttl::from_secs(20)) + Ttl::from_millis(skew + 1).unwrap();
    let lane = Lane::new(dice.below(2) as u16);
    let life = [60, 300, 3_600, 86_400, 90 * 86_400][dice.below(5) as usize];
    let terms = vec![store.namespace().all(), tag(store, "here")];
    record(id_at(at, lane), Ttl::from_secs(life + dice.below(60)), terms)
}

async fn assert_listed(store: &RedisStore, expected: &[NewRecord], name: &str) {
    for order in [Order::NewestFirst, Order::NextToExpire] {
        let mut places: Vec<_> = expected
            .iter()
            .map(|record| Position {
                keep_until_secs: record.keep_until.as_millis().div_ceil(1000),
                id: record.id,
            })
            .collect();
        places.sort_by(|a, b| a.compare(b, order));
        for limit in [1, 7, 50, 1_000] {
            let listed = list(store, tag(store, name), order, limit).await;
            let listed: Vec<_> = listed.iter().map(Position::of).collect();
            assert_eq!(listed.len(), places.len(), "{name}, {order:?} in pages of {limit}");
            assert_eq!(listed, places, "{name}, {order:?} in pages of {limit}");
        }
    }
}

#[tokio::test]
async fn pages_are_exact_for_any_order_of_ids() {
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let config = config(&server().url(), 2).with_leaf(8);
        let store = open(&config).await;
        let (mut here, mut added): (Vec<NewRecord>, Vec<NewRecord>) = (Vec::new(), Vec::new());
        for n in 0..400 {
            let new = odd_record(&store, &mut dice);
            insert(&store, new.clone()).await;
            here.push(new);
            if n % 3 == 0 {
                // A term that is added later lists an old id.
                let old = here[dice.below(here.len() as u64) as usize].clone();
                let replace = Replace {
                    id: old.id,
                    read: store.load(old.id).await.unwrap().unwrap().version,
                    body: old.body.clone(),
                    key: KeyVersion::PLAINTEXT,
                    added_terms: vec![tag(&store, "added"), tag(&store, "here")],
                    minted: vec![],
                    ends_at: None,
                    clear: None,
                    events: vec![],
                };
                let replaced = store.replace(operation(), replace).await.unwrap();
                assert!(matches!(replaced, Replaced::Stored(RecordVersion(2..))), "{replaced:?}");
                if added.iter().all(|known| known.id != old.id) {
                    added.push(old);
                }
            }
        }
        let leaves = keys(server(), &config, "i*").len();
        assert!(leaves > 80, "the indexes have many leaves, not {leaves}");
        assert_listed(&store, &here, "here").await;
        assert_listed(&store, &added, "added").await;
        let count = store.count(store.namespace().all(), None).await.unwrap();
        assert_eq!(count, 400, "every entry is counted once");
    }
}

#[tokio::test]
async fn a_burst_of_ids_of_one_tick_splits_leaves_and_stays_exact() {
    let store = open(&config(&server().url(), 2).with_leaf(8)).await;
    let (term, lane) = subject(&store, "busy");
    let (at, mut ids) = (now(), Vec::new());
    for _ in 0..200 {
        // All ids have the same timestamp, which is later than every bound of the index.
        let new = record(id_at(at, lane), Ttl::from_secs(600), vec![term]);
        ids.push(insert(&store, new).await);
    }
    ids.sort();
    ids.reverse();
    let listed = list(&store, term, Order::NewestFirst, 9).await;
    assert_eq!(listed.iter().map(|loaded| loaded.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn expired_entries_make_room_and_hide_nothing() {
    let store = open(&config(&server().url(), 1).with_leaf(8)).await;
    let (term, lane) = subject(&store, "mixed");
    let mut lasting = Vec::new();
    for n in 0..300 {
        let life = if n % 10 == 0 { Ttl::from_secs(600) } else { Ttl::from_millis(400).unwrap() };
        let id = insert(&store, record(id_at(now(), lane), life, vec![term])).await;
        if n % 10 == 0 {
            lasting.push(id);
        }
        if n % 100 == 99 {
            tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        }
    }
    lasting.sort();
    lasting.reverse();
    for limit in [1, 4, 100] {
        let listed = list(&store, term, Order::NewestFirst, limit).await;
        assert_eq!(listed.iter().map(|loaded| loaded.id).collect::<Vec<_>>(), lasting);
    }
    let count = store.count(term, Some(lane)).await.unwrap();
    assert!(count <= 31, "{count} are counted where 30 are left");
}

#[tokio::test]
async fn a_record_of_a_newer_format_does_not_hide_others() {
    let server = server();
    let config = config(&server.url(), 2);
    let store = open(&config).await;
    let term = tag(&store, "tag");
    let mut ids = Vec::new();
    for n in 0..6u16 {
        let new = record(id_at(now(), Lane::new(n % 2)), Ttl::from_hours(1), vec![term]);
        ids.push(insert(&store, new).await);
    }
    let namespace = config.to_string().split_once("namespace=").unwrap().1.to_owned();
    let script = format!(
        "local k = redis.call('KEYS', '{namespace}:r*')[1] redis.call('SETRANGE', k, 0, '\\9') \
         return k"
    );
    server.call(&["EVAL", &script, "0"]).unwrap();
    for order in [Order::NewestFirst, Order::NextToExpire] {
        let found = list(&store, term, order, 4).await;
        assert_eq!(found.len(), 5, "{order:?}");
    }
    let mut newer = 0;
    for id in ids {
        newer += u8::from(matches!(store.load(id).await, Err(StoreError::NewerFormat { .. })));
    }
    assert_eq!(newer, 1, "a direct read of the record is refused");
}
