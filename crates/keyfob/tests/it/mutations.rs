//! A short run of a fuzz target: valid samples, thousands of mutations of them, and random bytes. The
//! seed is fixed, so a failure is reproducible.

use std::time::{Duration, Instant};

use keyfob::random::{Random, SeededRandom};

/// How many mutations are tried.
const MUTATIONS: usize = 6_000;
/// How many inputs are only noise.
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

/// For how many seconds mutations are tried after the first run, with further seeds.
const SECONDS: &str = "KEYFOB_FUZZ_SECONDS";

/// Runs `body` on the samples, which it must accept, and on mutations, some of which it must
/// refuse.
pub(crate) fn run(seed: u64, samples: &[Vec<u8>], body: fn(&[u8]) -> bool) {
    for sample in samples {
        assert!(body(sample), "{:?}", String::from_utf8_lossy(sample));
    }
    let refused = try_mutations(&Dice(SeededRandom::new(seed)), samples, body);
    assert!((MUTATIONS / 10..MUTATIONS).contains(&refused), "{refused} of {MUTATIONS}");
    let seconds = std::env::var(SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    let (start, limit) = (Instant::now(), Duration::from_secs(seconds.unwrap_or(0)));
    let mut rounds: u64 = 0;
    while start.elapsed() < limit {
        rounds += 1;
        try_mutations(&Dice(SeededRandom::new(seed << 32 | rounds)), samples, body);
    }
}

/// Runs `body` on mutations and on noise. Returns how many mutations it refused.
fn try_mutations(dice: &Dice, samples: &[Vec<u8>], body: fn(&[u8]) -> bool) -> usize {
    let mutations = (0..MUTATIONS).map(|n| dice.mutate(&samples[n % samples.len()], samples));
    let refused = mutations.filter(|input| !body(input)).count();
    for _ in 0..NOISE {
        body(&dice.noise());
    }
    refused
}
