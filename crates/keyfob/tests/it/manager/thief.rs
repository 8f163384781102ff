//! Random runs of a family with an owner, who loses answers, retries and has two tabs, and a thief
//! with a copy. In every run, the guarantees of rotation hold.

use std::collections::HashMap;

use futures_util::FutureExt;
use keyfob::{
    BearerPrefix, BearerToken, RefreshRequest, Refreshed, Timestamp, TokenManager, TokenState, Ttl,
};
use proptest::prelude::*;

use super::{Bench, bench_with, refreshing::family};

const WINDOW: u64 = 10_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    /// The owner presents the newest bearer it has, at one of two nodes, and may lose the answer.
    Refresh {
        node: usize,
        is_lost: bool,
    },
    /// An earlier request of the owner arrives again. The number counts back from the last request.
    Late {
        node: usize,
        back: usize,
    },
    /// The thief copies the newest bearer of the owner.
    Steal,
    /// The thief presents the copy and keeps the result.
    Use {
        node: usize,
    },
    /// An attacker who knows the id presents a forged bearer.
    MakeUp {
        node: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u64..2 * WINDOW).prop_map(Step::Wait),
        2 => (0u64..WINDOW / 8).prop_map(Step::Wait),
        6 => (0usize..2, any::<bool>()).prop_map(|(node, is_lost)| Step::Refresh { node, is_lost }),
        3 => (0usize..2, 0usize..6).prop_map(|(node, back)| Step::Late { node, back }),
        1 => Just(Step::Steal),
        1 => (0usize..2).prop_map(|node| Step::Use { node }),
        1 => (0usize..2).prop_map(|node| Step::MakeUp { node }),
    ]
}

/// The expected state of a bearer.
#[derive(Default)]
struct Past {
    first_shown: Option<Timestamp>,
    /// The time of the exchange, and the pair.
    exchanged: Option<(Timestamp, [String; 2])>,
}

struct Run {
    bench: Bench,
    nodes: [TokenManager; 2],
    past: HashMap<String, Past>,
    /// All access tokens, and the bearers that the owner sent, the last at the end.
    access: Vec<BearerToken>,
    sent: Vec<BearerToken>,
    owned: BearerToken,
    stolen: Option<BearerToken>,
    generation: u32,
    is_over: bool,
    was_stolen: bool,
}

impl Run {
    fn new() -> Self {
        let bench = bench_with(|builder| builder.observations_per_second(0));
        let first = bench.manager.issue(family()).now_or_never().unwrap().unwrap();
        // Another node over the same store, with its own cache.
        let nodes = [bench.manager.clone(), bench.another()];
        Self {
            nodes,
            past: HashMap::new(),
            access: Vec::new(),
            sent: Vec::new(),
            owned: first.bearer,
            stolen: None,
            generation: 0,
            is_over: false,
            was_stolen: false,
            bench,
        }
    }

    fn present(
        &mut self,
        node: usize,
        bearer: &BearerToken,
    ) -> Result<Option<Refreshed>, TestCaseError> {
        let now = self.bench.manager.now();
        let age = |at: Timestamp| now.since(at).map_or(0, Ttl::as_millis);
        let request = RefreshRequest::new();
        let outcome = self.nodes[node].refresh(bearer, request).now_or_never().unwrap();
        let past = self.past.entry(bearer.expose().to_owned()).or_default();
        let first_shown = *past.first_shown.get_or_insert(now);
        let is_newest = bearer.generation().number() == self.generation;
        match outcome {
            Ok(refreshed) => {
                prop_assert!(!self.is_over, "an ended family rotated");
                let got = [&refreshed.access, &refreshed.refresh]
                    .map(|issued| issued.bearer.expose().to_owned());
                match &past.exchanged {
                    None => {
                        prop_assert!(is_newest, "an old bearer rotated the family");
                        self.generation += 1;
                        self.access.push(refreshed.access.bearer.clone());
                        past.exchanged = Some((now, got));
                    }
                    Some((at, before)) => {
                        prop_assert!(age(*at) < WINDOW, "replayed after the grace period");
                        prop_assert_eq!(before, &got, "another pair for the same bearer");
                    }
                }
                prop_assert_eq!(refreshed.refresh.token.generation.number(), self.generation);
                Ok(Some(refreshed))
            }
            Err(error) => {
                let exchanged_at = past.exchanged.as_ref().map(|(at, _)| *at);
                match error.code() {
                    "family_ended" => prop_assert!(self.is_over, "a valid family was refused"),
                    "refused_in_window" => prop_assert!(!self.is_over && !is_newest),
                    "reuse_detected" => {
                        let at = exchanged_at.unwrap();
                        let grace = self.grace_of(at);
                        prop_assert!(age(at) >= grace, "ended within the grace period");
                        self.is_over = true;
                    }
                    other => prop_assert!(false, "{other}"),
                }
                // If one generation is presented twice with more than a grace period between, the
                // family ends.
                let since_exchanged = exchanged_at.map_or(0, age);
                if age(first_shown) >= WINDOW && since_exchanged >= WINDOW {
                    prop_assert!(self.is_over, "the family survived a thief");
                }
                Ok(None)
            }
        }
    }

    /// Returns the shortest grace period of a generation that was retired at `at`, in milliseconds.
    /// If a family retires more than eight generations within a grace period, it may be an eighth
    /// shorter.
    fn grace_of(&self, at: Timestamp) -> u64 {
        let retired = self.past.values().filter_map(|past| past.exchanged.as_ref());
        let is_near = |other: &Timestamp| at.as_millis().abs_diff(other.as_millis()) < WINDOW;
        match retired.filter(|(other, _)| is_near(other)).count() {
            0..=8 => WINDOW,
            _ => WINDOW * 7 / 8,
        }
    }

    fn go(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(millis) => {
                if let Ok(ttl) = Ttl::from_millis(millis) {
                    self.bench.clock.advance(ttl);
                }
            }
            Step::Refresh { node, is_lost } => {
                let bearer = self.owned.clone();
                self.sent.push(bearer.clone());
                let was_over = self.is_over;
                let exchanged =
                    self.past.get(bearer.expose()).and_then(|past| past.exchanged.clone());
                let refreshed = self.present(node, &bearer)?;
                let now = self.bench.manager.now();
                let is_in_time = exchanged
                    .is_none_or(|(at, _)| now.since(at).map_or(0, Ttl::as_millis) < WINDOW);
                // Without a thief, an owner who retries in time is never logged out.
                if !self.was_stolen && is_in_time && !was_over {
                    prop_assert!(refreshed.is_some(), "the owner was logged out");
                }
                if let (Some(refreshed), false) = (refreshed, is_lost) {
                    self.owned = refreshed.refresh.bearer;
                }
            }
            Step::Late { node, back } => {
                if let Some(bearer) = self.sent.iter().rev().nth(back).cloned() {
                    self.present(node, &bearer)?;
                }
            }
            Step::Steal => {
                self.stolen = Some(self.owned.clone());
                self.was_stolen = true;
            }
            Step::Use { node } => {
                if let Some(bearer) = self.stolen.clone()
                    && let Some(refreshed) = self.present(node, &bearer)?
                {
                    self.stolen = Some(refreshed.refresh.bearer);
                }
            }
            Step::MakeUp { node } => {
                let made_up = with_another_secret(&self.owned);
                let before = self.bench.manager.get(made_up.id()).now_or_never().unwrap().unwrap();
                let outcome = self.nodes[node].refresh(&made_up, RefreshRequest::new());
                let refused = outcome.now_or_never().unwrap().unwrap_err();
                prop_assert_eq!(refused.code(), "token_unknown");
                let after = self.bench.manager.get(made_up.id()).now_or_never().unwrap().unwrap();
                prop_assert_eq!(before, after, "a forged bearer changed the token");
            }
        }
        self.look()
    }

    /// Checks which tokens are valid.
    fn look(&self) -> Result<(), TestCaseError> {
        let manager = &self.bench.manager;
        let root = manager.get(self.owned.id()).now_or_never().unwrap().unwrap();
        prop_assert_eq!(root.state(manager.now()) == TokenState::Active, !self.is_over);
        prop_assert_eq!(root.generation.number(), self.generation);
        for (age, access) in self.access.iter().rev().enumerate() {
            let is_valid = manager.validate_active(access).now_or_never().unwrap().is_ok();
            // The lifetime of an hour is longer than a run of this few steps.
            prop_assert!(!(self.is_over && is_valid), "access {age} outlives its family");
        }
        for bearer in &self.sent {
            let is_valid = manager.validate_active(bearer).now_or_never().unwrap().is_ok();
            let is_newest = bearer.generation().number() == self.generation;
            prop_assert_eq!(is_valid, is_newest && !self.is_over);
        }
        Ok(())
    }
}

/// Returns the bearer with another root and a valid checksum.
pub(super) fn with_another_secret(bearer: &BearerToken) -> BearerToken {
    let text = bearer.expose();
    let mut made_up = text[..text.len() - 6].to_owned();
    let secret = made_up.len() - 30;
    let other = if made_up.as_bytes()[secret] == b'A' { "B" } else { "A" };
    made_up.replace_range(secret..=secret, other);
    let mut check = crc32fast::hash(made_up.as_bytes());
    let mut digits = Vec::new();
    for _ in 0..6 {
        let digit = (check % 62) as usize;
        digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit]);
        check /= 62;
    }
    digits.reverse();
    made_up.push_str(std::str::from_utf8(&digits).unwrap());
    BearerToken::parse(&made_up, &BearerPrefix::default()).unwrap()
}

fn run(steps: impl IntoIterator<Item = Step>) -> Result<(), TestCaseError> {
    // Background tasks of the manager are spawned there and never run.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let mut run = Run::new();
    steps.into_iter().try_for_each(|step| run.go(step))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn all_guarantees_hold_in_every_run(steps in prop::collection::vec(step(), 1..60)) {
        run(steps)?;
    }
}

/// More than eight rotations within a grace period share their times: the grace period of an older
/// generation is at most an eighth shorter, and never longer.
#[test]
fn a_fast_family_has_a_slightly_shorter_grace_period_for_older_generations() {
    let refresh = Step::Refresh { node: 0, is_lost: false };
    for back in 0..10 {
        let mut steps = vec![refresh; 8];
        steps.extend([Step::Wait(473), refresh, refresh, Step::Wait(WINDOW - 473)]);
        steps.push(Step::Late { node: 1, back });
        run(steps).unwrap_or_else(|failure| panic!("{back} back: {failure}"));
    }
}
