//! The meter against a plain model of its limits.

use proptest::prelude::*;

use super::*;

fn meter(rate: &str, burst: u32) -> Meter {
    Meter::new(rate.parse().unwrap(), burst).unwrap()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + millis)
}

fn ms(millis: u64) -> Option<Ttl> {
    Ttl::from_millis(millis).ok()
}

#[test]
fn a_burst_then_the_rate() {
    let meter = meter("10/s", 3);
    let mut level = meter.drained(Level::default(), at(0));
    for left in [2, 1, 0] {
        level = meter.charged(level, 1);
        assert_eq!(meter.room(level), left);
    }
    assert_eq!(meter.wait(level, 1, at(0)), Ok(ms(100)));
    assert_eq!(meter.wait(level, 3, at(0)), Ok(ms(300)));
    assert_eq!(meter.wait(level, 4, at(0)), Err(InsufficientCapacity));
    assert_eq!(meter.reset(level, at(0)), ms(300));
    assert_eq!(meter.room(meter.drained(level, at(99))), 0);
    assert_eq!(meter.room(meter.drained(level, at(100))), 1);
    assert_eq!(meter.room(meter.drained(level, at(300))), 3);
    assert_eq!(meter.reset(meter.drained(level, at(300)), at(300)), None);
}

#[test]
fn a_rate_that_no_clock_divides_is_kept_to_the_permit() {
    // 7 per second: a permit is 142.857… ms. After 1,000 seconds there are exactly 7,000.
    let meter = meter("7/s", 1);
    let mut admitted = 0;
    let mut level = Level { debt: 0, at: at(0) };
    for millis in 0..1_000_000 {
        level = meter.drained(level, at(millis));
        if meter.room(level) > 0 {
            level = meter.charged(level, 1);
            admitted += 1;
        }
    }
    // One permit of the burst, and the loss of a permit by rounding up to the next millisecond.
    assert!((6_994..=7_000).contains(&admitted), "{admitted}");
}

#[test]
fn a_clock_that_was_set_back_keeps_the_level_and_the_normal_wait() {
    let meter = meter("1/s", 2);
    let full = meter.charged(meter.drained(Level::default(), at(3_600_000)), 2);
    let back = meter.drained(full, at(0));
    assert_eq!(meter.room(back), 0, "the level is kept");
    assert_eq!(meter.wait(back, 1, at(0)), Ok(ms(1_000)), "the wait is not an hour");
    assert_eq!(meter.room(meter.drained(back, at(1_000))), 1);
}

#[test]
fn readers_who_overtake_each_other_gain_nothing() {
    let meter = meter("1000/s", 10);
    let mut level = meter.charged(meter.drained(Level::default(), at(0)), 10);
    for round in 0..500 {
        level = meter.drained(level, at(500 + round % 2));
        assert!(meter.room(level) <= 10);
    }
    // The same as one read at the later time.
    level = meter.charged(level, 10);
    for millis in [501, 499, 501, 0, 501] {
        level = meter.drained(level, at(millis));
        assert_eq!(meter.room(level), 0, "at {millis}");
    }
    assert_eq!(meter.wait(level, 1, at(499)), Ok(ms(3)));
}

#[test]
fn the_most_absurd_values_neither_overflow_nor_pass() {
    let refused = |rate: &str, burst| Meter::new(rate.parse().unwrap(), burst).is_err();
    assert!(refused("1/s", 0));
    assert!(refused("999999937/366d", u32::MAX), "not exact");
    assert!(!refused("1000000/30d", 1_000_000), "a quota of a million");
    assert!(!refused("1000/ms", u32::MAX));
    let meter = meter("1000/ms", u32::MAX);
    let level = meter.charged(meter.drained(Level::default(), Timestamp::MAX), u32::MAX);
    assert_eq!(meter.room(level), 0);
    assert!(meter.wait(level, u32::MAX, at(0)).is_ok());
    assert_eq!(meter.end(level), Timestamp::MAX);
    assert_eq!(meter.room(meter.drained(level, at(0))), 0);
}

/// The definition that GCRA implements, computed from all earlier calls: a call is admitted if,
/// from each earlier call until now, no more permits are used than the burst and the refill of the
/// rate.
fn fits(rate: Rate, burst: u32, past: &[(u64, u32)], now: u64, cost: u32) -> bool {
    let (permits, period) = (u128::from(rate.permits()), u128::from(rate.period().as_millis()));
    let mut taken = u128::from(cost);
    let mut within = cost <= burst;
    for (start, cost) in past.iter().rev() {
        taken += u128::from(*cost);
        let given = u128::from(burst) * period + u128::from(now - start) * permits;
        within &= taken * period <= given;
    }
    within
}

proptest! {
    #[test]
    fn it_admits_exactly_what_the_definition_does(
        permits in 1u32..50,
        period in 1u64..5_000,
        burst in 1u32..40,
        calls in prop::collection::vec((0u64..400, 1u32..12), 1..120),
    ) {
        let rate = Rate::new(permits, Ttl::from_millis(period).unwrap());
        prop_assume!(rate.is_ok());
        let rate = rate.unwrap();
        let meter = Meter::new(rate, burst).unwrap();
        let (mut level, mut past, mut now) = (Level::default(), Vec::new(), 0);
        for (pause, cost) in calls {
            now += pause;
            level = meter.drained(level, at(now));
            let admitted = cost <= meter.room(level);
            prop_assert_eq!(admitted, fits(rate, burst, &past, now, cost));
            if admitted {
                level = meter.charged(level, cost);
                past.push((now, cost));
            } else if let Ok(Some(wait)) = meter.wait(level, cost, at(now)) {
                // The reported wait ends at the first time at which the call is admitted.
                let then = now + wait.as_millis();
                prop_assert!(fits(rate, burst, &past, then, cost));
                prop_assert!(!fits(rate, burst, &past, then - 1, cost));
            } else {
                prop_assert!(cost > burst);
            }
        }
    }

    #[test]
    fn refunded_permits_admit_no_extra_requests(
        burst in 1u32..20,
        held in 1u32..20,
        before in 0u64..3_000,
        others in prop::collection::vec((0u64..300, 1u32..5), 0..30),
    ) {
        let meter = meter("7/s", burst);
        let start = meter.charged(Level { debt: 0, at: at(0) }, burst);
        let mut without = meter.drained(start, at(before));
        prop_assume!(meter.room(without) >= held);
        let mut with = meter.charged(without, held);
        let mut now = before;
        for (pause, cost) in others {
            now += pause;
            (with, without) = (meter.drained(with, at(now)), meter.drained(without, at(now)));
            // Both admit the same calls, so that they can be compared.
            if meter.room(with) >= cost && meter.room(without) >= cost {
                (with, without) = (meter.charged(with, cost), meter.charged(without, cost));
            }
        }
        let back = meter.refunded(with, held, at(before));
        prop_assert!(back.debt >= without.debt);
        if now == before {
            prop_assert_eq!(back, without);
        }
    }
}

/// Returns the level of `from` after this number of permits, as another meter reads it.
fn seen_by(meter: Meter, from: Meter, permits: u32) -> Level {
    let level = from.charged(Level { debt: 0, at: at(0) }, permits);
    meter.from_stored(from.to_stored(level))
}

#[test]
fn permits_that_were_used_stay_used_at_another_rate() {
    let old = meter("100/1h", 100);
    assert_eq!(meter("101/1h", 101).room(seen_by(meter("101/1h", 101), old, 100)), 1);
    let faster = meter("1000/s", 1_000);
    assert_eq!(faster.room(seen_by(faster, old, 60)), 940);
    let slower = meter("7/366d", 50);
    assert_eq!(slower.room(seen_by(slower, old, 20)), 30);
    let full = seen_by(slower, old, 100);
    assert_eq!(
        (slower.room(full), full.debt),
        (0, slower.whole()),
        "the level is never above the burst"
    );
    assert_eq!(old.from_stored(StoredLevel::default()).debt, 0);
}

#[test]
fn a_stored_level_drains_at_the_rate_that_stored_it() {
    let old = meter("60/1m", 60);
    let stored = old.to_stored(old.charged(Level { debt: 0, at: at(0) }, 60));
    let new = meter("1/1h", 60);
    let after = new.from_stored(stored.drained(at(30_000)));
    assert_eq!((new.room(after), after.at), (30, at(30_000)));
    assert_eq!(new.room(new.from_stored(stored.drained(at(60_000)))), 60);
}

proptest! {
    #[test]
    fn no_change_of_rates_forgives_a_part_of_a_permit(
        rates in prop::collection::vec((1..5_000u32, 1..100_000_000u64), 2..8),
        used in 1..1_000u32,
        waited in 0..1_000u64,
    ) {
        let meters: Vec<Meter> = rates
            .iter()
            .filter_map(|(permits, period)| {
                let rate = Rate::new(*permits, Ttl::from_millis(*period).ok()?).ok()?;
                Meter::new(rate, 2_000).ok()
            })
            .collect();
        prop_assume!(meters.len() >= 2);
        let first = meters[0];
        let level = first.charged(Level { debt: 0, at: at(0) }, used);
        let mut stored = first.to_stored(level).drained(at(waited));
        let debt_before = stored.level.debt as f64 / first.permit() as f64;
        for meter in &meters[1..] {
            stored = meter.to_stored(meter.from_stored(stored));
            let debt = stored.level.debt as f64 / meter.permit() as f64;
            prop_assert!(debt + 1e-9 >= debt_before.min(2_000.0), "{debt} {debt_before}");
            prop_assert!(debt <= debt_before + meters.len() as f64, "the debt is at most rounded up");
        }
    }
}
