//! The decision, explored: every order in which the holders of a family's bearers can present them
//! within some steps of time. Nothing is drawn at random here, and nothing is left out.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::id::TokenId;
use crate::time::Ttl;

const WINDOW: u64 = 3;
/// How many steps of time pass in all.
const LATEST: u64 = 7;
/// How many generations there may be.
const HIGHEST: u32 = 4;

fn at(step: u64) -> Timestamp {
    Timestamp::from_millis(1_000 + step)
}

fn window() -> GracePeriod {
    GracePeriod::new(Ttl::from_millis(WINDOW).unwrap())
}

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn presenter(who: u8) -> Presenter {
    Presenter([who; 16])
}

/// The family as the store has it, and what has happened: enough to say what must hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    now: u64,
    generation: u32,
    /// When each generation was presented first, and when and by whom it was exchanged.
    first_shown: Vec<Option<u64>>,
    exchanged: Vec<Option<(u64, u8)>>,
    is_over: bool,
}

impl World {
    fn new() -> Self {
        let many = HIGHEST as usize + 2;
        Self {
            now: 0,
            generation: 0,
            first_shown: vec![None; many],
            exchanged: vec![None; many],
            is_over: false,
        }
    }

    /// The record that the store would hold, made anew from what has happened.
    fn rotation(&self) -> Rotation {
        let mut rotation = Rotation::default();
        for number in 0..self.generation {
            let (when, who) = self.exchanged[number as usize].unwrap();
            let access = TokenId::from_bytes([1; 16]);
            let (retired, by) = (generation(number), presenter(who));
            rotation = rotation.after(retired, by, access, at(when), window());
        }
        rotation
    }

    fn decide(&self, number: u32, who: u8) -> Decision {
        let rotation = self.rotation();
        let state = if self.is_over { TokenState::Revoked } else { TokenState::Active };
        let held = Held {
            state,
            generation: generation(self.generation),
            rotation: &rotation,
            window: window(),
        };
        decide(Proof::Proven(generation(number)), &held, presenter(who), at(self.now))
    }

    fn show(&self, number: u32, who: u8) -> (Decision, Self) {
        let decision = self.decide(number, who);
        let mut next = self.clone();
        next.first_shown[number as usize].get_or_insert(self.now);
        match decision {
            Decision::Rotate(to) => {
                next.exchanged[number as usize] = Some((self.now, who));
                next.generation = to.number();
            }
            Decision::End(_) => next.is_over = true,
            _ => {}
        }
        (decision, next)
    }
}

#[test]
fn whoever_presents_whatever_whenever() {
    let mut seen = HashSet::from([World::new()]);
    let mut waiting = VecDeque::from([World::new()]);
    let mut ended = 0;
    while let Some(world) = waiting.pop_front() {
        let mut go_on = |next: World| {
            if seen.insert(next.clone()) {
                waiting.push_back(next);
            }
        };
        if world.now < LATEST {
            go_on(World { now: world.now + 1, ..world.clone() });
        }
        for number in 0..=world.generation.min(HIGHEST) {
            for who in [1, 2] {
                let (decision, next) = world.show(number, who);
                check(&world, number, who, decision);
                ended += usize::from(matches!(decision, Decision::End(_)));
                if number < HIGHEST {
                    go_on(next);
                }
            }
        }
    }
    assert!(seen.len() > 10_000 && ended > 1_000, "{} worlds, {ended} ended", seen.len());
}

fn check(world: &World, number: u32, who: u8, decision: Decision) {
    let case = || format!("{number} by {who} in {world:?}: {decision:?}");
    if world.is_over {
        assert_eq!(decision, Decision::Over(TokenState::Revoked), "{}", case());
        return;
    }
    let is_present = number == world.generation;
    assert_eq!(matches!(decision, Decision::Rotate(_)), is_present, "{}", case());
    if is_present {
        return;
    }
    let (when, by) = world.exchanged[number as usize].unwrap();
    let is_within = world.now - when < WINDOW;
    // Whoever retries within the window never ends the family.
    assert_eq!(matches!(decision, Decision::End(_)), !is_within, "{}", case());
    // The same pair is given to whoever got it, while it is the newest.
    let is_replayed = is_within && number + 1 == world.generation && by == who;
    assert_eq!(matches!(decision, Decision::Replay(_)), is_replayed, "{}", case());
    // What two parties have presented more than a window apart has ended the family.
    let first = world.first_shown[number as usize].unwrap();
    if world.now - first >= WINDOW && world.now - when >= WINDOW {
        assert_eq!(decision, Decision::End(Cause::Reuse), "{}", case());
    }
}

#[test]
fn whoever_does_not_hold_the_root_changes_nothing() {
    let mut world = World::new();
    for step in 0..4 {
        world.now = step;
        world = world.show(world.generation, 1).1;
    }
    for is_over in [false, true] {
        for generation_of_record in 0..6 {
            let state = if is_over { TokenState::Revoked } else { TokenState::Active };
            let rotation = world.rotation();
            let generation = generation(generation_of_record);
            let held = Held { state, generation, rotation: &rotation, window: window() };
            let decision = decide(Proof::Unknown, &held, presenter(1), at(9));
            assert_eq!(decision, Decision::Unknown);
        }
    }
}

fn held(rotation: &Rotation, number: u32) -> Held<'_> {
    let generation = generation(number);
    Held { state: TokenState::Active, generation, rotation, window: window() }
}

#[test]
fn a_generation_that_the_record_has_yet_to_reach_keeps_the_family() {
    let rotation = Rotation::default();
    let decide = |proof| decide(proof, &held(&rotation, 3), presenter(1), at(9));
    assert_eq!(decide(Proof::Proven(generation(4))), Decision::Ahead);
    assert_eq!(decide(Proof::Proven(Generation::LAST)), Decision::Ahead);
    assert_eq!(decide(Proof::Forged), Decision::End(Cause::Forgery));
}

#[test]
fn after_the_last_generation_the_family_ends() {
    let rotation = Rotation::default();
    let held = held(&rotation, Generation::LAST.number());
    let decision = decide(Proof::Proven(Generation::LAST), &held, presenter(1), at(9));
    assert_eq!(decision, Decision::End(Cause::LastGeneration));
}

#[test]
fn without_a_window_a_bearer_is_good_once() {
    let mut world = World::new();
    world = world.show(0, 1).1;
    let rotation = world.rotation();
    let held = Held { window: GracePeriod::NONE, ..held(&rotation, 1) };
    let again = decide(Proof::Proven(generation(0)), &held, presenter(1), at(0));
    assert_eq!(again, Decision::End(Cause::Reuse));
}

#[test]
fn a_clock_that_goes_back_ends_nobody() {
    let mut world = World::new();
    world.now = 7;
    world = world.show(0, 1).1;
    world = world.show(1, 1).1;
    world.now = 0;
    assert_eq!(world.decide(1, 1), Decision::Replay(at(7)));
    assert_eq!(world.decide(0, 1), Decision::RefuseInWindow);
    assert_eq!(world.decide(1, 2), Decision::RefuseInWindow);
}
