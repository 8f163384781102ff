//! A short run of the fuzz targets: valid samples, thousands of mutations of them, and random
//! bytes. The seed is fixed, so a failure is reproducible.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::random::{Random, SeededRandom};
use keyfob::{Grant, Kind, MemoryStore, TokenManager};
use keyfob_testkit::fuzz;

const MUTATIONS: usize = 6_000;
const NOISE: usize = 2_000;

struct Dice(SeededRandom);

impl Dice {
    fn number(&self, below: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).expect("a seeded source never fails");
        (u64::from_le_bytes(bytes) % below.max(1) as u64) as usize
    }

    fn noise(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.number(200)];
        self.0.fill(&mut bytes).expect("a seeded source never fails");
        bytes
    }

    /// Returns a random part of `bytes`.
    fn cut<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.number(bytes.len() + 1);
        let end = start + self.number(bytes.len() - start + 1);
        &bytes[start..end]
    }

    /// Returns `sample` with one to four changes, some of them taken from `others`.
    fn mutate(&self, sample: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = sample.to_vec();
        for _ in 0..=self.number(4) {
            let at = self.number(bytes.len() + 1);
            match self.number(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.number(8),
                1 if at < bytes.len() => bytes[at] = self.number(256) as u8,
                2 => bytes.truncate(at),
                3 => {
                    let cut = self.cut(&others[self.number(others.len())]).to_vec();
                    bytes.splice(at..at, cut);
                }
                4 => {
                    let gone = at..at + self.number(bytes.len() - at + 1);
                    bytes.drain(gone);
                }
                _ => {
                    // Lengths and signs are often at the limits of a byte.
                    let edge = [0, 0x1b, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0x9f, 0xbf, 0xff];
                    bytes.insert(at, edge[self.number(edge.len())]);
                }
            }
        }
        bytes
    }
}

/// Runs `body` on the samples, which it must accept, and on mutations, some of which it must
/// refuse.
fn run(seed: u64, samples: &[Vec<u8>], body: fn(&[u8]) -> bool) {
    let dice = Dice(SeededRandom::new(seed));
    for sample in samples {
        assert!(body(sample), "{:?}", String::from_utf8_lossy(sample));
    }
    let mutations = (0..MUTATIONS).map(|n| dice.mutate(&samples[n % samples.len()], samples));
    let refused = mutations.filter(|input| !body(input)).count();
    assert!((MUTATIONS / 10..MUTATIONS).contains(&refused), "{refused} of {MUTATIONS}");
    for _ in 0..NOISE {
        body(&dice.noise());
    }
}

/// Returns the bearer and the stored body of one token of each kind.
async fn issued() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let store = Arc::new(MemoryStore::new().expect("the system has randomness"));
    let manager = TokenManager::builder(store.clone()).random(SeededRandom::new(1)).build();
    let (mut bearers, mut bodies) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let grant = Grant::new(kind)
            .subject("user123")
            .issuer("example-service")
            .audience("example-app")
            .scopes("read write")
            .client("web")
            .device_id("device123")
            .ip([192, 0, 2, 1].into())
            .label("environment", "production")
            .tag("mobile")
            .claims(&std::collections::BTreeMap::from([("tier", "team")]));
        let issued = manager.issue(grant).await.expect("issue succeeds");
        let loaded =
            store.load(issued.token.id).await.expect("load succeeds").expect("the record exists");
        bearers.push(issued.bearer.expose().into());
        bodies.push(loaded.body);
    }
    (bearers, bodies)
}

#[tokio::test]
async fn no_bytes_break_the_bearer_parser() {
    run(2, &issued().await.0, fuzz::bearer);
}

#[tokio::test]
async fn no_bytes_break_the_record_decoder() {
    run(3, &issued().await.1, fuzz::record);
}

#[test]
fn no_bytes_break_the_filter_parser() {
    let samples = [
        "subject:user123 tag:mobile label:environment=production state:active",
        "kind:access,refresh subject:\"Jane \\\"JD\\\" Doe\" issuer:a\\b audience:x client:web",
        "device:d app:shop any-tag:a any-tag:b scope:read any-scope:write label:team=\"a b\"",
        "family:tok_00d1h88n000000000000000001 id:tok_00d1",
        "issued-after:2026-11-24 issued-before:2026-11-24T08:30:00.5+01:00",
        "expires-after:-7d expires-before:\"+1h 30m\"",
    ];
    run(4, &samples.map(Vec::from), fuzz::filter);
}
