//! Logins, access lists and TLS, and that no secret of them is shown.

use keyfob::Ttl;
use keyfob::limit::LimitStore;
use keyfob::store::prelude::*;
use keyfob::store::{BucketCounts, InvalidationListener, Lane, NewRecord, Severity, StoreReport};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::RedisServer;

use crate::support::*;

fn severity_of(report: &StoreReport, what: &str) -> Option<Severity> {
    report.findings.iter().find(|finding| finding.what == what).map(|finding| finding.severity)
}

async fn refusal(url: &str) -> String {
    let error = RedisStore::connect(url).await.expect_err("no login");
    assert_eq!(error.code(), "store_misconfigured", "{error}");
    format!("{error} {error:?}")
}

#[tokio::test]
async fn a_password_works_and_is_never_shown() {
    let server = RedisServer::builder().password("hunter2").start().unwrap();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let id = insert(&store, record(id_at(now(), Lane::new(0)), Ttl::from_hours(1), vec![])).await;
    assert!(store.load(id).await.unwrap().is_some());
    let report = store.report().await.unwrap();
    for text in [format!("{store:?}"), format!("{report:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let wrong = format!("redis://:hunter3@127.0.0.1:{}", server.port());
    for url in [format!("redis://127.0.0.1:{}", server.port()), wrong] {
        let message = refusal(&url).await;
        assert!(message.contains("refused the login"), "{message}");
        assert!(!message.contains("hunter"), "{message}");
    }
}

#[tokio::test]
async fn a_user_without_a_password_logs_in() {
    let rules = "nopass ~* &* +@all";
    let server =
        RedisServer::builder().password("sesame").user("guest", "x", rules).start().unwrap();
    let url = format!("redis://guest@127.0.0.1:{}", server.port());
    RedisStore::connect(&url).await.unwrap();
    let message = refusal(&url.replace("guest", "nobody")).await;
    assert!(message.contains("refused the login"), "{message}");
}

/// The permissions that a user of one namespace needs, and no others.
pub(crate) const RULES: &str = "~shop:* -@all +evalsha +script|load +script|exists +time +hget +hgetall +hmget +hset \
    +hincrby +hdel +hrandfield +hexists +hlen +exists +get +mget +set +getrange +setrange +pexpireat \
    +pexpiretime +pttl +zadd +zcard +zcount +zrange +zrangebylex +zrevrangebylex +zrangebyscore \
    +zrem +zremrangebyrank +zmscore +zrandmember +rename +xadd +xrange +xrevrange +xinfo|stream \
    +del +client|tracking +info +persist +wait +role +cluster|slots +cluster|nodes +asking +select";

#[test]
fn the_recipes_show_the_same_rules() {
    let recipes = include_str!("../../../../docs/recipes.md");
    let line = recipes.lines().find(|line| line.starts_with("ACL SETUSER")).unwrap();
    let rules: Vec<_> = RULES.split_whitespace().collect();
    assert!(line.ends_with(&format!(" {}", rules.join(" "))), "{line}");
}

#[tokio::test]
async fn a_user_with_only_what_is_needed_can_do_everything() {
    let server = RedisServer::builder().user("shop", "pw", RULES).start().unwrap();
    let url = format!("{}?namespace=shop&lanes=2", server.url_of("shop", "pw"));
    let config: RedisConfig = url.parse().unwrap();
    let store = open(&config.clone().with_leaf(8)).await;
    let term = tag(&store, "tag");
    for n in 0..100u64 {
        let at = now().saturating_sub(Ttl::from_secs(1 + n * 37 % 50));
        let lane = Lane::new((n % 2) as u16);
        let new = record(id_at(at, lane), Ttl::from_hours(1), vec![term]);
        let (kind, ends_at) = (keyfob::Kind::Access, now() + Ttl::from_mins(30));
        let counted = Some(keyfob::store::CountedAs { kind, starts_at: None, ends_at });
        let id = insert(&store, NewRecord { counted, ..new }).await;
        let touched = keyfob::store::LastUse::new(id, now());
        let touched =
            keyfob::store::LastUse { ends_at: Some(now() + Ttl::from_mins(50)), ..touched };
        store.touch(&[touched]).await.unwrap();
        store.stamp(lane).await.unwrap();
    }
    let newest = list(&store, term, keyfob::store::Order::NewestFirst, 30).await;
    assert_eq!(newest.len(), 100);
    assert_eq!(list(&store, term, keyfob::store::Order::NextToExpire, 30).await.len(), 100);
    assert_eq!(store.count(term, None).await.unwrap(), 100);
    let advance = keyfob::store::Advance::new(keyfob::store::EpochScope::All, now());
    assert_eq!(store.advance(operation(), advance).await.unwrap().lanes, 2);
    let tallies = store.tallies().await.unwrap().counts;
    let sum = |number: fn(&BucketCounts) -> u64| tallies.iter().map(number).sum::<u64>();
    assert_eq!((sum(|tally| tally.stored), sum(|tally| tally.revoked)), (100, 100));
    let listener = InvalidationListener::new(store.namespace().lanes(), Ttl::from_secs(60));
    store.watch(&listener);
    until("the feed is heard", || {
        listener.is_trusted(Lane::new(0)) && listener.is_trusted(Lane::new(1))
    })
    .await;
    let meter = keyfob_testkit::limits::once(2);
    let charge = keyfob::limit::Charge::exactly(keyfob_testkit::limits::fresh_key(), meter, 1);
    assert!(store.charge(&[charge]).await.unwrap().admitted);
    let start = keyfob::store::Cursor::start();
    let page = store.entries(keyfob::store::Feed::Events, &start, 200).await.unwrap();
    assert_eq!(page.entries.len(), 100);
    store.raise_min_key_version(keyfob::seal::KeyVersion::new(1)).await.unwrap();
    // Waiting for replicas, Sentinel and clusters need these beside the scripts.
    for command in [
        &["WAIT", "1", "10"][..],
        &["ROLE"],
        &["CLUSTER", "SLOTS"],
        &["CLUSTER", "NODES"],
        &["ASKING"],
        &["SELECT", "1"],
    ] {
        let answer = server.call(&[&["ACL", "DRYRUN", "shop"], command].concat()).unwrap();
        assert_eq!(answer.to_string(), "OK", "{command:?}");
    }
    // Reading the settings is not allowed. The report says so instead of failing.
    let report = store.report().await.unwrap();
    assert_eq!(severity_of(&report, "settings"), Some(Severity::Warning), "{report:?}");
    assert_eq!(severity_of(&report, "write"), Some(Severity::Good), "{report:?}");
    let message = refusal(&format!("{}?namespace=other", server.url_of("shop", "pw"))).await;
    assert!(message.contains("lacks a permission"), "{message}");
}

#[tokio::test]
async fn tls_verifies_the_server() {
    let server = RedisServer::builder().tls().start().unwrap();
    let ca = server.certificates().unwrap().authority.display().to_string();
    let url = server.tls_url().unwrap();
    let store = RedisStore::connect(&format!("{url}?ca={ca}")).await.unwrap();
    let id = insert(&store, record(id_at(now(), Lane::new(0)), Ttl::from_hours(1), vec![])).await;
    assert!(store.load(id).await.unwrap().is_some());
    assert!(store.report().await.unwrap().description.starts_with("rediss://"));

    // Without the authority that signed its certificate, the server is not trusted.
    let error = RedisStore::connect(&url).await.expect_err("a stranger");
    assert!(["store_unavailable", "store_misconfigured"].contains(&error.code()), "{error}");
    let error = RedisStore::connect(&format!("{url}?ca=/nowhere.pem")).await.unwrap_err();
    assert_eq!(error.code(), "store_misconfigured");
    assert!(error.to_string().contains("/nowhere.pem"), "{error}");
}

#[tokio::test]
async fn the_report_distinguishes_good_settings_from_bad() {
    let careless = RedisServer::builder()
        .setting("maxmemory", "100mb")
        .setting("maxmemory-policy", "allkeys-lru")
        .setting("save", "")
        .start()
        .unwrap();
    let store = RedisStore::connect(&careless.url()).await.unwrap();
    let report = store.report().await.unwrap();
    for what in ["maxmemory-policy", "persistence"] {
        assert_eq!(severity_of(&report, what), Some(Severity::Fault), "{what}: {report:?}");
    }
    assert_eq!(report.findings[0].severity, Severity::Fault, "the most severe finding comes first");

    // Both lose writes that were acknowledged: each is a fault, not a warning.
    let snapshots_only = RedisServer::builder().setting("save", "3600 1").start().unwrap();
    let unsynced =
        RedisServer::builder().append_only().setting("appendfsync", "no").start().unwrap();
    for (server, words) in
        [(snapshots_only, "only snapshots"), (unsynced, "Set appendfsync everysec")]
    {
        let store = RedisStore::connect(&server.url()).await.unwrap();
        let report = store.report().await.unwrap();
        let finding = report.findings.iter().find(|finding| finding.what == "persistence").unwrap();
        assert_eq!(finding.severity, Severity::Fault, "{finding:?}");
        assert!(finding.advice.contains(words), "{finding:?}");
    }

    let careful = RedisServer::builder().append_only().start().unwrap();
    let store = RedisStore::connect(&careful.url()).await.unwrap();
    let report = store.report().await.unwrap();
    for what in ["maxmemory-policy", "persistence", "version", "clock"] {
        assert_eq!(severity_of(&report, what), Some(Severity::Good), "{what}: {report:?}");
    }
}
