//! Two nodes of one namespace, and five tokens: one that lives, and four that are revoked, each in
//! another way. A **watch** asks one node for all of them, over and over, and remembers when the
//! last question was asked that was answered with "active".

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

use crate::stage::open;

/// The token that is never revoked.
pub(super) const LIVES: usize = 0;

/// How long after a fault it may take until a node answers from memory again.
const RECOVERY: Duration = Duration::from_secs(15);

/// The word by which the connection of a feed is known.
pub(super) const FEED: &str = "TRACKING";

pub(super) fn millis(millis: u64) -> Ttl {
    Ttl::from_millis(millis).unwrap()
}

/// The bound that holds unless another is set.
pub(super) fn usual() -> Ttl {
    CacheConfig::default().bound()
}

/// A namespace that each node may have another way to.
pub(super) struct Place {
    namespace: String,
    lanes: u16,
}

/// A node whose loads are counted.
pub(super) struct Node {
    pub(super) manager: TokenManager,
    store: Arc<InstrumentedStore>,
    bound: Ttl,
}

/// Who revokes, who is watched, and what.
pub(super) struct Stage {
    pub(super) here: TokenManager,
    pub(super) there: Node,
    pub(super) tokens: Tokens,
}

/// The tokens of a stage.
pub(super) struct Tokens {
    pub(super) bearers: Vec<String>,
    by_id: TokenId,
    subject: Subject,
    parent: TokenId,
    client: ClientId,
}

/// What was seen of one token.
#[derive(Default)]
struct Seen {
    active: AtomicU64,
    last: AtomicU64,
}

/// A watch that is kept over a node until it is dropped.
pub(super) struct Watch {
    seen: Arc<Vec<Seen>>,
    _asking: JoinSet<()>,
}

/// When each token was revoked; the first never was.
pub(super) struct Revoked(pub(super) Vec<MonotonicInstant>);

impl Place {
    pub(super) fn new(lanes: u16) -> Self {
        Self { namespace: fresh_namespace(), lanes }
    }

    /// The way to it by a server, or by a proxy before one.
    pub(super) fn by(&self, url: &str) -> RedisConfig {
        self.url(url).parse().unwrap()
    }

    pub(super) fn url(&self, url: &str) -> String {
        let Self { namespace, lanes } = self;
        format!("{url}?namespace={namespace}&lanes={lanes}")
    }

    pub(super) fn by_port(&self, port: u16) -> RedisConfig {
        self.by(&format!("redis://127.0.0.1:{port}"))
    }
}

/// A node that revokes, and keeps nothing in memory.
pub(super) async fn revoker(config: &RedisConfig) -> TokenManager {
    TokenManager::builder(Arc::new(open(config).await)).cache(CacheConfig::OFF).build()
}

impl Node {
    pub(super) async fn at(config: &RedisConfig, bound: Ttl) -> Self {
        let store = Arc::new(InstrumentedStore::new(Arc::new(open(config).await)));
        let cache = CacheConfig::default().with_bound(bound);
        let manager = TokenManager::builder(store.clone()).cache(cache).sample_uses(0).build();
        Self { manager, store, bound }
    }

    /// Waits until it answers for these tokens without asking the store.
    pub(super) async fn until_from_memory(&self, bearers: &[String]) {
        let begun = MonotonicInstant::now();
        while !self.answers_from_memory(bearers).await {
            assert!(MonotonicInstant::now() < begun.after(RECOVERY), "it still asks the store");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn answers_from_memory(&self, bearers: &[String]) -> bool {
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

    /// Asks for all of these from now on.
    pub(super) fn watch(&self, bearers: &[String]) -> Watch {
        let seen: Arc<Vec<_>> = Arc::new(bearers.iter().map(|_| Seen::default()).collect());
        let mut asking = JoinSet::new();
        // One that waits for every answer, and one that does not let a silent server keep it from
        // asking again.
        for patience in [Duration::from_secs(60), Duration::from_millis(20)] {
            for (number, bearer) in bearers.iter().cloned().enumerate() {
                let (seen, manager) = (Arc::clone(&seen), self.manager.clone());
                asking.spawn(async move {
                    let chain = ValidationChain::new();
                    loop {
                        // It is decided within the call, and so not before this.
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
        Watch { seen, _asking: asking }
    }
}

impl Watch {
    /// When the last question was asked that was answered with "active", for each token.
    pub(super) fn last_active(&self) -> Vec<MonotonicInstant> {
        let last = self.seen.iter().map(|seen| seen.last.load(Ordering::SeqCst));
        last.map(MonotonicInstant::from_nanos).collect()
    }

    fn count(&self, number: usize) -> u64 {
        self.seen[number].active.load(Ordering::SeqCst)
    }

    /// Waits until the token that lives has been found active some more.
    pub(super) async fn until_it_lives(&self) {
        let (begun, count) = (MonotonicInstant::now(), self.count(LIVES));
        while self.count(LIVES) < count + 5 {
            assert!(MonotonicInstant::now() < begun.after(RECOVERY), "what lives is refused");
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

    /// Revokes all but the first, each in its way, and takes down when each call returned.
    pub(super) async fn revoke(&self, by: &TokenManager) -> Revoked {
        let mut at = vec![MonotonicInstant::from_nanos(0)];
        let why = || RevokeRequest::reason("fault");
        until_done(|| async { by.revoke(self.by_id, why()).await.map(drop) }).await;
        at.push(MonotonicInstant::now());
        until_done(|| by.revoke_subject(&self.subject, why())).await;
        at.push(MonotonicInstant::now());
        until_done(|| async { by.revoke(self.parent, why()).await.map(drop) }).await;
        at.push(MonotonicInstant::now());
        until_done(|| by.revoke_client(&self.client, why())).await;
        at.push(MonotonicInstant::now());
        Revoked(at)
    }
}

/// Does something again until the store has acknowledged it.
async fn until_done<D: Future<Output = Result<(), Error>>>(mut attempt: impl FnMut() -> D) {
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
    /// Fails if a question was answered with "active" that was asked later than the bound after
    /// the revocation had returned.
    pub(super) fn assert_kept(&self, last_active: &[MonotonicInstant], bound: Ttl) {
        for (number, (at, last)) in self.0.iter().zip(last_active).enumerate().skip(1) {
            let end = at.after(bound.as_duration());
            let late = last.as_nanos() as f64 / 1e6 - end.as_nanos() as f64 / 1e6;
            assert!(late <= 0.0, "token {number} was active {late} ms after the bound");
        }
    }

    /// Fails unless something was answered with "active" after its revocation: then the node heard
    /// nothing of it, and it was the bound that ended it.
    pub(super) fn assert_unheard(&self, last_active: &[MonotonicInstant]) {
        let unheard = self.0.iter().zip(last_active).skip(1).filter(|(at, last)| last > at);
        assert!(unheard.count() > 0, "the fault kept no news from the node");
    }
}

impl Stage {
    /// Two nodes, of which the second answers from memory for all tokens.
    pub(super) async fn set(here: &RedisConfig, there: &RedisConfig, bound: Ttl) -> Self {
        let here = revoker(here).await;
        let there = Node::at(there, bound).await;
        let tokens = Tokens::issue(&here).await;
        there.until_from_memory(&tokens.bearers).await;
        Self { here, there, tokens }
    }

    pub(super) fn watch(&self) -> Watch {
        self.there.watch(&self.tokens.bearers)
    }

    pub(super) async fn revoke(&self) -> Revoked {
        self.tokens.revoke(&self.here).await
    }

    /// Watches on for a while after the fault is over, and then judges: the guarantee was kept, all
    /// that was revoked is refused, and what lives is answered from memory again.
    pub(super) async fn judge(&self, watch: Watch, revoked: &Revoked) {
        watch.until_it_lives().await;
        let end = revoked.0.iter().max().unwrap().after(self.there.bound.as_duration());
        while MonotonicInstant::now() <= end {
            sleep(Duration::from_millis(5)).await;
        }
        // It is now that old news would be believed, if ever.
        sleep(Duration::from_millis(400)).await;
        watch.until_it_lives().await;
        revoked.assert_kept(&watch.last_active(), self.there.bound);
        drop(watch);
        self.there.until_from_memory(&self.tokens.bearers[..1]).await;
        for bearer in &self.tokens.bearers[1..] {
            let answer =
                self.there.manager.validate_with(bearer, &ValidationChain::new(), |_| ()).await;
            assert_eq!(answer.unwrap_err().code(), "token_revoked");
        }
    }
}
