//! The invalidation listener: trust, floors and sources.

use super::*;

fn listening(bound: Ttl) -> (Arc<InvalidationListener>, InvalidationSource) {
    let listener = InvalidationListener::new(LaneCount::new(2).unwrap(), bound);
    let source = listener.add_source([Lane::new(0), Lane::new(1)]);
    (listener, source)
}

const MINUTE: Ttl = Ttl::from_mins(1);
const ONE: [u8; 10] = [1; 10];

#[test]
fn trust_ends_a_bound_after_what_was_confirmed_was_sent() {
    for bound in [Ttl::from_millis(60).unwrap(), Ttl::from_millis(160).unwrap()] {
        let (listener, source) = listening(bound);
        assert!(!listener.is_trusted(Lane::new(0)), "not before the first confirmation");
        let sent = MonotonicInstant::now();
        source.confirm(sent);
        assert!(listener.is_trusted(Lane::new(0)) && listener.is_trusted(Lane::new(1)));
        while listener.is_trusted(Lane::new(1)) {
            assert!(
                MonotonicInstant::now() < sent.after(bound.as_duration() * 2),
                "the trust must end"
            );
            std::thread::yield_now();
        }
        assert!(!listener.is_trusted(Lane::new(0)));
        // A late confirmation has no effect, because it was sent long ago.
        source.confirm(sent);
        assert!(!listener.is_trusted(Lane::new(0)));
    }
}

#[test]
fn a_load_before_a_change_is_outdated_after_it() {
    let (listener, source) = listening(MINUTE);
    source.confirm(MonotonicInstant::now());
    let field = EpochField::from_bytes([7; 8]);
    let cells = || [InvalidationSlot::of_record(ONE), InvalidationSlot::of_field(field)];
    for change in [Invalidation::Record(ONE), Invalidation::Field(field), Invalidation::All] {
        let before = listener.load_version();
        assert!(listener.is_current(Lane::new(1), before, cells()));
        listener.invalidate(Lane::new(1), change);
        assert!(!listener.is_current(Lane::new(1), before, cells()), "{change:?}");
        assert!(listener.is_current(Lane::new(1), listener.load_version(), cells()), "{change:?}");
        assert!(listener.is_trusted(Lane::new(1)), "a change does not end the trust");
    }
    let before = listener.load_version();
    listener.invalidate(Lane::new(0), Invalidation::All);
    assert!(
        listener.is_current(Lane::new(1), before, cells()),
        "a change of another lane has no effect"
    );
}

#[test]
fn a_new_source_invalidates_its_lane_and_replaces_the_old_source() {
    let (listener, old) = listening(MINUTE);
    old.confirm(MonotonicInstant::now());
    let before = listener.load_version();
    let new = listener.add_source([Lane::new(1)]);
    assert!(!listener.is_trusted(Lane::new(1)));
    old.confirm(MonotonicInstant::now());
    assert!(!listener.is_trusted(Lane::new(1)), "the old source is ignored");
    assert!(
        listener.is_current(Lane::new(0), before, []),
        "the old source still reports this lane"
    );
    new.confirm(MonotonicInstant::now());
    assert!(listener.is_trusted(Lane::new(1)));
    assert!(!listener.is_current(Lane::new(1), before, []));
    drop(old);
    assert!(listener.is_trusted(Lane::new(1)) && !listener.is_trusted(Lane::new(0)));
}

#[test]
fn a_watcher_without_its_cache_is_let_go() {
    let watchers = InvalidationListeners::default();
    let listener = InvalidationListener::new(LaneCount::ONE, MINUTE);
    watchers.add_trusted(&listener, LaneCount::ONE);
    assert!(listener.is_trusted(Lane::default()));
    assert!(!listener.is_trusted(Lane::new(1)), "the lane does not exist");
    let before = listener.load_version();
    watchers.notify([(Lane::default(), Invalidation::Record(ONE))]);
    assert!(!listener.is_current(Lane::default(), before, [InvalidationSlot::of_record(ONE)]));
    let gone = Arc::downgrade(&listener);
    drop(listener);
    assert!(gone.upgrade().is_none());
    watchers.notify([(Lane::default(), Invalidation::All)]);
}

#[test]
fn an_observer_sees_each_change_before_it_is_covered() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let observer = Box::new(move |lane, change| log.lock().unwrap().push((lane, change)));
    let listener = InvalidationListener::observed(LaneCount::new(2).unwrap(), MINUTE, observer);
    let (zero, one) = (Lane::new(0), Lane::new(1));
    assert_eq!(listener.coverage().distrusted, [zero, one]);

    let source = listener.add_source([zero, one]);
    listener.invalidate(one, Invalidation::Record(ONE));
    let all = Invalidation::All;
    assert_eq!(*seen.lock().unwrap(), [(zero, all), (one, all), (one, Invalidation::Record(ONE))]);

    let (first, second) = (MonotonicInstant::now(), MonotonicInstant::now());
    source.confirm(second);
    source.confirm_lanes(first, &[one]);
    let coverage = listener.coverage();
    assert_eq!(coverage, Coverage { until: first, distrusted: vec![] });
    drop(listener.add_source([one]));
    assert_eq!(listener.coverage(), Coverage { until: second, distrusted: vec![one] });
    source.confirm_forever();
    assert!(listener.coverage().until > second, "lane 0 is covered up to now");
}
