//! Journal and follower together: nothing is trusted longer than it may be.

use std::time::Duration;

use keyfob_core::random::{Random as _, SeededRandom};

use super::*;
use crate::{Coverage, EpochField, Invalidation, Lane, LaneCount, MonotonicInstant};

const NAMESPACE: [u8; 16] = [7; 16];
const MS: fn(u64) -> Duration = Duration::from_millis;

fn at(millis: u64) -> MonotonicInstant {
    MonotonicInstant::from_nanos(millis * 1_000_000)
}

fn covered(millis: u64) -> Coverage {
    Coverage { until: at(millis), distrusted: Vec::new() }
}

fn trip(sent: u64, received: u64) -> Trip {
    let none = Duration::ZERO;
    Trip { sent: at(sent), received: at(received), suspended_before: none, suspended_after: none }
}

fn record(number: u8) -> Invalidation {
    Invalidation::Record([number; 10])
}

fn follower() -> Follower {
    Follower::new(NAMESPACE, LaneCount::ONE, at(1_000), Duration::ZERO)
}

fn journal(id: u8) -> Journal {
    Journal::new(JournalId([id; 8]), NAMESPACE, at(0))
}

const LANE: fn() -> Lane = Lane::default;

#[test]
fn trust_counts_from_when_the_question_was_sent() {
    let (mut follower, journal) = (follower(), journal(1));
    // Asked at 1,100 and answered 60 ms after it arrived. The proof is 20 ms old.
    let beat = journal.beat(&follower.since(at(1_100)), &covered(1_140), at(1_100), at(1_160));
    assert_eq!((beat.held, beat.age), (MS(60), MS(20)));
    let step = follower.take(trip(1_100, 1_400), &beat).unwrap();
    assert_eq!(step.confirm, Some((at(1_140), vec![LANE()])));
    // A server that says more than can be is not believed.
    let beat = Beat { held: MS(5_000), ..beat };
    let step = follower.take(trip(1_500, 1_510), &beat).unwrap();
    assert_eq!(step.confirm, Some((at(1_490), vec![LANE()])));
}

#[test]
fn beats_of_one_journal_have_each_change_once() {
    let (mut follower, mut journal) = (follower(), journal(1));
    let ask = |journal: &Journal, follower: &mut Follower, now: u64| {
        let since = follower.since(at(now));
        let beat = journal.beat(&since, &covered(now), at(now), at(now));
        let step = follower.take(trip(now, now), &beat).unwrap();
        step.invalidate
    };
    assert_eq!(ask(&journal, &mut follower, 1_001), [], "the span goes back far enough");
    journal.record(at(1_002), LANE(), record(1));
    assert!(journal.has_news(follower.since(at(1_003)).after));
    assert_eq!(ask(&journal, &mut follower, 1_003), [(LANE(), record(1))]);
    assert!(!journal.has_news(follower.since(at(1_003)).after));
    assert_eq!(ask(&journal, &mut follower, 1_004), []);
    // However long it takes.
    journal.record(at(1_005), LANE(), Invalidation::Field(EpochField::from_bytes([3; 8])));
    assert_eq!(ask(&journal, &mut follower, 900_000).len(), 1);
}

#[test]
fn a_journal_that_does_not_go_back_far_enough_costs_what_is_cached() {
    let mut follower = follower();
    let first = journal(1);
    let beat = first.beat(&follower.since(at(2_000)), &covered(2_000), at(2_000), at(2_000));
    assert_eq!(follower.take(trip(2_000, 2_001), &beat).unwrap().invalidate, []);

    // Another replica, which was there before, has seen a change since.
    let mut second = journal(2);
    second.record(at(2_050), LANE(), record(1));
    let beat = second.beat(&follower.since(at(2_100)), &covered(2_100), at(2_105), at(2_105));
    let step = follower.take(trip(2_100, 2_110), &beat).unwrap();
    assert_eq!(step.invalidate, [(LANE(), record(1))]);

    // One that has just started knows too little.
    let third = Journal::new(JournalId([3; 8]), NAMESPACE, at(2_150));
    let beat = third.beat(&follower.since(at(2_200)), &covered(2_200), at(2_205), at(2_205));
    let step = follower.take(trip(2_200, 2_210), &beat).unwrap();
    assert_eq!(step.invalidate, [(LANE(), Invalidation::All)]);
    assert!(step.confirm.is_some());
}

#[test]
fn more_changes_than_a_beat_has_room_for_cost_what_is_cached() {
    let (mut follower, mut journal) = (follower(), journal(1));
    let mut ask = |journal: &Journal, now: u64| {
        let beat = journal.beat(&follower.since(at(now)), &covered(now), at(now), at(now));
        follower.take(trip(now, now + 1), &beat).unwrap().invalidate
    };
    assert_eq!(ask(&journal, 1_001), []);
    for _ in 0..=Journal::MAX_CHANGES {
        journal.record(at(1_002), LANE(), record(1));
    }
    assert_eq!(ask(&journal, 1_003), [(LANE(), Invalidation::All)]);
    assert_eq!(ask(&journal, 1_005), [], "the next beat continues from there");
    for _ in 0..=Journal::CAPACITY {
        journal.record(at(1_006), LANE(), record(1));
    }
    assert_eq!(ask(&journal, 1_007), [(LANE(), Invalidation::All)]);
}

#[test]
fn a_lane_without_trust_is_not_confirmed_and_catches_up() {
    let lanes = LaneCount::new(2).unwrap();
    let mut follower = Follower::new(NAMESPACE, lanes, at(1_000), Duration::ZERO);
    let first = journal(1);
    let away = Coverage { until: at(2_000), distrusted: vec![Lane::new(1)] };
    let beat = first.beat(&follower.since(at(2_000)), &away, at(2_000), at(2_000));
    let step = follower.take(trip(2_000, 2_001), &beat).unwrap();
    assert_eq!(step.confirm, Some((at(2_000), vec![Lane::new(0)])));
    // The other journal goes back far enough for lane 0, and not for lane 1.
    let second = Journal::new(JournalId([2; 8]), NAMESPACE, at(1_500));
    let beat = second.beat(&follower.since(at(2_100)), &covered(2_100), at(2_100), at(2_100));
    let step = follower.take(trip(2_100, 2_101), &beat).unwrap();
    assert_eq!(step.invalidate, [(Lane::new(1), Invalidation::All)]);
    assert_eq!(step.confirm.unwrap().1.len(), 2);
}

#[test]
fn another_namespace_ends_everything() {
    let mut follower = follower();
    let beat = Journal::new(JournalId([1; 8]), [8; 16], at(0)).beat(
        &follower.since(at(1_001)),
        &covered(1_001),
        at(1_001),
        at(1_001),
    );
    assert_eq!(follower.take(trip(1_001, 1_002), &beat), Err(OtherNamespace));
}

#[test]
fn a_machine_that_was_suspended_does_not_trust_its_spans() {
    let (first, second) = (journal(1), journal(2));
    let ask = |follower: &mut Follower, journal: &Journal, now: u64, before: u64, after: u64| {
        let beat = journal.beat(&follower.since(at(now)), &covered(now), at(now), at(now));
        let trip =
            Trip { suspended_before: MS(before), suspended_after: MS(after), ..trip(now, now) };
        follower.take(trip, &beat).unwrap()
    };
    let mut asleep = follower();
    ask(&mut asleep, &first, 2_000, 0, 0);
    // An hour later, by a clock that stood still, another journal answers.
    let step = ask(&mut asleep, &second, 2_001, 3_600_000, 3_600_000);
    assert_eq!(step.invalidate, [(LANE(), Invalidation::All)]);
    // It fell asleep while it waited for the answer of the same journal.
    let step = ask(&mut asleep, &second, 2_002, 3_600_000, 7_200_000);
    assert_eq!((step.invalidate.len(), step.confirm), (0, None));
    // That beat confirmed nothing, so the sleep still counts when the journal changes.
    let step = ask(&mut asleep, &first, 2_003, 7_200_000, 7_200_000);
    assert_eq!(step.invalidate, [(LANE(), Invalidation::All)]);
    assert!(step.confirm.is_some());
    // From then on, all is known.
    let step = ask(&mut asleep, &second, 2_004, 7_200_000, 7_200_000);
    assert_eq!((step.invalidate.len(), step.confirm.is_some()), (0, true));
}

/// One replica: when it sees a change, and up to when its listener is confirmed.
struct Replica {
    journal: Journal,
    /// When the changes reach it, by their numbers.
    delay: u64,
    is_cut: bool,
}

/// A random run: two replicas that see changes late, an edge that asks either of them over a slow network,
/// and restarts. The edge loads one record again and again, and the record is revoked at random times.
#[test]
fn no_run_trusts_what_was_revoked_a_bound_ago() {
    const BOUND: u64 = 250;
    let random = SeededRandom::new(11);
    let below = |limit: u64| {
        let mut bytes = [0; 8];
        random.fill(&mut bytes).unwrap();
        u64::from_le_bytes(bytes) % limit
    };
    let mut trusted_answers = 0_u64;
    for _ in 0..300 {
        let start = 1_000;
        let mut replicas: Vec<Replica> = (1..=2)
            .map(|id| Replica {
                journal: Journal::new(JournalId([id; 8]), NAMESPACE, at(start)),
                delay: below(40),
                is_cut: false,
            })
            .collect();
        // Changes that replicas have not seen yet: (when it was made, who has seen it).
        let mut changes: Vec<(u64, [bool; 2])> = Vec::new();
        let mut follower = Follower::new(NAMESPACE, LaneCount::ONE, at(start), Duration::ZERO);
        // A beat on its way: (received at, sent at, beat).
        let mut on_the_way: Option<(u64, u64, Option<Beat>)> = None;
        let mut asked: Option<(u64, u64, usize)> = None;
        let (mut trusted_until, mut loaded_at, mut last_revoked) = (0, None::<u64>, None::<u64>);
        for now in start..start + 4_000 {
            if below(150) == 0 {
                changes.push((now, [false; 2]));
                last_revoked = Some(now);
            }
            for (number, replica) in replicas.iter_mut().enumerate() {
                for (made, seen) in &mut changes {
                    if !seen[number] && !replica.is_cut && now >= *made + replica.delay {
                        seen[number] = true;
                        replica.journal.record(at(now), LANE(), record(1));
                    }
                }
                if below(900) == 0 {
                    // It loses its feed, or has it back: then everything may have changed.
                    replica.is_cut = !replica.is_cut;
                    if !replica.is_cut {
                        changes.iter_mut().for_each(|(_, seen)| seen[number] = true);
                        replica.journal.record(at(now), LANE(), Invalidation::All);
                    }
                }
                if below(1_500) == 0 {
                    let id = JournalId([below(200) as u8 + 3; 8]);
                    replica.journal = Journal::new(id, NAMESPACE, at(now));
                    changes.iter_mut().for_each(|(_, seen)| seen[number] = true);
                    replica.is_cut = false;
                }
            }
            // The edge: it asks, the question arrives, the answer is held back, and arrives or is lost.
            if asked.is_none() && on_the_way.is_none() {
                asked = Some((now, now + below(60), below(2) as usize));
            }
            if let Some((sent, arrives, number)) = asked
                && now >= arrives + below(60)
            {
                let replica = &replicas[number];
                let until = now.saturating_sub(replica.delay);
                let distrusted = if replica.is_cut { vec![LANE()] } else { Vec::new() };
                let coverage = Coverage { until: at(until), distrusted };
                let since = follower.since(at(sent));
                let beat = replica.journal.beat(&since, &coverage, at(arrives), at(now));
                let is_lost = below(3) == 0;
                on_the_way = Some((now + below(60), sent, (!is_lost).then_some(beat)));
                asked = None;
            }
            if let Some((received, sent, beat)) = &on_the_way
                && now >= *received
            {
                if let Some(beat) = beat {
                    let step = follower.take(trip(*sent, now), beat).unwrap();
                    if !step.invalidate.is_empty() {
                        loaded_at = None;
                    }
                    if let Some((confirmed, _)) = step.confirm {
                        trusted_until = confirmed.as_nanos() / 1_000_000 + BOUND;
                    }
                }
                on_the_way = None;
            }
            // It answers from memory while it may. Otherwise it loads, and finds a new record.
            match loaded_at {
                Some(loaded) if now < trusted_until => {
                    trusted_answers += 1;
                    if let Some(revoked) = last_revoked
                        && loaded <= revoked
                    {
                        assert!(now < revoked + BOUND, "revoked at {revoked}, trusted at {now}");
                    }
                }
                _ => loaded_at = Some(now + 1),
            }
        }
    }
    assert!(trusted_answers > 300_000, "the run tests nothing: {trusted_answers}");
}
