//! The decision, explored exhaustively: every order in which the holders of a family's bearer
//! tokens can present them within some steps of time. Nothing is random here, and no order is left
//! out.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::id::TokenId;
use crate::time::Ttl;

const GRACE_PERIOD: u64 = 3;
/// The number of time steps.
const LATEST: u64 = 7;
/// The maximum number of generations.
const HIGHEST: u32 = 4;

fn at(step: u64) -> Timestamp {
    Timestamp::from_millis(1_000 + step)
}

fn grace_period() -> GracePeriod {
    GracePeriod::new(Ttl::from_millis(GRACE_PERIOD).unwrap())
}

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn presenter(who: u8) -> Presenter {
    Presenter([who; 16])
}

/// The stored family and its past, from which the expected decision follows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: u64,
    generation: u32,
    /// For each generation, the time of its first presentation, and the time and the presenter of
    /// its exchange.
    first_presented: Vec<Option<u64>>,
    exchanged: Vec<Option<(u64, u8)>>,
    has_ended: bool,
}

impl World {
    fn new() -> Self {
        let many = HIGHEST as usize + 2;
        Self {
            now: 0,
            generation: 0,
            first_presented: vec![None; many],
            exchanged: vec![None; many],
            has_ended: false,
        }
    }

    /// Computes the stored record from the past.
    fn rotation(&self) -> Rotation {
        let mut rotation = Rotation::default();
        for number in 0..self.generation {
            let (when, who) = self.exchanged[number as usize].unwrap();
            let access = TokenId::from_bytes([1; 16]);
            let (retired, by) = (generation(number), presenter(who));
            rotation = rotation.rotated(retired, by, access, at(when), grace_period());
        }
        rotation
    }

    fn decide(&self, number: u32, who: u8) -> Decision {
        let rotation = self.rotation();
        let state = if self.has_ended { TokenState::Revoked } else { TokenState::Active };
        let stored = StoredFamily {
            state,
            generation: generation(self.generation),
            rotation: &rotation,
            grace_period: grace_period(),
        };
        decide(Proof::Proven(generation(number)), &stored, presenter(who), at(self.now))
    }

    fn present(&self, number: u32, who: u8) -> (Decision, Self) {
        let decision = self.decide(number, who);
        let mut next = self.clone();
        next.first_presented[number as usize].get_or_insert(self.now);
        match decision {
            Decision::Rotate(to) => {
                next.exchanged[number as usize] = Some((self.now, who));
                next.generation = to.number();
            }
            Decision::EndFamily(_) => next.has_ended = true,
            _ => {}
        }
        (decision, next)
    }
}

#[test]
fn every_order_of_presentations_keeps_the_rules() {
    let mut seen = HashSet::from([World::new()]);
    let mut waiting = VecDeque::from([World::new()]);
    let mut ended = 0;
    while let Some(world) = waiting.pop_front() {
        let mut visit = |next: World| {
            if seen.insert(next.clone()) {
                waiting.push_back(next);
            }
        };
        if world.now < LATEST {
            visit(World { now: world.now + 1, ..world.clone() });
        }
        for number in 0..=world.generation.min(HIGHEST) {
            for who in [1, 2] {
                let (decision, next) = world.present(number, who);
                check(&world, number, who, decision);
                ended += usize::from(matches!(decision, Decision::EndFamily(_)));
                if number < HIGHEST {
                    visit(next);
                }
            }
        }
    }
    assert!(seen.len() > 10_000 && ended > 1_000, "{} worlds, {ended} ended", seen.len());
}

fn check(world: &World, number: u32, who: u8, decision: Decision) {
    let case = || format!("{number} by {who} in {world:?}: {decision:?}");
    if world.has_ended {
        assert_eq!(decision, Decision::FamilyEnded(TokenState::Revoked), "{}", case());
        return;
    }
    let is_present = number == world.generation;
    assert_eq!(matches!(decision, Decision::Rotate(_)), is_present, "{}", case());
    if is_present {
        return;
    }
    let (when, by) = world.exchanged[number as usize].unwrap();
    let is_within = world.now - when < GRACE_PERIOD;
    // A retry within the grace period never ends the family.
    assert_eq!(matches!(decision, Decision::EndFamily(_)), !is_within, "{}", case());
    // The presenter that got a pair gets the same pair again, while it is the newest.
    let is_replayed = is_within && number + 1 == world.generation && by == who;
    assert_eq!(matches!(decision, Decision::Replay(_)), is_replayed, "{}", case());
    // Two presentations more than a grace period apart have ended the family.
    let first = world.first_presented[number as usize].unwrap();
    if world.now - first >= GRACE_PERIOD && world.now - when >= GRACE_PERIOD {
        assert_eq!(decision, Decision::EndFamily(EndCause::Reuse), "{}", case());
    }
}

#[test]
fn a_presenter_without_the_root_changes_nothing() {
    let mut world = World::new();
    for step in 0..4 {
        world.now = step;
        world = world.present(world.generation, 1).1;
    }
    for has_ended in [false, true] {
        for generation_of_record in 0..6 {
            let state = if has_ended { TokenState::Revoked } else { TokenState::Active };
            let rotation = world.rotation();
            let generation = generation(generation_of_record);
            let stored = StoredFamily {
                state,
                generation,
                rotation: &rotation,
                grace_period: grace_period(),
            };
            let decision = decide(Proof::Unknown, &stored, presenter(1), at(9));
            assert_eq!(decision, Decision::Unknown);
        }
    }
}

fn stored_at(rotation: &Rotation, number: u32) -> StoredFamily<'_> {
    let generation = generation(number);
    StoredFamily { state: TokenState::Active, generation, rotation, grace_period: grace_period() }
}

#[test]
fn a_generation_ahead_of_the_record_keeps_the_family() {
    let rotation = Rotation::default();
    let decide = |proof| decide(proof, &stored_at(&rotation, 3), presenter(1), at(9));
    assert_eq!(decide(Proof::Proven(generation(4))), Decision::AheadOfStore);
    assert_eq!(decide(Proof::Proven(Generation::LAST)), Decision::AheadOfStore);
    assert_eq!(decide(Proof::Forged), Decision::EndFamily(EndCause::Forgery));
}

#[test]
fn the_last_generation_ends_the_family() {
    let rotation = Rotation::default();
    let stored = stored_at(&rotation, Generation::LAST.number());
    let decision = decide(Proof::Proven(Generation::LAST), &stored, presenter(1), at(9));
    assert_eq!(decision, Decision::EndFamily(EndCause::LastGeneration));
}

#[test]
fn without_a_grace_period_a_bearer_is_valid_once() {
    let mut world = World::new();
    world = world.present(0, 1).1;
    let rotation = world.rotation();
    let stored = StoredFamily { grace_period: GracePeriod::NONE, ..stored_at(&rotation, 1) };
    let again = decide(Proof::Proven(generation(0)), &stored, presenter(1), at(0));
    assert_eq!(again, Decision::EndFamily(EndCause::Reuse));
}

#[test]
fn a_clock_that_goes_back_ends_no_family() {
    let mut world = World::new();
    world.now = 7;
    world = world.present(0, 1).1;
    world = world.present(1, 1).1;
    world.now = 0;
    assert_eq!(world.decide(1, 1), Decision::Replay(at(7)));
    assert_eq!(world.decide(0, 1), Decision::RefuseInWindow);
    assert_eq!(world.decide(1, 2), Decision::RefuseInWindow);
}
