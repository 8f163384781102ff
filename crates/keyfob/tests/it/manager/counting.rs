//! Counts by the heads of records: the same as counting what a list has.

use std::sync::Arc;

use async_trait::async_trait;
use keyfob::clock::ManualClock;
use keyfob::manager::Retention;
use keyfob::random::{OsRandom, SeededRandom};
use keyfob::seal::SealedStore;
use keyfob::store::{
    Counting, Documents, EventLog, Invalidations, Maintenance, Query, RecordPage, RecordStore,
    Resealing, StoreError, StoreWrapper, TermIndex,
};
use keyfob::{
    Filter, Grant, KeyRing, Kind, Paging, Store, TokenManager, TokenState, Ttl, UpdateRequest,
};

use super::{bench, bench_with, session};

/// How long a token that has ended stays in the store.
const RETENTION: Retention = Retention::For(Ttl::from_hours(1));

const TERMS: [&str; 8] = [
    "",
    "subject:user1",
    "client:web",
    "tag:some",
    "any-tag:some",
    "app:shop",
    "device:phone",
    "label:team=red",
];
const REST: [&str; 9] = [
    "",
    "state:active",
    "state:pending,active",
    "state:expired",
    "state:revoked",
    "state:exhausted",
    "kind:session",
    "kind:access,api-key state:active",
    "state:active scope:read",
];

/// Counts what a list has.
async fn listed(manager: &TokenManager, filter: &Filter) -> u64 {
    let (mut count, mut paging) = (0, Paging::new(100));
    loop {
        let page = manager.list(filter, paging.clone()).await.unwrap();
        count += page.tokens.len() as u64;
        match page.next {
            Some(next) => paging = paging.after(Some(next)),
            None => return count,
        }
    }
}

/// Compares every filter with a list.
async fn compare(manager: &TokenManager) {
    for term in TERMS {
        for rest in REST {
            let filter = Filter::parse(&format!("{term} {rest}"), manager.now()).unwrap();
            let expected = listed(manager, &filter).await;
            let counted = manager.count(&filter).await.unwrap();
            assert_eq!(counted, expected, "{filter} at {}", manager.now());
            let ends = [TokenState::Pending, TokenState::Active];
            let expected = match filter.clone().and_states(&ends) {
                Some(filter) => listed(manager, &filter).await,
                None => 0,
            };
            let dry_run = manager.sweep(filter.clone(), "test").dry_run().await.unwrap();
            assert_eq!(dry_run, expected, "a dry run of {filter} at {}", manager.now());
        }
    }
}

/// Issues tokens of every kind, which reach every state in many ways, and compares at each step.
async fn check(manager: &TokenManager, clock: &ManualClock) {
    let mut issued = Vec::new();
    for n in 0..60u32 {
        clock.advance(Ttl::from_secs(1 + u64::from(n)));
        let kind = [Kind::Session, Kind::Access, Kind::ApiKey][n as usize % 3];
        let mut grant = Grant::new(kind).subject(format!("user{}", n % 3).as_str()).client("web");
        grant = grant.scopes("read").ttl(Ttl::from_mins(7 + u64::from(n) * 3));
        grant = match n % 10 {
            0 | 1 => grant.tag("some"),
            2 => grant.tag("some").not_before(manager.now() + Ttl::from_mins(5 + u64::from(n))),
            3 => grant.idle_timeout(Ttl::from_mins(15)),
            4 => grant.label("team", "red"),
            5 if kind != Kind::Session => grant.uses(1),
            _ => grant,
        };
        let token = manager.issue(grant).await.unwrap();
        if n % 4 == 0 {
            let change = |metadata: &mut keyfob::token::Metadata| {
                metadata.app = Some("shop".try_into()?);
                metadata.device.id = Some("phone".try_into()?);
                metadata.tags.insert("some".try_into()?)
            };
            manager.update(token.token.id, UpdateRequest::new(), change).await.unwrap();
        }
        issued.push(token);
    }
    compare(manager).await;
    for (n, token) in issued.iter().enumerate() {
        let _refused = manager.validate_active(&token.bearer).await;
        if n % 8 == 0 {
            let change = |metadata: &mut keyfob::token::Metadata| {
                *metadata = keyfob::token::Metadata::default();
                Ok(())
            };
            let _ended = manager.update(token.token.id, UpdateRequest::new(), change).await;
        }
        if n % 11 == 0 {
            let _gone = manager.revoke(token.token.id, "test").await;
        }
    }
    let grant = session("user1").tag("some").ttl(Ttl::from_hours(9));
    let parent = manager.issue(grant).await.unwrap();
    for _ in 0..3 {
        manager.derive(&parent.bearer, Grant::new(Kind::Access).tag("some")).await.unwrap();
    }
    for _ in 0..12 {
        clock.advance(Ttl::from_mins(9));
        compare(manager).await;
    }
    manager.revoke(parent.token.id, "test").await.unwrap();
    compare(manager).await;
    manager.revoke_subject(&"user1".try_into().unwrap(), "test").await.unwrap();
    manager.issue(session("user1").tag("some")).await.unwrap();
    compare(manager).await;
    manager.revoke_client(&"web".try_into().unwrap(), "test").await.unwrap();
    compare(manager).await;
}

#[tokio::test]
async fn counts_are_those_of_lists() {
    let bench = bench_with(|builder| builder.retention(RETENTION));
    check(&bench.manager, &bench.clock).await;
}

#[tokio::test]
async fn counts_of_a_sealed_store_are_those_of_lists() {
    let bench = bench();
    let ring = KeyRing::generate(bench.manager.now(), &OsRandom).unwrap();
    let sealed = SealedStore::new(Arc::clone(&bench.store), &ring);
    let builder = TokenManager::builder(sealed).clock(bench.clock.clone()).retention(RETENTION);
    check(&builder.random(SeededRandom::new(2)).build(), &bench.clock).await;
}

/// A store that refuses to read records page by page.
#[derive(Debug)]
struct HeadsOnly(Arc<dyn Store>);

impl StoreWrapper for HeadsOnly {
    fn inner(&self) -> &dyn Store {
        &*self.0
    }
}

#[async_trait]
impl RecordStore for HeadsOnly {
    keyfob::store::forward_store! { namespace insert load replace consume touch revoke advance stamp time_of }
}

#[async_trait]
impl TermIndex for HeadsOnly {
    keyfob::store::forward_store! { heads count }

    async fn query(&self, _: &Query) -> Result<RecordPage, StoreError> {
        Err(StoreError::unavailable("records are not read"))
    }
}

#[async_trait]
impl EventLog for HeadsOnly {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Maintenance for HeadsOnly {
    keyfob::store::forward_store! { report }
}

impl Counting for HeadsOnly {}
impl Resealing for HeadsOnly {}
impl Documents for HeadsOnly {}
impl Invalidations for HeadsOnly {}

#[tokio::test]
async fn the_records_of_a_subject_are_counted_without_their_bodies() {
    let bench = bench();
    for n in 0..100u64 {
        let grant = session("user1").tag("some").ttl(Ttl::from_mins(10 + 10 * n));
        let token = bench.manager.issue(grant).await.unwrap().token;
        if n % 10 == 0 {
            bench.manager.revoke(token.id, "test").await.unwrap();
        }
    }
    bench.clock.advance(Ttl::from_mins(300));
    let store = HeadsOnly(Arc::clone(&bench.store));
    let manager = TokenManager::builder(store).clock(bench.clock.clone()).build();
    let count = async |text: &str| {
        let filter = Filter::parse(text, manager.now()).unwrap();
        manager.count(&filter).await.unwrap()
    };
    for term in ["", "subject:user1", "client:web", "tag:some"] {
        let stored = count(term).await;
        let active = count(&format!("{term} state:active")).await;
        let revoked = count(&format!("{term} state:revoked")).await;
        assert_eq!((active, stored - active - revoked > 0), (63, true), "{term}");
    }
}
