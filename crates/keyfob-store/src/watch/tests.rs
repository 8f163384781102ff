//! The invalidation listener: trust, floors and sources.

use super::*;

fn watched(bound: Ttl) -> (Arc<InvalidationListener>, InvalidationSource) {
    let watcher = InvalidationListener::new(LaneCount::new(2).unwrap(), bound);
    let source = watcher.source([Lane::new(0), Lane::new(1)]);
    (watcher, source)
}

const MINUTE: Ttl = Ttl::from_mins(1);
const ONE: [u8; 10] = [1; 10];

#[test]
fn trust_ends_a_bound_after_what_was_confirmed_was_sent() {
    for bound in [Ttl::from_millis(60).unwrap(), Ttl::from_millis(160).unwrap()] {
        let (watcher, source) = watched(bound);
        assert!(!watcher.trusts(Lane::new(0)), "not before the first confirmation");
        let sent = MonotonicInstant::now();
        source.confirm(sent);
        assert!(watcher.trusts(Lane::new(0)) && watcher.trusts(Lane::new(1)));
        while watcher.trusts(Lane::new(1)) {
            assert!(MonotonicInstant::now() < sent.after(bound.as_duration() * 2), "it must end");
            std::thread::yield_now();
        }
        assert!(!watcher.trusts(Lane::new(0)));
        // One that comes late is of no use, for it was sent long ago.
        source.confirm(sent);
        assert!(!watcher.trusts(Lane::new(0)));
    }
}

#[test]
fn what_was_loaded_before_a_change_is_not_current_after_it() {
    let (watcher, source) = watched(MINUTE);
    source.confirm(MonotonicInstant::now());
    let field = EpochField::from_bytes([7; 8]);
    let cells = || [InvalidationSlot::of_record(ONE), InvalidationSlot::of_field(field)];
    for change in [Invalidation::Record(ONE), Invalidation::Field(field), Invalidation::All] {
        let before = watcher.ticket();
        assert!(watcher.is_current(Lane::new(1), before, cells()));
        watcher.changed(Lane::new(1), change);
        assert!(!watcher.is_current(Lane::new(1), before, cells()), "{change:?}");
        assert!(watcher.is_current(Lane::new(1), watcher.ticket(), cells()), "{change:?}");
        assert!(watcher.trusts(Lane::new(1)), "a change is no reason for distrust");
    }
    let before = watcher.ticket();
    watcher.changed(Lane::new(0), Invalidation::All);
    assert!(watcher.is_current(Lane::new(1), before, cells()), "another lane's is not ours");
}

#[test]
fn who_takes_a_lane_over_empties_it_and_is_the_only_one_heard() {
    let (watcher, old) = watched(MINUTE);
    old.confirm(MonotonicInstant::now());
    let before = watcher.ticket();
    let new = watcher.source([Lane::new(1)]);
    assert!(!watcher.trusts(Lane::new(1)));
    old.confirm(MonotonicInstant::now());
    assert!(!watcher.trusts(Lane::new(1)), "the old one is not heard");
    assert!(watcher.is_current(Lane::new(0), before, []), "but where it still speaks");
    new.confirm(MonotonicInstant::now());
    assert!(watcher.trusts(Lane::new(1)));
    assert!(!watcher.is_current(Lane::new(1), before, []));
    drop(old);
    assert!(watcher.trusts(Lane::new(1)) && !watcher.trusts(Lane::new(0)));
}

#[test]
fn a_watcher_without_its_cache_is_let_go() {
    let watchers = InvalidationListeners::default();
    let watcher = InvalidationListener::new(LaneCount::ONE, MINUTE);
    watchers.add_for_good(&watcher, LaneCount::ONE);
    assert!(watcher.trusts(Lane::default()));
    assert!(!watcher.trusts(Lane::new(1)), "there is no such lane");
    let before = watcher.ticket();
    watchers.tell([(Lane::default(), Invalidation::Record(ONE))]);
    assert!(!watcher.is_current(Lane::default(), before, [InvalidationSlot::of_record(ONE)]));
    let gone = Arc::downgrade(&watcher);
    drop(watcher);
    assert!(gone.upgrade().is_none());
    watchers.tell([(Lane::default(), Invalidation::All)]);
}
