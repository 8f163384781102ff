//! Order, gaps and restarts, also for random outcomes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn deliver(queue: &mut Queue<char, u32, u32>, now: u64) -> (EntryNumber, u32) {
    match queue.next(at(now)) {
        Next::Deliver(number) => (number, *queue.get(number).unwrap().0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failing_delivery_holds_back_its_key_alone() {
    let mut queue = Queue::new(0, 10);
    for (n, key) in (1..).zip(['a', 'a', 'b', 'c', 'b']) {
        queue.push(key, n, (key != 'c').then_some(n));
    }
    let (first, item) = deliver(&mut queue, 0);
    assert_eq!(item, 1);
    let (third, item) = deliver(&mut queue, 0);
    assert_eq!(item, 3);
    assert_eq!(queue.next(at(0)), Next::Idle, "both keys have a delivery on its way");
    queue.postpone(first, at(5));
    queue.finish(third);
    assert_eq!((*queue.done(), queue.oldest()), (0, Some(&1)));
    let (fifth, item) = deliver(&mut queue, 0);
    assert_eq!(item, 5);
    queue.finish(fifth);
    assert_eq!(queue.next(at(4)), Next::WaitUntil(at(5)));
    let (again, item) = deliver(&mut queue, 5);
    assert_eq!((again, item, queue.get(again).unwrap().1), (first, 1, 2));
    queue.finish(again);
    assert_eq!(*queue.done(), 1);
    let (second, _) = deliver(&mut queue, 5);
    queue.finish(second);
    assert_eq!((*queue.done(), queue.is_empty(), queue.oldest()), (5, true, None));
    // What has ended twice, or was never sent, changes nothing.
    queue.finish(second);
    queue.postpone(EntryNumber(99), at(9));
    assert_eq!(queue.next(at(9)), Next::Idle);
}

#[test]
fn an_unwanted_event_is_done_at_once() {
    let mut queue: Queue<char, u32, u32> = Queue::new(0, 2);
    queue.push('a', 1, None);
    assert_eq!((*queue.done(), queue.len(), queue.has_room()), (1, 0, true));
    let number = queue.push('a', 2, Some(2)).unwrap();
    for after in 3..9 {
        assert_eq!(queue.push('b', after, None), Some(number), "it waits for the one before it");
    }
    assert!(queue.has_room() && queue.holds(number));
    queue.push('a', 9, Some(9));
    assert!(!queue.has_room());
    assert_eq!(queue.waiting().collect::<Vec<_>>(), [&2, &9]);
    let (number, _) = deliver(&mut queue, 0);
    queue.finish(number);
    assert_eq!((*queue.done(), queue.holds(number)), (8, false));
    assert_eq!(queue.push('b', 10, None).map(|number| queue.holds(number)), Some(true));
}

proptest! {
    /// Whatever fails, and wherever the process ends: each event is delivered, those of one key for the first time in order,
    /// and the kept position never passes an event that was not delivered.
    #[test]
    fn nothing_is_lost_and_order_holds(
        keys in proptest::collection::vec(0u8..4, 1..60),
        outcomes in proptest::collection::vec(0u8..8, 1..200),
        capacity in 1usize..12,
    ) {
        // A receiver that never succeeds gets nothing.
        let mut outcomes = outcomes.into_iter().chain([7]).cycle();
        let mut delivered: BTreeSet<usize> = BTreeSet::new();
        let mut last: BTreeMap<u8, usize> = BTreeMap::new();
        let mut queue: Queue<u8, usize, usize> = Queue::new(0, capacity);
        let (mut read, mut now, mut on_way, mut restarts) = (0, 0, VecDeque::new(), 0);
        for _ in 0..50_000 {
            while read < keys.len() && queue.has_room() {
                queue.push(keys[read], read + 1, Some(read));
                read += 1;
            }
            match queue.next(at(now)) {
                Next::Deliver(number) => on_way.push_back(number),
                Next::WaitUntil(time) if on_way.is_empty() => now = time.as_secs(),
                Next::Idle if on_way.is_empty() && read == keys.len() => break,
                _ => {}
            }
            prop_assert!((0..*queue.done()).all(|event| delivered.contains(&event)));
            let Some(number) = on_way.pop_front() else { continue };
            match outcomes.next().unwrap() {
                0 | 1 => queue.postpone(number, at(now + 3)),
                2 => on_way.push_back(number),
                // The process ends: another resumes from the position that was kept.
                3 if restarts < 20 => {
                    restarts += 1;
                    read = *queue.done();
                    queue = Queue::new(read, capacity);
                    on_way.clear();
                }
                _ => {
                    let event = *queue.get(number).unwrap().0;
                    if delivered.insert(event) {
                        let before = last.insert(keys[event], event);
                        prop_assert!(before.is_none_or(|before| before < event));
                    }
                    queue.finish(number);
                }
            }
        }
        prop_assert_eq!(delivered.len(), keys.len());
        prop_assert!(queue.is_empty());
    }
}
