//! Users that may not run each command that keyfob sends.

use keyfob::TokenId;
use keyfob::Ttl;
use keyfob::random::OsRandom;
use keyfob::store::prelude::*;
use keyfob::store::{
    Advance, Advanced, Consume, Cursor, EpochScope, Feed, Insert, Lane, NewRecord, Operation,
    Order, Replace, Revoke, Revoked, Severity, StoreError, Verdict,
};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisCluster, RedisServer};

use crate::access::RULES;
use crate::support::*;

/// The commands that the documented user may run.
fn commands() -> impl Iterator<Item = &'static str> {
    RULES.split_whitespace().filter_map(|rule| rule.strip_prefix('+'))
}

/// Sets what the user `shop` may do.
fn set_rules(server: &RedisServer, rules: &str) {
    let rules: Vec<_> = rules.split_whitespace().collect();
    let start = ["ACL", "SETUSER", "shop", "reset", "on", ">pw"];
    server.call(&[&start[..], &rules].concat()).unwrap();
}

fn url(server: &RedisServer) -> String {
    format!("{}?namespace=shop&lanes=1", server.url_of("shop", "pw"))
}

/// The body of each event, in order.
async fn events(store: &RedisStore) -> Vec<Vec<u8>> {
    let page = store.entries(Feed::Events, &Cursor::start(), 100).await.unwrap();
    page.entries.into_iter().map(|entry| entry.body).collect()
}

async fn verdict(store: &RedisStore, id: TokenId) -> Option<Verdict> {
    store.load(id).await.unwrap().map(|loaded| loaded.verdict)
}

fn is_unknown<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::OutcomeUnknown { .. } | StoreError::PartlyApplied { .. }))
}

/// Three operations of one user, each with an event: issue one token, revoke another, revoke everything.
struct Operations {
    ids: [Operation; 3],
    new: NewRecord,
    revoked: TokenId,
}

impl Operations {
    fn begin(term: keyfob::store::Term, revoked: TokenId) -> Self {
        let ids = [(); 3].map(|()| Operation::begin(now(), &OsRandom).unwrap());
        let new = record(id_at(now(), Lane::default()), Ttl::from_hours(1), vec![term]);
        Self { ids, new, revoked }
    }

    async fn insert(&self, store: &RedisStore) -> Result<keyfob::store::Inserted, StoreError> {
        let insert =
            Insert { records: vec![self.new.clone()], events: vec![b"also issued".to_vec()] };
        store.insert(self.ids[0], insert).await
    }

    async fn revoke(&self, store: &RedisStore) -> Result<Revoked, StoreError> {
        let events = vec![b"revoked".to_vec()];
        let revoke = Revoke { note: b"why".to_vec(), events, ..Revoke::new(self.revoked, now()) };
        store.revoke(self.ids[1], revoke).await
    }

    async fn advance(&self, store: &RedisStore) -> Result<Advanced, StoreError> {
        let events = vec![b"all revoked".to_vec()];
        let advance = Advance { events, ..Advance::new(EpochScope::All, now()) };
        store.advance(self.ids[2], advance).await
    }
}

#[tokio::test]
async fn without_any_one_command_no_error_is_untrue_and_a_repetition_completes() {
    let server = RedisServer::start().unwrap();
    set_rules(&server, RULES);
    let (mut refused_at_start, mut named) = (Vec::new(), Vec::new());
    for command in commands() {
        server.call(&["FLUSHALL"]).unwrap();
        let full = RedisStore::connect(&format!("{}?namespace=shop&lanes=1", server.url())).await;
        let full = full.unwrap();
        let term = tag(&full, "beta");
        let life = Ttl::from_hours(1);
        let revoked = insert(&full, record(id_at(now(), Lane::default()), life, vec![term])).await;
        set_rules(&server, &format!("{RULES} -{command}"));
        let limited = match RedisStore::connect(&url(&server)).await {
            Ok(store) => store,
            Err(error) => {
                assert_eq!(error.code(), "store_misconfigured", "{command}: {error}");
                refused_at_start.push(command);
                set_rules(&server, RULES);
                continue;
            }
        };
        let report = limited.report().await.unwrap();
        let missing: Vec<_> = report
            .findings
            .iter()
            .filter(|found| found.what == "permissions" && found.severity != Severity::Good)
            .collect();
        if let [finding] = missing.as_slice() {
            let rule = format!("ACL SETUSER shop +{command}");
            assert!(finding.advice.ends_with(&rule), "{command}: {finding:?}");
            named.push(command);
        }

        let operations = Operations::begin(term, revoked);
        let inserted = operations.insert(&limited).await;
        if !is_unknown(&inserted) {
            assert_eq!(inserted.is_ok(), verdict(&full, operations.new.id).await.is_some());
            let listed = list(&full, term, Order::NewestFirst, 10).await.len();
            assert_eq!(inserted.is_ok(), listed == 2, "{command}: {inserted:?}");
        }
        let revocation = operations.revoke(&limited).await;
        let is_revoked = verdict(&full, revoked).await != Some(Verdict::Clear);
        if !is_unknown(&revocation) {
            assert_eq!(revocation.is_ok(), is_revoked, "{command}: {revocation:?}");
        }
        // With the permission, the same operations are complete.
        set_rules(&server, RULES);
        operations.insert(&limited).await.unwrap();
        assert_eq!(operations.revoke(&limited).await.unwrap(), Revoked::Now, "{command}");
        set_rules(&server, &format!("{RULES} -{command}"));
        let advanced = operations.advance(&limited).await;
        if advanced.is_err() && !is_unknown(&advanced) {
            let written = keys(&server, &url(&server).parse().unwrap(), "w*");
            assert!(written.is_empty(), "{command}: nothing is left to finish: {written:?}");
        }
        set_rules(&server, RULES);
        operations.advance(&limited).await.unwrap();
        let expected = ["also issued", "issued", "revoked", "all revoked"]
            .map(|event| event.as_bytes().to_vec());
        let mut written = events(&full).await;
        written.sort_unstable();
        let mut sorted = expected.to_vec();
        sorted.sort_unstable();
        assert_eq!(written, sorted, "{command}: each event is written once");
        // What is issued afterwards stays valid.
        let later = insert(&full, record(id_at(now(), Lane::default()), life, vec![])).await;
        operations.advance(&limited).await.unwrap();
        assert_eq!(verdict(&full, later).await, Some(Verdict::Clear), "{command}");
    }
    // These are for other topologies, so nothing names them here.
    let unused = ["rename", "role", "cluster|slots", "cluster|nodes", "asking", "select"];
    for command in commands() {
        let is_known = refused_at_start.contains(&command) || named.contains(&command);
        assert!(is_known || unused.contains(&command), "doctor does not name {command}");
    }
}

#[tokio::test]
async fn without_xadd_nothing_is_written_and_the_error_names_it() {
    let server = RedisServer::builder().user("shop", "pw", RULES).start().unwrap();
    let store = open(&url(&server).parse::<RedisConfig>().unwrap()).await;
    let life = Ttl::from_hours(1);
    let new =
        NewRecord { uses_left: Some(2), ..record(id_at(now(), Lane::default()), life, vec![]) };
    let id = insert(&store, new).await;
    set_rules(&server, &format!("{RULES} -xadd"));
    let before = store.load(id).await.unwrap().unwrap();
    let operations = Operations::begin(tag(&store, "beta"), id);
    let replace = Replace {
        events: vec![b"replaced".to_vec()],
        ..Replace::new(id, before.version, b"changed".to_vec())
    };
    let errors = [
        operations.insert(&store).await.map(drop).unwrap_err(),
        operations.revoke(&store).await.map(drop).unwrap_err(),
        operations.advance(&store).await.map(drop).unwrap_err(),
        store.replace(operation(), replace).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), "store_misconfigured", "{error}");
        assert!(error.to_string().contains("'xadd'"), "{error}");
    }
    let after = store.load(id).await.unwrap().unwrap();
    assert_eq!(
        (after.version, after.body, after.verdict),
        (before.version, before.body, Verdict::Clear)
    );
    // Taking a use writes no event.
    store.consume(operation(), Consume { id }).await.unwrap();
}

#[tokio::test]
async fn without_hrandfield_everything_is_revoked_and_nothing_more() {
    let server = RedisServer::builder().user("shop", "pw", RULES).start().unwrap();
    let config: RedisConfig =
        format!("{}?namespace=shop&lanes=4", server.url_of("shop", "pw")).parse().unwrap();
    let store = open(&config).await;
    set_rules(&server, &format!("{RULES} -hrandfield"));
    let mut ids = Vec::new();
    for lane in store.namespace().lanes().lanes() {
        ids.push(insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await);
    }
    let operations = Operations::begin(tag(&store, "beta"), ids[0]);
    assert_eq!(operations.advance(&store).await.unwrap().lanes, 4);
    for id in &ids {
        assert!(matches!(verdict(&store, *id).await, Some(Verdict::Revoked(_))));
    }
    assert!(keys(&server, &config, "w*").is_empty(), "nothing is left to finish");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_is_finished_later_and_newer_tokens_stay() {
    let cluster = RedisCluster::start().unwrap();
    let config = config(&crate::cluster_url(&cluster), 8);
    let full = open(&config).await;
    let namespace = config.to_string().split_once("namespace=").unwrap().1.to_owned();
    let rules = RULES.replace("~shop:*", &format!("~{namespace}:*"));
    cluster.nodes().iter().for_each(|server| set_rules(server, &rules));
    let limited: RedisConfig =
        config.to_string().replace("redis+cluster://", "redis+cluster://shop:pw@").parse().unwrap();
    let limited = open(&limited).await;
    let mut ids = Vec::new();
    for lane in full.namespace().lanes().lanes() {
        ids.push(insert(&full, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await);
    }
    set_rules(cluster.primaries()[0], &format!("{rules} -xadd"));
    let report = limited.report().await.unwrap();
    let faults = report
        .findings
        .iter()
        .filter(|found| found.what == "permissions" && found.severity == Severity::Fault);
    assert_eq!(faults.count(), 1, "one server lacks one command: {report:?}");
    let operations = Operations::begin(tag(&full, "beta"), ids[0]);
    let outcome = operations.advance(&limited).await;
    let Err(StoreError::PartlyApplied { pending, .. }) = &outcome else { panic!("{outcome:?}") };
    let lane = full.namespace().lanes().lanes().find(|lane| !pending.contains(lane)).unwrap();
    let later = insert(&full, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    // A node whose user may do it finishes the operation.
    let mut is_revoked = false;
    let begun = std::time::Instant::now();
    while !is_revoked {
        assert!(begun.elapsed().as_secs() < 30, "no node finishes it");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        is_revoked = true;
        for id in &ids {
            is_revoked &= matches!(verdict(&full, *id).await, Some(Verdict::Revoked(_)));
        }
    }
    assert_eq!(verdict(&full, later).await, Some(Verdict::Clear));
    assert_eq!(events(&full).await.iter().filter(|event| **event == b"all revoked").count(), 1);
}
