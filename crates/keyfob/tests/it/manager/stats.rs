//! Compares the counts with a read of every token.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use keyfob::random::OsRandom;
use keyfob::seal::KeyRing;
use keyfob::stats::{CountedClient, StateCounts, Stats};
use keyfob::{
    BearerToken, ClientId, Filter, Grant, Kind, Paging, RefreshRequest, RevokeRequest, Subject,
    Token, TokenId, TokenManager, TokenState, Ttl,
};
use proptest::prelude::*;

use super::{Bench, bench, bench_with, session};

fn active(stats: &Stats, kind: Kind) -> u64 {
    stats.by_kind[&kind].active
}

fn numbers(counts: &StateCounts) -> [u64; 4] {
    [counts.pending, counts.active, counts.revoked, counts.exhausted]
}

async fn sum(manager: &TokenManager) -> [u64; 4] {
    numbers(&manager.stats().await.unwrap().total())
}

#[tokio::test]
async fn all_changes_of_tokens_are_counted() {
    let bench = bench();
    let manager = &bench.manager;
    assert_eq!(sum(manager).await, [0; 4]);
    let root = manager.issue(session("user123")).await.unwrap();
    for _ in 0..3 {
        manager.mint(root.token.id, Grant::new(Kind::Access)).await.unwrap();
    }
    let family = manager.issue(Grant::new(Kind::Refresh).subject("user123")).await.unwrap();
    let pair = manager.refresh(&family.bearer, RefreshRequest::new()).await.unwrap();
    manager.refresh(&family.bearer, RefreshRequest::new()).await.unwrap();
    assert_eq!(sum(manager).await, [0, 6, 0, 0], "a replay mints nothing");
    let once = manager.issue(Grant::new(Kind::ApiKey).client("acme").uses(1)).await.unwrap();
    manager.validate_active(&once.bearer).await.unwrap();
    let later = bench.clock_in(Ttl::from_mins(1));
    manager.issue(Grant::new(Kind::Access).client("acme").not_before(later)).await.unwrap();
    assert_eq!(sum(manager).await, [1, 6, 0, 1]);

    manager.revoke(root.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(
        sum(manager).await,
        [1, 2, 4, 1],
        "the session and all tokens minted from it are revoked"
    );
    manager.revoke(pair.access.token.id, RevokeRequest::default()).await.unwrap();
    manager.revoke(pair.access.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(sum(manager).await, [1, 1, 5, 1], "a revoked token is counted once");
    manager.revoke_client(&ClientId::new("acme").unwrap(), RevokeRequest::default()).await.unwrap();
    assert_eq!(sum(manager).await, [0, 1, 7, 0]);
    manager
        .revoke_subject(&Subject::new("user123").unwrap(), RevokeRequest::default())
        .await
        .unwrap();
    assert_eq!(sum(manager).await, [0, 0, 8, 0]);
    manager.issue(session("user123")).await.unwrap();
    assert_eq!(sum(manager).await, [0, 1, 8, 0]);
    manager.revoke_all(RevokeRequest::default()).await.unwrap();
    assert_eq!(sum(manager).await, [0, 0, 9, 0]);
}

#[tokio::test]
async fn a_sliding_session_is_counted_while_it_is_used() {
    let bench = bench();
    let grant = session("user123").idle_timeout(Ttl::from_mins(30));
    let issued = bench.manager.issue(grant).await.unwrap();
    for _ in 0..5 {
        bench.clock.advance(Ttl::from_mins(20));
        bench.manager.validate_active(&issued.bearer).await.unwrap();
        let stats = bench.manager.stats().await.unwrap();
        assert_eq!((active(&stats, Kind::Session), stats.unsure), (1, 0));
    }
    bench.clock.advance(Ttl::from_mins(35));
    assert_eq!(sum(&bench.manager).await, [0; 4], "the session has idled out");
}

#[tokio::test]
async fn a_renewed_family_is_counted_while_it_is_renewed() {
    let bench = bench();
    let grant = Grant::new(Kind::Refresh).subject("user123").ttl(Ttl::from_days(1));
    let issued = bench.manager.issue(grant.absolute_lifetime(Ttl::from_days(30))).await.unwrap();
    let mut bearer = issued.bearer;
    for _ in 0..5 {
        bench.clock.advance(Ttl::from_hours(20));
        bearer =
            bench.manager.refresh(&bearer, RefreshRequest::new()).await.unwrap().refresh.bearer;
        let stats = bench.manager.stats().await.unwrap();
        assert_eq!((active(&stats, Kind::Refresh), active(&stats, Kind::Access)), (1, 1));
    }
    bench.clock.advance(Ttl::from_hours(30));
    assert_eq!(sum(&bench.manager).await, [0; 4], "the family has expired");
}

#[tokio::test]
async fn client_names_come_from_sample_tokens_with_and_without_sealing() {
    let ring = KeyRing::generate("2026-01-01T00:00:00Z".parse().unwrap(), &OsRandom).unwrap();
    for keys in [None, Some(&ring)] {
        let bench = bench_with(|builder| match keys {
            None => builder,
            Some(ring) => builder.keys(ring),
        });
        for (client, count) in [("web", 3), ("shop", 5)] {
            for _ in 0..count {
                let grant = Grant::new(Kind::ApiKey).client(client);
                let issued = bench.manager.issue(grant).await.unwrap();
                bench.manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
            }
        }
        bench.manager.issue(Grant::new(Kind::Access)).await.unwrap();
        let stats = bench.manager.stats().await.unwrap();
        let clients: Vec<_> = stats
            .by_client
            .iter()
            .map(|client| (client.client.clone(), numbers(&client.counts)))
            .collect();
        let known = |name| CountedClient::Known(ClientId::new(name).unwrap());
        let expected = [
            (known("shop"), [0, 0, 5, 0]),
            (known("web"), [0, 0, 3, 0]),
            (CountedClient::None, [0, 1, 0, 0]),
        ];
        assert_eq!(clients, expected);
        if keys.is_some() {
            let without_keys = bench.another();
            let stats = without_keys.stats().await.unwrap();
            let unknown = |counts: &keyfob::stats::ClientCounts| {
                matches!(counts.client, CountedClient::Unknown(_) | CountedClient::None)
            };
            assert!(stats.by_client.iter().all(unknown), "without keys there are only numbers");
            assert_eq!(stats.total().revoked, 8);
        }
    }
}

/// Descendants of an inner node are listed under the root: they are revoked, but counted as active
/// until they expire.
#[tokio::test]
async fn descendants_of_an_inner_node_are_counted_until_they_expire() {
    let bench = bench();
    let manager = &bench.manager;
    let root = manager.issue(session("user123")).await.unwrap();
    let grant = || Grant::new(Kind::Access).acting("agent-7");
    let middle = manager.derive(&root.bearer, grant()).await.unwrap();
    let leaf = manager.derive(&middle.bearer, grant()).await.unwrap();
    manager.revoke(middle.token.id, RevokeRequest::default()).await.unwrap();
    assert!(manager.validate_active(&leaf.bearer).await.is_err());
    assert_eq!(sum(manager).await, [0, 2, 1, 0], "the leaf is still counted as active");
    manager.revoke(root.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(sum(manager).await, [0, 1, 2, 0], "the leaf is still counted as active later");
    bench.clock.advance(Ttl::from_hours(2));
    let stats = manager.stats().await.unwrap();
    assert_eq!(active(&stats, Kind::Access), 0);
}

impl Bench {
    fn clock_in(&self, ttl: Ttl) -> keyfob::Timestamp {
        self.manager.now() + ttl
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Issue { kind: usize, owner: u8, life: u64, more: u8 },
    Mint { from: usize, life: u64 },
    Use { index: usize },
    Revoke { index: usize },
    RevokeSubject(u8),
    RevokeClient(u8),
    RevokeAll,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let life = || prop_oneof![Just(5u64), 10u64..120, 1_000u64..100_000];
    prop_oneof![
        8 => (0usize..4, 0u8..9, life(), any::<u8>())
            .prop_map(|(kind, owner, life, more)| Step::Issue { kind, owner, life, more }),
        3 => (any::<usize>(), life()).prop_map(|(from, life)| Step::Mint { from, life }),
        6 => any::<usize>().prop_map(|index| Step::Use { index }),
        3 => any::<usize>().prop_map(|index| Step::Revoke { index }),
        1 => (0u8..3).prop_map(Step::RevokeSubject),
        1 => (0u8..3).prop_map(Step::RevokeClient),
        1 => Just(Step::RevokeAll),
        3 => (1u64..60).prop_map(Step::Wait),
        1 => (1u64..20_000).prop_map(Step::Wait),
    ]
}

/// The issued tokens, and the tokens to mint from.
#[derive(Default)]
struct World {
    tokens: Vec<(TokenId, BearerToken)>,
    roots: Vec<TokenId>,
}

impl World {
    async fn take(&mut self, step: Step, bench: &Bench) {
        let manager = &bench.manager;
        let pick = |index: usize| Some(&self.tokens[index.checked_rem(self.tokens.len())?]);
        match step {
            Step::Issue { kind, owner, life, more } => {
                let kind = Kind::ALL[kind];
                let mut grant = Grant::new(kind).ttl(Ttl::from_secs(life));
                if owner < 6 {
                    grant = grant.subject(format!("user {}", owner % 3));
                }
                if owner > 2 {
                    grant = grant.client(format!("client {}", owner % 3));
                }
                if more % 4 == 0 {
                    grant = grant.idle_timeout(Ttl::from_secs(1 + life / 3));
                }
                if more / 4 % 4 == 0 && kind != Kind::Refresh {
                    grant = grant.uses(1 + u32::from(more / 16 % 3));
                }
                if more / 64 == 0 {
                    grant = grant.not_before(bench.clock_in(Ttl::from_secs(1 + life / 2)));
                }
                if let Ok(issued) = manager.issue(grant).await {
                    if matches!(kind, Kind::Session | Kind::Refresh) {
                        self.roots.push(issued.token.id);
                    }
                    self.tokens.push((issued.token.id, issued.bearer));
                }
            }
            Step::Mint { from, life } => {
                let Some(place) = from.checked_rem(self.roots.len()) else { return };
                let grant = Grant::new(Kind::Access).ttl(Ttl::from_secs(life));
                if let Ok(issued) = manager.mint(self.roots[place], grant).await {
                    self.tokens.push((issued.token.id, issued.bearer));
                }
            }
            Step::Use { index } => {
                let Some((_, bearer)) = pick(index) else { return };
                if bearer.kind() == Kind::Refresh {
                    if let Ok(pair) = manager.refresh(bearer, RefreshRequest::new()).await {
                        let position = index % self.tokens.len();
                        self.tokens[position].1 = pair.refresh.bearer;
                        self.tokens.push((pair.access.token.id, pair.access.bearer));
                    }
                } else {
                    let _any_result = manager.validate_active(bearer).await;
                }
            }
            Step::Revoke { index } => {
                let Some((id, _)) = pick(index) else { return };
                let _any_result = manager.revoke(*id, RevokeRequest::default()).await;
            }
            Step::RevokeSubject(n) => {
                let subject = Subject::new(format!("user {n}")).unwrap();
                manager.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
            }
            Step::RevokeClient(n) => {
                let client = ClientId::new(format!("client {n}")).unwrap();
                manager.revoke_client(&client, RevokeRequest::default()).await.unwrap();
            }
            Step::RevokeAll => manager.revoke_all(RevokeRequest::default()).await.unwrap(),
            Step::Wait(secs) => bench.clock.advance(Ttl::from_secs(secs)),
        }
        // Writes the last uses, so that no write is pending.
        manager.shutdown().await;
    }
}

type ExactCounts = BTreeMap<(Option<Kind>, Option<Option<ClientId>>), [u64; 4]>;

/// Reads all tokens that have not ended, by kind and by client.
async fn read_every_token(manager: &TokenManager) -> ExactCounts {
    let now = manager.now();
    let mut counts = ExactCounts::new();
    let mut after = None;
    loop {
        let page = manager.list(&Filter::new(), Paging::new(500).after(after)).await.unwrap();
        let lives = |token: &&Token| token.state_inputs().ends_at.is_none_or(|end| now < end);
        for token in page.tokens.iter().filter(lives) {
            let column = match token.state(now) {
                TokenState::Pending => 0,
                TokenState::Active => 1,
                TokenState::Revoked => 2,
                TokenState::Exhausted => 3,
                TokenState::Expired => unreachable!("its end has not come"),
            };
            for key in [(Some(token.kind), None), (None, Some(token.client.clone()))] {
                counts.entry(key).or_default()[column] += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return counts,
        }
    }
}

async fn compare(bench: &Bench) -> Result<(), TestCaseError> {
    let (manager, namespace) = (&bench.manager, bench.store.namespace());
    let clients = (0..3).map(|n| ClientId::new(format!("client {n}")).unwrap());
    let clients: Vec<_> = clients.map(|id| (namespace.client_epoch(&id), id)).collect();
    let (stats, exact) = (manager.stats().await.unwrap(), read_every_token(manager).await);
    let of_kinds = stats.by_kind.iter().map(|(kind, counts)| ((Some(*kind), None), *counts));
    let client_counts = stats.by_client.iter().map(|counts| {
        let client = match &counts.client {
            CountedClient::None => None,
            CountedClient::Known(client) => Some(client.clone()),
            // The sample may expire before the last token of its bucket.
            CountedClient::Unknown(field) => {
                clients.iter().find(|(known, _)| known == field).map(|(_, client)| client.clone())
            }
        };
        ((None, Some(client)), counts.counts)
    });
    let counted: BTreeMap<_, _> = of_kinds.chain(client_counts).collect();
    let keys = counted.keys().chain(exact.keys());
    for key in keys {
        let counts = numbers(&counted.get(key).copied().unwrap_or_default());
        let expected = exact.get(key).copied().unwrap_or_default();
        for (count, expected) in counts.into_iter().zip(expected) {
            let off = count.abs_diff(expected);
            prop_assert!(
                off <= stats.unsure,
                "{key:?}: {counts:?} where {exact:?} was read, and {} are estimates",
                stats.unsure
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn counts_equal_an_exact_read_except_for_estimates(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (bench, mut world) = (bench(), World::default());
            for step in steps {
                world.take(step, &bench).boxed_local().await;
                compare(&bench).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
