//! Validation from the cache, and the invalidation of cached entries.

use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob::{
    CacheConfig, ClientId, Consistency, Denied, Grant, Issued, Kind, MemoryStore, Metadata,
    RevokeRequest, Subject, Tag, Timestamp, TokenManager, Ttl, UpdateRequest, ValidationChain,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::session;

/// Two nodes over one instrumented store.
struct Nodes {
    one: TokenManager,
    other: TokenManager,
    store: Arc<InstrumentedStore>,
    clock: ManualClock,
}

fn nodes() -> Nodes {
    nodes_with(CacheConfig::default(), |spy| spy)
}

fn nodes_with(
    cache: CacheConfig,
    set_up: impl FnOnce(InstrumentedStore) -> InstrumentedStore,
) -> Nodes {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let (lanes, seed) = (LaneCount::new(8).unwrap(), SeededRandom::new(1));
    let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &seed).unwrap();
    let store = Arc::new(set_up(InstrumentedStore::new(Arc::new(store))));
    let node = |seed| {
        let random = SeededRandom::new(seed);
        let builder = TokenManager::builder(store.clone()).clock(clock.clone()).random(random);
        builder.cache(cache).build()
    };
    Nodes { one: node(2), other: node(3), store, clock }
}

impl Nodes {
    /// Returns the number of loads of `work`, and its output.
    async fn loads<T>(&self, work: impl Future<Output = T>) -> (u64, T) {
        let before = self.store.loads();
        let outcome = work.await;
        (self.store.loads() - before, outcome)
    }

    /// Issues a token and caches it on both nodes.
    async fn cached(&self, grant: Grant) -> Issued {
        let issued = self.one.issue(grant).await.unwrap();
        for node in [&self.one, &self.other] {
            node.validate_active(&issued.bearer).await.unwrap();
            assert_eq!(
                self.loads(node.validate_active(&issued.bearer)).await.0,
                0,
                "the token is cached"
            );
        }
        issued
    }

    async fn codes(&self, issued: &Issued) -> [String; 2] {
        let code = async |node: &TokenManager| match node.validate_active(&issued.bearer).await {
            Ok(_) => "active".to_owned(),
            Err(error) => error.code().to_owned(),
        };
        [code(&self.one).await, code(&self.other).await]
    }
}

const REVOKED: [&str; 2] = ["token_revoked", "token_revoked"];

#[tokio::test]
async fn the_cache_holds_the_whole_token() {
    let nodes = nodes();
    let mut metadata = Metadata::default();
    metadata.tags.insert(Tag::new("mobile").unwrap()).unwrap();
    let issued = nodes.cached(session("user123").metadata(metadata)).await;
    let token = nodes.one.validate_active(&issued.bearer).await.unwrap();
    assert_eq!(token, issued.token);
    let chain = ValidationChain::new().require_scope("read");
    let scopes = nodes.other.validate_with(&issued.bearer, &chain, |token| {
        assert_eq!(token.id(), issued.token.id);
        token.scopes().map(str::to_owned).collect::<Vec<_>>()
    });
    let (loads, scopes) = nodes.loads(scopes).await;
    assert_eq!((loads, scopes.unwrap()), (0, vec!["read".to_owned(), "write".to_owned()]));
    let report = nodes.one.cache_report().unwrap();
    assert_eq!((report.tokens, report.max_tokens), (1, 100_000));
    let whole = CacheConfig::default().max_bytes();
    assert!(report.bytes > 4096 && report.bytes < whole / 20, "{report:?} of {whole}");
}

#[tokio::test]
async fn the_cache_alone_says_yes_or_nothing() {
    let nodes = nodes();
    let issued = nodes.one.issue(session("user123")).await.unwrap();
    let chain = ValidationChain::new().require_scope("read");
    let ask = |node: &TokenManager, text: &str, chain: &ValidationChain| {
        node.validate_cached(text, chain, |token| token.id())
    };
    let text = issued.bearer.expose();
    assert_eq!(ask(&nodes.one, text, &chain), None, "it was not validated yet");
    let report = || nodes.one.cache_report().unwrap();
    assert_eq!((report().hits, report().misses), (0, 0), "who asks again counts the miss");
    nodes.one.validate_active(&issued.bearer).await.unwrap();
    let (loads, found) = nodes.loads(async { ask(&nodes.one, text, &chain) }).await;
    assert_eq!((loads, found, report().hits), (0, Some(issued.token.id), 1));

    let unmet = ValidationChain::new().require_scope("admin");
    let strict = ValidationChain::new().consistency(Consistency::Strong);
    let with_rule = ValidationChain::new().rule(|_: &keyfob::Token, _| Ok::<(), Denied>(()));
    let invalid = ValidationChain::new().require_scope("");
    for (chain, why) in [
        (unmet, "a demand is not met"),
        (strict, "the chain asks for the store"),
        (with_rule, "rules may wait"),
        (invalid, "the chain is not valid"),
    ] {
        assert_eq!(ask(&nodes.one, text, &chain), None, "{why}");
    }
    let mut miscopied = text.to_owned();
    miscopied.replace_range(40..41, if &text[40..41] == "x" { "y" } else { "x" });
    assert_eq!(ask(&nodes.one, &miscopied, &chain), None, "the check is wrong");
    assert_eq!(ask(&nodes.one, "fob_at_short", &chain), None);
    assert_eq!(report().hits, 1);

    nodes.other.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(ask(&nodes.one, text, &chain), None, "another node revoked it");
}

#[tokio::test]
async fn every_end_of_a_token_invalidates_all_caches_of_the_process() {
    let nodes = nodes();
    let (subject, client) = (Subject::new("user123").unwrap(), ClientId::new("web").unwrap());
    let why = || RevokeRequest::reason("test");
    let issued = nodes.cached(session("user123")).await;
    nodes.one.revoke(issued.token.id, why()).await.unwrap();
    assert_eq!(nodes.codes(&issued).await, REVOKED);

    let issued = nodes.cached(session("user123")).await;
    nodes.other.revoke_subject(&subject, why()).await.unwrap();
    assert_eq!(nodes.codes(&issued).await, REVOKED);

    let issued = nodes.cached(session("user123")).await;
    nodes.one.revoke_client(&client, why()).await.unwrap();
    assert_eq!(nodes.codes(&issued).await, REVOKED);

    let issued = nodes.cached(session("user123")).await;
    nodes.one.revoke_all(why()).await.unwrap();
    assert_eq!(nodes.codes(&issued).await, REVOKED);

    let root = nodes.cached(session("user123")).await;
    let minted = nodes.one.mint(root.token.id, Grant::new(Kind::Access).scope("read")).await;
    let minted = minted.unwrap();
    nodes.other.validate_active(&minted.bearer).await.unwrap();
    nodes.one.revoke_family(root.token.family.unwrap(), why()).await.unwrap();
    assert_eq!(nodes.codes(&root).await, REVOKED);
    assert_eq!(nodes.codes(&minted).await, REVOKED);
}

#[tokio::test]
async fn one_revocation_leaves_what_others_have_cached() {
    let nodes = nodes();
    let mut kept = Vec::new();
    for number in 0..50 {
        kept.push(nodes.cached(session(&format!("user{number}"))).await);
    }
    let revoked = nodes.cached(session("user1")).await;
    nodes.one.revoke(revoked.token.id, RevokeRequest::default()).await.unwrap();
    nodes
        .one
        .revoke_subject(&Subject::new("another").unwrap(), RevokeRequest::default())
        .await
        .unwrap();
    let all = async {
        for issued in &kept {
            nodes.other.validate_active(&issued.bearer).await.unwrap();
        }
    };
    // Two records that share an invalidation slot by chance share their invalidations.
    assert!(nodes.loads(all).await.0 <= 1);
}

#[tokio::test]
async fn a_change_is_visible_immediately() {
    let nodes = nodes();
    let issued = nodes.cached(session("user123")).await;
    let change = |metadata: &mut Metadata| metadata.tags.insert(Tag::new("new").unwrap());
    nodes.one.update(issued.token.id, UpdateRequest::new(), change).await.unwrap();
    let token = nodes.other.validate_active(&issued.bearer).await.unwrap();
    assert!(token.metadata.tags.contains(&Tag::new("new").unwrap()));
}

#[tokio::test]
async fn the_end_of_a_token_is_its_end_in_the_cache() {
    let nodes = nodes();
    let issued = nodes.cached(session("user123").ttl(Ttl::from_mins(5))).await;
    nodes.clock.advance(Ttl::from_mins(5));
    assert_eq!(nodes.codes(&issued).await, ["token_expired", "token_expired"]);
    // The clock tolerance applies as without a cache.
    let chain = ValidationChain::new().clock_skew(Ttl::from_mins(1));
    assert!(nodes.one.validate(&issued.bearer, &chain).await.is_ok());
}

#[tokio::test]
async fn a_token_that_another_node_uses_is_not_idle_here() {
    let nodes = nodes();
    let issued = nodes.cached(session("user123").idle_timeout(Ttl::from_mins(10))).await;
    for _ in 0..4 {
        nodes.clock.advance(Ttl::from_mins(6));
        nodes.one.validate_active(&issued.bearer).await.unwrap();
    }
    // This node has not read the token for 24 minutes.
    assert!(nodes.other.validate_active(&issued.bearer).await.is_ok());
}

#[tokio::test]
async fn strong_consistency_asks_the_store() {
    let nodes = nodes();
    let issued = nodes.cached(session("user123")).await;
    let strict = ValidationChain::new().consistency(Consistency::Strong);
    let (loads, outcome) = nodes.loads(nodes.one.validate(&issued.bearer, &strict)).await;
    assert!(loads == 1 && outcome.is_ok());
}

#[tokio::test]
async fn a_wrong_secret_of_a_cached_token_costs_no_load() {
    let nodes = nodes();
    let issued = nodes.cached(session("user123")).await;
    // Another secret, with a valid checksum.
    let mut text = issued.bearer.expose().to_owned();
    let (checked, last) = (text.len() - 6, text.len() - 7);
    let other = if text.as_bytes()[last] == b'0' { "1" } else { "0" };
    text.replace_range(last..checked, other);
    let check = crc32fast::hash(&text.as_bytes()[..checked]);
    let mut digits = [b'0'; 6];
    let mut rest = check;
    for digit in digits.iter_mut().rev() {
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        *digit = alphabet[(rest % 62) as usize];
        rest /= 62;
    }
    text.replace_range(checked.., std::str::from_utf8(&digits).unwrap());
    let (loads, outcome) = nodes.loads(nodes.one.validate_active(&text)).await;
    assert_eq!((loads, outcome.unwrap_err().code()), (0, "token_unknown"));
}

#[tokio::test]
async fn lookups_of_an_unknown_id_are_cached_for_a_short_time() {
    let (nodes, elsewhere) = (nodes(), nodes());
    let stranger = elsewhere.one.issue(session("user123")).await.unwrap().bearer;
    let ask = async || nodes.loads(nodes.one.validate_active(&stranger)).await.0;
    assert_eq!((ask().await, ask().await, ask().await), (1, 0, 0));
    nodes.clock.advance(Ttl::from_secs(2));
    assert_eq!(ask().await, 1);
}

#[tokio::test]
async fn counted_uses_are_counted_by_the_store() {
    let nodes = nodes();
    let issued = nodes.one.issue(session("user123").uses(2)).await.unwrap();
    assert!(nodes.one.validate_active(&issued.bearer).await.is_ok());
    assert!(nodes.other.validate_active(&issued.bearer).await.is_ok());
    assert_eq!(nodes.codes(&issued).await, ["token_exhausted", "token_exhausted"]);
}

#[tokio::test]
async fn without_invalidations_no_cached_entry_is_trusted() {
    let nodes = nodes_with(CacheConfig::default(), InstrumentedStore::without_invalidations);
    let issued = nodes.one.issue(session("user123")).await.unwrap();
    for _ in 0..3 {
        let (loads, outcome) = nodes.loads(nodes.one.validate_active(&issued.bearer)).await;
        assert!(loads == 1 && outcome.is_ok());
    }
}

#[tokio::test]
async fn concurrent_validations_of_one_token_share_one_load() {
    let nodes = nodes();
    let issued = nodes.one.issue(session("user123")).await.unwrap();
    nodes.store.answer_late([Duration::from_millis(50)]);
    let asking = (0..50).map(|_| nodes.one.validate_active(&issued.bearer));
    let (loads, outcomes) = nodes.loads(futures_util::future::join_all(asking)).await;
    assert!(loads == 1 && outcomes.iter().all(Result::is_ok), "{loads}");
}

#[tokio::test]
async fn an_answer_later_than_the_max_staleness_is_not_used() {
    let bound = Ttl::from_millis(100).unwrap();
    let nodes = nodes_with(CacheConfig::OFF.with_max_staleness(bound), |spy| spy);
    let issued = nodes.one.issue(session("user123")).await.unwrap();
    // The record is revoked before the load returns.
    let late = Duration::from_millis(150);
    nodes.store.answer_late([late]);
    let (validated, revoked) = tokio::join!(nodes.one.validate_active(&issued.bearer), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        nodes.other.revoke(issued.token.id, RevokeRequest::default()).await
    });
    assert!(revoked.is_ok());
    assert_eq!(validated.unwrap_err().code(), "token_revoked");
    // A store that is always this late cannot be used.
    let issued = nodes.one.issue(session("user123")).await.unwrap();
    nodes.store.answer_late([late; 3]);
    let refused = nodes.one.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "store_unavailable");
    assert!(refused.to_string().contains("staleness"), "{refused}");
}

#[tokio::test]
async fn a_token_that_ends_while_rules_are_asked_is_refused() {
    struct Slow;

    #[async_trait::async_trait]
    impl keyfob::Rule for Slow {
        async fn check(&self, _: &keyfob::Token, _: Timestamp) -> Result<(), Denied> {
            tokio::time::sleep(Duration::from_millis(400)).await;
            Ok(())
        }
    }

    let nodes = nodes();
    let chain = ValidationChain::new().rule(Slow);
    for is_cached in [false, true] {
        let issued = nodes.one.issue(session("user123")).await.unwrap();
        if is_cached {
            nodes.one.validate_active(&issued.bearer).await.unwrap();
        }
        let (validated, revoked) =
            tokio::join!(nodes.one.validate(&issued.bearer, &chain), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                nodes.other.revoke(issued.token.id, RevokeRequest::default()).await
            });
        assert!(revoked.is_ok());
        assert_eq!(validated.unwrap_err().code(), "token_revoked", "cached: {is_cached}");
    }
}

#[tokio::test]
async fn the_cache_stays_within_its_limits() {
    let settings = CacheConfig::default().with_max_tokens(100);
    let nodes = nodes_with(settings, |spy| spy);
    let long = "x".repeat(240);
    for number in 0..500 {
        let grant = session(&format!("user{number}-{long}"));
        let issued = nodes.one.issue(grant).await.unwrap();
        nodes.one.validate_active(&issued.bearer).await.unwrap();
        // The newest token is cached, whichever token was evicted.
        assert_eq!(nodes.loads(nodes.one.validate_active(&issued.bearer)).await.0, 0);
    }
    let report = nodes.one.cache_report().unwrap();
    assert!(report.tokens <= 112 && report.bytes <= settings.max_bytes(), "{report:?}");
}

#[tokio::test]
async fn without_a_cache_every_token_is_loaded() {
    let nodes = nodes_with(CacheConfig::OFF, |spy| spy);
    let issued = nodes.one.issue(session("user123")).await.unwrap();
    let twice = async {
        nodes.one.validate_active(&issued.bearer).await.unwrap();
        nodes.one.validate_active(&issued.bearer).await.unwrap();
    };
    assert_eq!(nodes.loads(twice).await.0, 2);
    assert_eq!(nodes.one.cache_report(), None);
}
