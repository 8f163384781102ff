//! Two nodes of one namespace, and five tokens: one that stays valid, and four that are revoked,
//! each in another way. A **poll** asks one node for all of them, over and over, and remembers when
//! the last question was asked that was answered with "active".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob::store::MonotonicInstant;
use keyfob::{
    CacheConfig, ClientId, Error, Grant, Kind, RevokeRequest, Subject, TokenId, TokenManager, Ttl,
    ValidationChain,
};
use keyfob_redis::RedisConfig;
use keyfob_testkit::instrumented_store::InstrumentedStore;
use keyfob_testkit::redis::fresh_namespace;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::open;

/// The token that is never revoked.
pub(super) const VALID: usize = 0;

/// The maximum time after a fault until a node answers from its cache again.
const RECOVERY: Duration = Duration::from_secs(15);

/// The word that identifies the connection of a feed.
pub(super) const FEED: &str = "TRACKING";

pub(super) fn millis(millis: u64) -> Ttl {
    Ttl::from_millis(millis).unwrap()
}

/// The default maximum staleness.
pub(super) fn default_max_staleness() -> Ttl {
    CacheConfig::default().max_staleness()
}

/// A namespace that each node may reach by another URL.
pub(super) struct TestNamespace {
    namespace: String,
    lanes: u16,
}

/// A node whose loads are counted.
pub(super) struct Node {
    pub(super) manager: TokenManager,
    store: Arc<InstrumentedStore>,
    bound: Ttl,
}

/// The node that revokes, the node that is polled, and the tokens.
pub(super) struct Scenario {
    pub(super) here: TokenManager,
    pub(super) there: Node,
    pub(super) tokens: Tokens,
}

/// The tokens of a test.
pub(super) struct Tokens {
    pub(super) bearers: Vec<String>,
    by_id: TokenId,
    subject: Subject,
    parent: TokenId,
    client: ClientId,
}

/// The last answers for one token.
#[derive(Default)]
struct LastAnswers {
    active: AtomicU64,
    last: AtomicU64,
}

/// Polls a node until it is dropped.
pub(super) struct Poll {
    seen: Arc<Vec<LastAnswers>>,
    _asking: JoinSet<()>,
}

/// When each token was revoked; the first never is.
pub(super) struct Revoked(pub(super) Vec<MonotonicInstant>);

impl TestNamespace {
    pub(super) fn new(lanes: u16) -> Self {
        Self { namespace: fresh_namespace(), lanes }
    }

    /// Its URL at a server, or at a proxy before one.
    pub(super) fn by(&self, url: &str) -> RedisConfig {
        self.url(url).parse().unwrap()
    }

    pub(super) fn url(&self, url: &str) -> String {
        let Self { namespace, lanes } = self;
        format!("{url}?namespace={namespace}&lanes={lanes}")
    }

    pub(super) fn config_for_port(&self, port: u16) -> RedisConfig {
        self.by(&format!("redis://127.0.0.1:{port}"))
    }
}

/// A node that revokes, without a cache.
pub(super) async fn revoking_node(config: &RedisConfig) -> TokenManager {
    TokenManager::builder(Arc::new(open(config).await)).cache(CacheConfig::OFF).build()
}

impl Node {
    pub(super) async fn at(config: &RedisConfig, bound: Ttl) -> Self {
        let store = Arc::new(InstrumentedStore::new(Arc::new(open(config).await)));
        let cache = CacheConfig::default().with_max_staleness(bound);
        let manager = TokenManager::builder(store.clone()).cache(cache).sample_uses(0).build();
        Self { manager, store, bound }
    }

    /// Waits until it answers for these tokens from its cache.
    pub(super) async fn until_answered_from_cache(&self, bearers: &[String]) {
        let begun = MonotonicInstant::now();
        while !self.answers_from_cache(bearers).await {
            assert!(
                MonotonicInstant::now() < begun.after(RECOVERY),
                "the node must answer from its cache again"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn answers_from_cache(&self, bearers: &[String]) -> bool {
        let (chain, loads) = (ValidationChain::new(), self.store.loads());
        for round in 0..20 {
            for bearer in bearers {
                let is_active = self.manager.validate_with(bearer, &chain, |_| ()).await.is_ok();
                if !is_active || round == 0 && self.store.loads() != loads {
                    return false;
                }
            }
            sleep(self.bound.as_duration() / 20).await;
        }
        self.store.loads() == loads
    }

    /// Asks for all of these tokens from now on.
    pub(super) fn poll(&self, bearers: &[String]) -> Poll {
        let seen: Arc<Vec<_>> = Arc::new(bearers.iter().map(|_| LastAnswers::default()).collect());
        let mut asking = JoinSet::new();
        // One task waits for every answer. The other asks again even if a server does not
        // answer.
        for patience in [Duration::from_secs(60), Duration::from_millis(20)] {
            for (number, bearer) in bearers.iter().cloned().enumerate() {
                let (seen, manager) = (Arc::clone(&seen), self.manager.clone());
                asking.spawn(async move {
                    let chain = ValidationChain::new();
                    loop {
                        // The decision is made within the call, so not before this time.
                        let begun = MonotonicInstant::now();
                        let answer = manager.validate_with(&bearer, &chain, |_| ());
                        if let Ok(Ok(())) = timeout(patience, answer).await {
                            seen[number].active.fetch_add(1, Ordering::SeqCst);
                            seen[number].last.fetch_max(begun.as_nanos(), Ordering::SeqCst);
                        }
                        sleep(Duration::from_millis(1)).await;
                    }
                });
            }
        }
        Poll { seen, _asking: asking }
    }
}

impl Poll {
    /// For each token, when the last question was asked that was answered with "active".
    pub(super) fn last_active(&self) -> Vec<MonotonicInstant> {
        let last = self.seen.iter().map(|seen| seen.last.load(Ordering::SeqCst));
        last.map(MonotonicInstant::from_nanos).collect()
    }

    fn count(&self, number: usize) -> u64 {
        self.seen[number].active.load(Ordering::SeqCst)
    }

    /// Waits until the valid token has been found active a few more times.
    pub(super) async fn until_the_valid_token_is_active(&self) {
        let (begun, count) = (MonotonicInstant::now(), self.count(VALID));
        while self.count(VALID) < count + 5 {
            assert!(MonotonicInstant::now() < begun.after(RECOVERY), "the valid token is refused");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Tokens {
    pub(super) async fn issue(by: &TokenManager) -> Self {
        let client = ClientId::new("app").unwrap();
        let subject = Subject::new("user").unwrap();
        let grant = || Grant::new(Kind::Session).scope("read");
        let lives = by.issue(grant().subject("other").client("another")).await.unwrap();
        let by_id = by.issue(grant().subject("third")).await.unwrap();
        let of_subject = by.issue(grant().subject(subject.clone())).await.unwrap();
        let parent = by.issue(grant()).await.unwrap().token.id;
        let minted = by.mint(parent, Grant::new(Kind::Access).scope("read")).await.unwrap();
        let of_client = by.issue(grant().client(client.clone())).await.unwrap();
        let all = [&lives, &by_id, &of_subject, &minted, &of_client];
        let bearers = all.map(|issued| issued.bearer.expose().to_owned()).to_vec();
        Self { bearers, by_id: by_id.token.id, subject, parent, client }
    }

    /// Revokes all tokens but the first, each in its own way, and records when each call returned.
    pub(super) async fn revoke(&self, by: &TokenManager) -> Revoked {
        let mut at = vec![MonotonicInstant::from_nanos(0)];
        let why = || RevokeRequest::reason("fault");
        until_acknowledged(|| async { by.revoke(self.by_id, why()).await.map(drop) }).await;
        at.push(MonotonicInstant::now());
        until_acknowledged(|| by.revoke_subject(&self.subject, why())).await;
        at.push(MonotonicInstant::now());
        until_acknowledged(|| async { by.revoke(self.parent, why()).await.map(drop) }).await;
        at.push(MonotonicInstant::now());
        until_acknowledged(|| by.revoke_client(&self.client, why())).await;
        at.push(MonotonicInstant::now());
        Revoked(at)
    }
}

/// Repeats an operation until the store has acknowledged it.
async fn until_acknowledged<D: Future<Output = Result<(), Error>>>(mut attempt: impl FnMut() -> D) {
    let begun = MonotonicInstant::now();
    loop {
        match attempt().await {
            Ok(()) => return,
            Err(Error::Store(_)) => {}
            Err(error) => panic!("nothing was revoked: {error}"),
        }
        assert!(
            MonotonicInstant::now() < begun.after(Duration::from_secs(30)),
            "nothing can be revoked"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

impl Revoked {
    /// Fails if an answer was "active" to a question that was asked later than the maximum
    /// staleness after the revocation had returned.
    pub(super) fn assert_kept(&self, last_active: &[MonotonicInstant], bound: Ttl) {
        for (number, (at, last)) in self.0.iter().zip(last_active).enumerate().skip(1) {
            let end = at.after(bound.as_duration());
            let late = last.as_nanos() as f64 / 1e6 - end.as_nanos() as f64 / 1e6;
            assert!(late <= 0.0, "token {number} was accepted {late} ms after the max staleness");
        }
    }

    /// Fails unless an answer was "active" after the revocation. Then the node did not hear
    /// of the revocation, and the maximum staleness ended it.
    pub(super) fn assert_the_revocation_was_not_heard(&self, last_active: &[MonotonicInstant]) {
        let unheard = self.0.iter().zip(last_active).skip(1).filter(|(at, last)| last > at);
        assert!(unheard.count() > 0, "the fault did not delay any invalidation");
    }
}

impl Scenario {
    /// Starts two nodes. The second answers from its cache for all tokens.
    pub(super) async fn start(here: &RedisConfig, there: &RedisConfig, bound: Ttl) -> Self {
        let here = revoking_node(here).await;
        let there = Node::at(there, bound).await;
        let tokens = Tokens::issue(&here).await;
        there.until_answered_from_cache(&tokens.bearers).await;
        Self { here, there, tokens }
    }

    pub(super) fn poll(&self) -> Poll {
        self.there.poll(&self.tokens.bearers)
    }

    pub(super) async fn revoke(&self) -> Revoked {
        self.tokens.revoke(&self.here).await
    }

    /// Polls for a while after the fault is over, then checks that the guarantee was kept, that all
    /// revoked tokens are refused, and that the valid token is answered from the cache again.
    pub(super) async fn check_guarantee(&self, poll: Poll, revoked: &Revoked) {
        poll.until_the_valid_token_is_active().await;
        let end = revoked.0.iter().max().unwrap().after(self.there.bound.as_duration());
        while MonotonicInstant::now() <= end {
            sleep(Duration::from_millis(5)).await;
        }
        // A node that trusts an outdated push would fail here.
        sleep(Duration::from_millis(400)).await;
        poll.until_the_valid_token_is_active().await;
        revoked.assert_kept(&poll.last_active(), self.there.bound);
        drop(poll);
        self.there.until_answered_from_cache(&self.tokens.bearers[..1]).await;
        for bearer in &self.tokens.bearers[1..] {
            let answer =
                self.there.manager.validate_with(bearer, &ValidationChain::new(), |_| ()).await;
            assert_eq!(answer.unwrap_err().code(), "token_revoked");
        }
    }
}
