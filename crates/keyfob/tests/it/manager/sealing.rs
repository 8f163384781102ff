//! A manager over a sealed store.

use keyfob::store::prelude::*;
use std::sync::Arc;

use async_trait::async_trait;
use keyfob::clock::ManualClock;
use keyfob::event::ObservationKind;
use keyfob::manager::PageCursor;
use keyfob::random::{OsRandom, SeededRandom};
use keyfob::rotation::RefreshCase;
use keyfob::seal::{KeyError, KeyProvider, KeyRing, KeyVersion, NewKey, StaticKeys};
use keyfob::store::{
    Cursor, DocumentName, Feed, LaneCount, ListDocuments, Loaded, Operation, Order, Query,
    RecordVersion, Replace, Severity, Verdict, WriteDocument,
};
use keyfob::{
    Error, ErrorClass, Filter, Issued, MemoryStore, Paging, RefreshRequest, RevokeRequest,
    SessionPolicy, Timestamp, TokenId, TokenManager, Ttl, UpdateRequest, ValidationChain, WhenFull,
};

use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::session;

mod resealing;

/// One store and a way to create managers for it.
struct Vault {
    store: Arc<MemoryStore>,
    clock: ManualClock,
}

impl Vault {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
        let lanes = LaneCount::new(8).unwrap();
        let random = SeededRandom::new(1);
        let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &random).unwrap();
        Self { store: Arc::new(store), clock }
    }

    fn bare(&self) -> TokenManager {
        TokenManager::builder(self.store.clone()).clock(self.clock.clone()).build()
    }

    fn sealed(&self, ring: &KeyRing) -> TokenManager {
        TokenManager::builder(self.store.clone()).clock(self.clock.clone()).keys(ring).build()
    }

    fn operation(&self) -> Operation {
        Operation { deadline: Timestamp::MAX, ..begin() }
    }

    async fn raw(&self, id: TokenId) -> Loaded {
        self.store.load(id).await.unwrap().unwrap()
    }

    /// Replaces the body of an id, like an attacker with write access to the store.
    async fn plant(&self, id: TokenId, body: Vec<u8>) {
        let there = self.raw(id).await;
        let replace = Replace {
            id,
            read: there.version,
            body,
            key: there.key,
            added_terms: Vec::new(),
            minted: Vec::new(),
            ends_at: None,
            clear: None,
            events: Vec::new(),
        };
        let replaced = self.store.replace(self.operation(), replace).await.unwrap();
        let next = RecordVersion(there.version.0 + 1);
        assert_eq!(replaced, keyfob::store::Replaced::Stored(next));
    }
}

/// A key provider that always fails.
#[derive(Debug)]
struct Failing;

#[async_trait]
impl KeyProvider for Failing {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        Err(KeyError::NoneActive)
    }
}

fn begin() -> Operation {
    Operation::begin(Timestamp::default(), &OsRandom).unwrap()
}

fn ring(seed: u64) -> KeyRing {
    KeyRing::generate(Timestamp::default(), &SeededRandom::new(seed)).unwrap().allowing_plaintext()
}

/// Returns the same ring with one more key, which is active.
fn turned(ring: &KeyRing, what: NewKey, seed: u64) -> KeyRing {
    let mut ring = ring.clone();
    let next = ring.add(what, Timestamp::default(), &SeededRandom::new(seed)).unwrap();
    ring.activate(next).unwrap();
    ring
}

async fn is_valid(manager: &TokenManager, issued: &Issued) -> bool {
    manager
        .validate(&issued.bearer, &ValidationChain::new().consistency(keyfob::Consistency::Strong))
        .await
        .is_ok()
}

async fn code(manager: &TokenManager, issued: &Issued) -> String {
    let chain = ValidationChain::new().consistency(keyfob::Consistency::Strong);
    manager.validate(&issued.bearer, &chain).await.unwrap_err().code().to_owned()
}

async fn ids_of(manager: &TokenManager, filter: &Filter) -> Vec<TokenId> {
    let page = manager.list(filter, Paging::new(1000)).await.unwrap();
    assert_eq!((page.unreadable, page.next), (0, None));
    page.tokens.iter().map(|token| token.id).collect()
}

const SECRETS: [&str; 6] =
    ["user123", "web", "phone-7", "Mozilla", "a-label-value", "the-reason-why"];

#[tokio::test]
async fn the_store_contains_no_plaintext() {
    let vault = Vault::new();
    let manager = vault.sealed(&ring(1));
    let grant = session("user123").device_id("phone-7").user_agent("Mozilla/5.0 (X11)");
    let grant = grant.label("team", "a-label-value").tag("beta");
    let issued = manager.issue(grant).await.unwrap();
    let change = |metadata: &mut keyfob::Metadata| metadata.tags.insert("vip".try_into()?);
    manager.update(issued.token.id, UpdateRequest::new(), change).await.unwrap();
    assert!(manager.validate_active("fob_at_nonsense").await.is_err());
    manager
        .revoke(issued.token.id, RevokeRequest::reason("the-reason-why").by("web"))
        .await
        .unwrap();
    let subject = keyfob::Subject::new("user123").unwrap();
    manager.revoke_subject(&subject, RevokeRequest::reason("the-reason-why")).await.unwrap();
    manager.revoke_all(RevokeRequest::reason("the-reason-why")).await.unwrap();
    manager.shutdown().await;

    let raw = vault.raw(issued.token.id).await;
    let mut seen = vec![raw.body];
    if let Verdict::Revoked(mark) = raw.verdict {
        assert!(!mark.note.is_empty());
        seen.push(mark.note);
    }
    for feed in [Feed::Events, Feed::Observations] {
        let page = vault.store.entries(feed, &Cursor::start(), 100).await.unwrap();
        assert!(!page.entries.is_empty(), "{feed:?}");
        seen.extend(page.entries.into_iter().map(|entry| entry.body));
    }
    assert!(seen.len() >= 8, "{}", seen.len());
    for bytes in &seen {
        for secret in SECRETS {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in plaintext");
        }
    }
    // A manager with the keys reads everything.
    let token = manager.get(issued.token.id).await.unwrap();
    let revocation = token.revocation.unwrap();
    assert_eq!(revocation.reason.unwrap().as_str(), "the-reason-why");
    assert_eq!(manager.events(&Cursor::start(), 100).await.unwrap().events.len(), 5);
}

#[tokio::test]
async fn the_terms_of_the_index_are_those_of_the_ring() {
    let vault = Vault::new();
    let manager = vault.sealed(&ring(1));
    let issued = manager.issue(session("user123")).await.unwrap();
    let subject = keyfob::Subject::new("user123").unwrap();
    let term = vault.store.namespace().subject(&subject);
    let query = Query { term, lane: None, order: Order::NewestFirst, after: None, limit: 10 };
    let found = vault.store.query(&query).await.unwrap();
    assert!(found.records.is_empty(), "a guess under the namespace's key finds nothing");
    let filter = Filter::new().subject(subject);
    assert_eq!(ids_of(&manager, &filter).await, [issued.token.id]);
}

#[tokio::test]
async fn a_sealed_store_without_keys_asks_for_them() {
    let vault = Vault::new();
    let sealed = vault.sealed(&ring(1));
    let issued = sealed.issue(session("user123")).await.unwrap();
    sealed.revoke_all(RevokeRequest::reason("unsaid")).await.unwrap();
    let bare = vault.bare();
    let chain = ValidationChain::new();
    let refused = bare.validate(&issued.bearer, &chain).await.unwrap_err();
    assert_eq!(refused.code(), "store_sealed");
    let message = refused.to_string();
    assert!(message.contains("key 1") && message.contains("give the keys"), "{message}");
    assert_eq!(bare.get(issued.token.id).await.unwrap_err().code(), "store_sealed");
    let page = bare.list(&Filter::new(), Paging::new(10)).await.unwrap();
    assert_eq!((page.tokens.len(), page.unreadable), (0, 1));
    assert!(bare.reseal().is_err(), "a manager without keys cannot reseal");
    // It can read its own records.
    let own = bare.issue(session("user123")).await.unwrap();
    assert!(is_valid(&bare, &own).await);
}

#[tokio::test]
async fn a_tampered_record_is_refused_and_reported() {
    let vault = Vault::new();
    let manager = vault.sealed(&ring(1));
    let (victim, other) = (
        manager.issue(session("user123")).await.unwrap(),
        manager.issue(session("user123").scope("admin")).await.unwrap(),
    );
    let (sealed, swapped) =
        (vault.raw(victim.token.id).await.body, vault.raw(other.token.id).await.body);
    let mut flipped = sealed.clone();
    flipped[sealed.len() / 2] ^= 1;
    for (body, expected) in [
        (swapped, "not_opened"),
        (flipped, "not_opened"),
        (sealed[..sealed.len() - 1].to_vec(), "not_opened"),
        (sealed[..30].to_vec(), "not_opened"),
        (sealed[..2].to_vec(), "not_opened"),
    ] {
        vault.plant(victim.token.id, body).await;
        assert_eq!(code(&manager, &victim).await, expected);
        assert!(matches!(manager.get(victim.token.id).await, Err(Error::Store(_))));
        let page = manager.list(&Filter::new(), Paging::new(10)).await.unwrap();
        assert_eq!((page.tokens.len(), page.unreadable), (1, 1), "the other records are listed");
    }
    vault.plant(victim.token.id, sealed).await;
    assert_eq!(
        code(&manager, &victim).await,
        "not_opened",
        "an older body does not open under a newer version"
    );
    assert!(is_valid(&manager, &other).await);

    manager.shutdown().await;
    let observed = manager.observations(&Cursor::start(), 100).await.unwrap().observations;
    let untrue = observed.iter().filter(|(seen, _)| {
        matches!(&seen.what, ObservationKind::Unverifiable { token, code }
            if *token == victim.token.id && code == "not_opened")
    });
    assert_eq!(untrue.count(), 6);
    let report = manager.report().await.unwrap();
    let fault = report.findings.iter().find(|finding| finding.what == "sealed records").unwrap();
    assert_eq!(fault.severity, keyfob::store::Severity::Fault);
}

#[tokio::test]
async fn a_record_of_another_namespace_does_not_open() {
    let (here, there) = (Vault::new(), Vault::new());
    let ring = ring(1);
    let lanes = LaneCount::new(8).unwrap();
    let elsewhere = MemoryStore::with(lanes, Arc::new(there.clock.clone()), &SeededRandom::new(9));
    let elsewhere = Arc::new(elsewhere.unwrap());
    let manager = TokenManager::builder(elsewhere.clone()).clock(there.clock).keys(&ring).build();
    let foreign = manager.issue(session("user123")).await.unwrap();
    let mine = here.sealed(&ring).issue(session("user123")).await.unwrap();
    let body = elsewhere.load(foreign.token.id).await.unwrap().unwrap().body;
    here.plant(mine.token.id, body).await;
    assert_eq!(code(&here.sealed(&ring), &mine).await, "not_opened");
}

#[tokio::test]
async fn a_missing_key_is_named_and_a_wrong_one_opens_nothing() {
    let vault = Vault::new();
    let old = ring(1);
    let new = turned(&old, NewKey::Sealing, 2);
    let issued = vault.sealed(&new).issue(session("user123")).await.unwrap();
    let stale = vault.sealed(&old);
    let refused = stale.get(issued.token.id).await.unwrap_err();
    assert_eq!(refused.code(), "key_missing");
    assert!(refused.to_string().contains("key 2"), "{refused}");
    for error in [
        refused,
        stale.validate_active(&issued.bearer).await.unwrap_err(),
        stale.explain(&issued.bearer, &ValidationChain::new()).await.unwrap_err(),
        stale.derive(&issued.bearer, session("user123")).await.unwrap_err(),
    ] {
        assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
        let message = error.to_string();
        assert!(message.contains("cannot be read") && !message.contains("refused"), "{message}");
    }
    assert_eq!(stale.reload_keys(&Failing).await.unwrap_err().code(), "no_one_active_key");
    assert_eq!(code(&stale, &issued).await, "key_missing", "the manager keeps its ring");
    stale.reload_keys(&StaticKeys::new(new)).await.unwrap();
    assert!(is_valid(&stale, &issued).await, "a ring can be renewed without a restart");
    let mixed_up = vault.sealed(&turned(&ring(8), NewKey::Sealing, 9));
    assert_eq!(code(&mixed_up, &issued).await, "not_opened");

    stale.shutdown().await;
    mixed_up.shutdown().await;
    // Each manager reads what it has written itself.
    for (manager, reports) in [(stale, 0), (mixed_up, 1)] {
        let observed = manager.observations(&Cursor::start(), 100).await.unwrap().observations;
        let is_report =
            |seen: &ObservationKind| matches!(seen, ObservationKind::Unverifiable { .. });
        let found = observed.iter().filter(|(seen, _)| is_report(&seen.what)).count();
        assert_eq!(found, reports, "a missing key says nothing about the token");
    }
}

#[tokio::test]
async fn a_store_is_sealed_while_in_use_and_then_refuses_plaintext() {
    let vault = Vault::new();
    let (bare, mut ring) = (vault.bare(), ring(1));
    let before = bare.issue(session("user123")).await.unwrap();
    let manager = vault.sealed(&ring);
    assert!(is_valid(&manager, &before).await, "plaintext records are readable");
    let after = manager.issue(session("user123")).await.unwrap();
    let filter = Filter::new().subject(keyfob::Subject::new("user123").unwrap());
    let mut both = vec![after.token.id, before.token.id];
    both.sort_by(|one, other| other.cmp(one));
    assert_eq!(ids_of(&manager, &filter).await, both, "one query finds both");

    let bare_key = KeyVersion::PLAINTEXT;
    let refused = manager.retire_key(&mut ring, bare_key).await.unwrap_err();
    assert_eq!(refused.code(), "key_in_use", "a record is not sealed yet");
    let done = manager.reseal().unwrap().run(|_| {}).await.unwrap();
    assert_eq!((done.resealed, done.examined), (1, 2));
    manager.retire_key(&mut ring, bare_key).await.unwrap();
    manager.set_keys(&ring).unwrap();
    assert_eq!(ids_of(&manager, &filter).await, both);
    assert!(is_valid(&manager, &before).await && is_valid(&manager, &after).await);

    assert_eq!(bare.issue(session("user123")).await.unwrap_err().code(), "key_retired");
    // A plaintext record is refused, even if it was written directly into the store.
    let elsewhere = Vault::new();
    let forged = elsewhere.bare().issue(session("user123").scope("admin")).await.unwrap();
    vault.plant(before.token.id, elsewhere.raw(forged.token.id).await.body).await;
    assert_eq!(code(&manager, &before).await, "not_sealed");
    let page = manager.list(&filter, Paging::new(10)).await.unwrap();
    assert_eq!((page.tokens.len(), page.unreadable), (1, 1));
}

#[tokio::test]
async fn sealing_adds_no_store_calls_and_plaintext_is_refused() {
    let vault = Vault::new();
    let ring = KeyRing::generate(Timestamp::default(), &SeededRandom::new(1)).unwrap();
    let spies = [(); 2].map(|()| Arc::new(InstrumentedStore::new(vault.store.clone())));
    let [here, there] = spies.each_ref().map(|spy| {
        TokenManager::builder(spy.clone()).clock(vault.clock.clone()).keys(&ring).build()
    });
    let first = here.issue(super::refreshing::family()).await.unwrap();
    let next = here.refresh(&first.bearer, RefreshRequest::new()).await.unwrap();
    assert_eq!((spies[0].loads(), spies[0].writes()), (0, 2), "one issue, one warm rotation");
    there.refresh(&next.refresh.bearer, RefreshRequest::new()).await.unwrap();
    assert_eq!(
        (spies[1].loads(), spies[1].writes()),
        (1, 1),
        "a rotation of an unknown family reads first"
    );

    let bare = vault.bare().issue(session("user123").scope("admin")).await.unwrap();
    assert_eq!(code(&here, &bare).await, "not_sealed");
    let elsewhere = Vault::new();
    let forged = elsewhere.bare().issue(session("user123").scope("admin")).await.unwrap();
    let victim = here.issue(session("user123")).await.unwrap();
    vault.plant(victim.token.id, elsewhere.raw(forged.token.id).await.body).await;
    assert_eq!(code(&here, &victim).await, "not_sealed");
}

#[tokio::test]
async fn every_read_path_reports_a_tampered_record() {
    let vault = Vault::new();
    let manager = vault.sealed(&ring(1));
    let refresh = manager.issue(super::refreshing::family()).await.unwrap();
    let session = manager.issue(session("user123")).await.unwrap();
    for token in [&refresh.token, &session.token] {
        let mut body = vault.raw(token.id).await.body;
        let last = body.len() - 1;
        body[last] ^= 1;
        vault.plant(token.id, body).await;
    }
    // A node that knows the record reads it again, because the store has another version.
    let refused = manager.refresh(&refresh.bearer, RefreshRequest::new()).await.unwrap_err();
    assert_eq!(refused.code(), "not_opened");
    let grant = keyfob::Grant::new(keyfob::Kind::Access);
    let refused = manager.derive(&session.bearer, grant).await.unwrap_err();
    assert_eq!(refused.code(), "not_opened");
    manager.shutdown().await;
    let observed = manager.observations(&Cursor::start(), 100).await.unwrap().observations;
    let untrue: Vec<TokenId> = observed
        .iter()
        .filter_map(|(seen, _)| match &seen.what {
            ObservationKind::Unverifiable { token, .. } => Some(*token),
            _ => None,
        })
        .collect();
    assert_eq!(untrue, [refresh.token.id, session.token.id]);
}
