//! Tests of the queue of loads.

use futures_util::FutureExt;
use keyfob_core::time::Ttl;
use keyfob_limit::Ipv6Prefix;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn queue() -> LoadQueue {
    LoadQueue::new(&Metrics::none())
}

const UNKNOWN_ADDRESS: Source = Source { network: None, is_proven: true };

fn address(number: u8) -> Source {
    let network = Some(Ipv6Prefix::DEFAULT.network_of([192, 0, 2, number].into()));
    Source { network, is_proven: true }
}

fn begin_now(queue: &LoadQueue, source: Source) -> Option<LoadPermit> {
    queue.begin(source, NOW).now_or_never()
}

/// Takes all permits that a source gets without waiting.
fn fill(queue: &LoadQueue, source: Source) -> Vec<LoadPermit> {
    std::iter::from_fn(|| begin_now(queue, source)).collect()
}

#[test]
fn an_address_gets_a_part_of_the_room_and_callers_without_address_all_of_it() {
    let queue = queue();
    let taken = fill(&queue, address(1));
    assert!(taken.len() <= 2 * MAX_LOADS_OF_ADDRESS, "{}", taken.len());
    assert!(begin_now(&queue, address(2)).is_some(), "another address does not wait");
    drop(taken);
    assert_eq!(fill(&queue, UNKNOWN_ADDRESS).len(), MAX_LOADS);
}

#[test]
fn addresses_take_turns_however_many_callers_one_of_them_has() {
    let queue = queue();
    let mut room = fill(&queue, UNKNOWN_ADDRESS);
    let wait = |source| {
        let mut waiting = Box::pin(queue.begin(source, NOW));
        assert!((&mut waiting).now_or_never().is_none());
        waiting
    };
    let many: Vec<_> = (0..1_000).map(|_| wait(address(1))).collect();
    let honest = wait(address(2));
    // The address that came first gets the first permit, the other address the second.
    room.truncate(room.len() - 2);
    let permit = honest.now_or_never().expect("a turn");
    assert!(permit.has_waited());
    let granted = many.into_iter().filter_map(|waiting| waiting.now_or_never());
    assert_eq!(granted.map(std::mem::forget).count(), 1);
}

#[tokio::test]
async fn callers_that_give_up_leave_no_room_behind() {
    let queue = queue();
    let room = fill(&queue, UNKNOWN_ADDRESS);
    for _ in 0..100 {
        let mut waiting = Box::pin(queue.begin(address(3), NOW));
        assert!((&mut waiting).now_or_never().is_none());
    }
    let mut granted = Box::pin(queue.begin(address(3), NOW));
    assert!((&mut granted).now_or_never().is_none());
    drop(room);
    // The task was granted a permit, and is dropped before its load.
    drop(granted);
    assert_eq!(fill(&queue, UNKNOWN_ADDRESS).len(), MAX_LOADS);
}

#[test]
fn an_address_with_many_unknown_tokens_gets_little_room_and_that_ends() {
    let queue = queue();
    for _ in 0..MAX_UNKNOWN_OF_ADDRESS {
        assert!(begin_now(&queue, address(1)).is_some());
        queue.count_unknown(address(1).network, NOW);
    }
    let suspects = fill(&queue, address(1));
    assert_eq!(suspects.len(), MAX_SUSPECT_LOADS);
    assert!(begin_now(&queue, address(2)).is_some(), "the addresses are independent");
    let later = NOW + Ttl::from_secs(2);
    assert!(queue.begin(address(1), later).now_or_never().is_some());
}

#[test]
fn in_a_flood_ids_that_prove_nothing_wait_for_each_other_only() {
    let queue = queue();
    for _ in 0..FLOOD {
        queue.count_unknown(None, NOW);
    }
    let unproven = Source { is_proven: false, ..address(1) };
    let unproven = || queue.begin(unproven, NOW).now_or_never();
    let taken: Vec<_> = std::iter::from_fn(unproven).collect();
    assert_eq!(taken.len(), MAX_SUSPECT_LOADS);
    assert!(begin_now(&queue, address(1)).is_some());
    assert!(begin_now(&queue, UNKNOWN_ADDRESS).is_some());
}

#[test]
fn ids_that_prove_nothing_never_take_all_the_room() {
    let queue = queue();
    let unproven = Source { is_proven: false, ..UNKNOWN_ADDRESS };
    assert!(fill(&queue, unproven).len() <= 2 * MAX_LOADS_OF_ADDRESS);
    let _taken = fill(&queue, unproven);
    assert!(begin_now(&queue, UNKNOWN_ADDRESS).is_some());
}

#[tokio::test]
async fn suspects_are_served_beside_a_queue_that_never_ends() {
    let queue = queue();
    for _ in 0..MAX_UNKNOWN_OF_ADDRESS {
        queue.count_unknown(address(1).network, NOW);
    }
    let mut room = fill(&queue, UNKNOWN_ADDRESS);
    let mut regular = Box::pin(queue.begin(address(2), NOW));
    let mut suspect = Box::pin(queue.begin(address(1), NOW));
    assert!((&mut regular).now_or_never().is_none());
    assert!((&mut suspect).now_or_never().is_none());
    room.pop();
    let _suspect = suspect.now_or_never().expect("one suspect always makes progress");
    room.pop();
    assert!(regular.now_or_never().is_some());
}
