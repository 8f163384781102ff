//! The number of Redis keys for counts, and the effect of damaged count keys.

use keyfob::seal::KeyVersion;
use keyfob::store::prelude::*;
use keyfob::store::{
    Advance, BucketCounts, Consume, Consumed, CountedAs, EpochField, EpochScope, Epochs, Lane,
    LastUse, NewRecord, RecordVersion, Replace, Replaced, Revoke, Revoked,
};
use keyfob::{ClientId, Kind, TokenId, Ttl};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::RedisServer;

use crate::support::*;

fn client(store: &RedisStore, name: &str) -> EpochField {
    store.namespace().client_epoch(&ClientId::new(name).unwrap())
}

fn counted(store: &RedisStore, of: &str, life: Ttl) -> NewRecord {
    let counted = CountedAs { kind: Kind::Access, starts_at: None, ends_at: now() + life };
    NewRecord {
        uses_left: Some(1),
        epochs: Epochs { client: Some(client(store, of)), ..Epochs::default() },
        counted: Some(counted),
        ..record(id_at(now(), Lane::default()), life, Vec::new())
    }
}

fn sum(tallies: &[BucketCounts], number: fn(&BucketCounts) -> u64) -> u64 {
    tallies.iter().map(number).sum()
}

/// Runs a command for each key of the counts.
fn for_each_count_key(server: &RedisServer, config: &RedisConfig, what: &str) {
    let text = config.to_string();
    let (_, namespace) = text.split_once("namespace=").unwrap();
    let script = format!(
        "for _, k in ipairs(redis.call('KEYS', '{namespace}:c{{*')) do {what} end return 1"
    );
    server.call(&["EVAL", &script, "0"]).unwrap();
}

/// A revocation must not depend on correct counts.
#[tokio::test]
async fn nothing_fails_because_it_cannot_be_counted() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let life = Ttl::from_hours(1);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(insert(&store, counted(&store, "shop", life)).await);
    }
    for_each_count_key(&server, &config, "redis.call('SET', k, 'not ours')");
    assert!(store.tallies().await.is_err(), "a read of the counts returns an error");

    ids.push(insert(&store, counted(&store, "shop", life)).await);
    let spent = store.consume(operation(), Consume { id: ids[0] }).await.unwrap();
    assert_eq!(spent, Consumed::Left(0));
    let ends_at = Some(now() + Ttl::from_mins(5));
    store.touch(&[LastUse { ends_at, ..LastUse::new(ids[1], now()) }]).await.unwrap();
    assert!(store.load(ids[1]).await.unwrap().unwrap().last_used.is_some());
    let replace = Replace {
        clear: None,
        id: ids[2],
        read: RecordVersion(1),
        body: b"new".to_vec(),
        key: KeyVersion::PLAINTEXT,
        added_terms: Vec::new(),
        minted: Vec::new(),
        ends_at,
        events: Vec::new(),
    };
    let replaced = store.replace(operation(), replace).await.unwrap();
    assert_eq!(replaced, Replaced::Stored(RecordVersion(2)));
    let revoke = |id: TokenId| {
        let cascade = Some(store.namespace().ancestor_epoch(id));
        Revoke { cascade, ..Revoke::new(id, now()) }
    };
    assert_eq!(store.revoke(operation(), revoke(ids[3])).await.unwrap(), Revoked::Now);
    for scope in [EpochScope::EveryLane(client(&store, "shop")), EpochScope::All] {
        store.advance(operation(), Advance::new(scope, now())).await.unwrap();
    }
    for id in ids {
        assert!(!store.load(id).await.unwrap().unwrap().is_clear());
    }
}

/// Lost counts restart at zero. A count is never negative.
#[tokio::test]
async fn lost_counts_affect_nothing_else() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let life = Ttl::from_hours(1);
    let first = insert(&store, counted(&store, "shop", life)).await;
    for_each_count_key(&server, &config, "redis.call('DEL', k)");
    assert_eq!(store.tallies().await.unwrap().counts, []);
    store.revoke(operation(), Revoke::new(first, now())).await.unwrap();
    let ends_at = Some(now() + Ttl::from_mins(5));
    let second = insert(&store, counted(&store, "shop", life)).await;
    for_each_count_key(&server, &config, "redis.call('DEL', k)");
    store.touch(&[LastUse { ends_at, ..LastUse::new(second, now()) }]).await.unwrap();
    let tallies = store.tallies().await.unwrap().counts;
    assert_eq!((sum(&tallies, |counts| counts.stored), sum(&tallies, BucketCounts::live)), (1, 1));
    for_each_count_key(&server, &config, "assert(redis.call('PTTL', k) > 0)");
}

/// Counting an expired token creates no key. Such a key would never expire.
#[tokio::test]
async fn a_token_that_has_ended_leaves_no_count_bucket() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let life = Ttl::from_hours(1);
    for uses_left in [None, Some(0), Some(1)] {
        let ends_at = now().saturating_sub(Ttl::from_mins(1));
        let new = counted(&store, "shop", life);
        let counted = new.counted.map(|counted| CountedAs { ends_at, ..counted });
        let id = insert(&store, NewRecord { counted, uses_left, ..new }).await;
        store.consume(operation(), Consume { id }).await.unwrap();
        store.revoke(operation(), Revoke::new(id, now())).await.unwrap();
    }
    assert_eq!(keys(&server, &config, "c{*"), Vec::<String>::new());
}

/// The number of count buckets does not grow with the number of tokens. Each client has one sample.
#[tokio::test]
async fn count_buckets_are_few() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    for n in 0..600u64 {
        let name = format!("client-{}", n % 20);
        insert(&store, counted(&store, &name, Ttl::from_secs(3600 + n * 3))).await;
    }
    let found = keys(&server, &config, "c{*").len();
    assert!(
        (3..=12).contains(&found),
        "600 tokens that end within half an hour use {found} count keys"
    );
    let tallies = store.tallies().await.unwrap().counts;
    assert_eq!(sum(&tallies, |counts| counts.stored), 600);
    assert!(tallies.iter().all(|counts| counts.sample.is_some()), "each client has a sample");
    // The key of a bucket ends with any byte, an 's' too.
    let samples = "assert(not string.find(k, '^[^}]*}s$') or redis.call('HLEN', k) == 20)";
    for_each_count_key(&server, &config, samples);

    // Samples of clients without live tokens are removed, except for a few.
    for n in 0..300 {
        let name = format!("passing-{n}");
        insert(&store, counted(&store, &name, Ttl::from_millis(1000).unwrap())).await;
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    let samples = "assert(not string.find(k, '^[^}]*}s$') or redis.call('HLEN', k) < 250)";
    for_each_count_key(&server, &config, samples);
}
