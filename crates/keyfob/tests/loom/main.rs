//! The lock-free parts in every thread and memory order: the same files as in the library, over
//! loom's atomics, with small tables.

#![allow(dead_code, unreachable_pub, reason = "the files say more than is tested here")]

#[path = "../../src/cache/overflow.rs"]
mod overflow;
#[path = "../../src/cache/table.rs"]
mod table;
#[path = "../../../keyfob-store/src/invalidation/trust.rs"]
mod trust;

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

    pub(crate) fn zeroed(count: usize) -> Box<[AtomicU64]> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }
}

mod layout {
    /// The words of content in an entry of these tests.
    pub(crate) const CONTENT: usize = 2;
    /// The entries of a set in these tests.
    pub(crate) const WAYS: usize = 1;
}

use layout::CONTENT;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;
use overflow::Overflow;
use table::{Priority, Table};
use trust::Trust;

const A: u64 = 1;
const B: u64 = 2;

fn write(slots: &Table, key: u64, value: u64) {
    slots.write(key, &[value; CONTENT], 0, |_, _| Priority::Dead);
}

#[test]
fn an_entry_is_read_whole_while_it_is_written_again() {
    loom::model(|| {
        let slots = Arc::new(Table::new(1));
        write(&slots, A, 1);
        let writer = Arc::clone(&slots);
        let writing = thread::spawn(move || write(&writer, A, 2));
        let mut content = [0; CONTENT];
        if slots.read(A, &mut content).is_some() {
            assert!([[1; CONTENT], [2; CONTENT]].contains(&content), "{content:?}");
        }
        writing.join().unwrap();
        assert!(slots.read(A, &mut content).is_some() && content == [2; CONTENT]);
    });
}

#[test]
fn an_entry_is_never_read_as_that_of_another_key() {
    loom::model(|| {
        // The table has one entry: the second write replaces the first.
        let slots = Arc::new(Table::new(1));
        write(&slots, A, 1);
        let writer = Arc::clone(&slots);
        let writing = thread::spawn(move || write(&writer, B, 2));
        let mut content = [0; CONTENT];
        if slots.read(A, &mut content).is_some() {
            assert_eq!(content, [1; CONTENT]);
        }
        if slots.read(B, &mut content).is_some() {
            assert_eq!(content, [2; CONTENT]);
        }
        writing.join().unwrap();
    });
}

#[test]
fn a_tail_is_read_whole_or_not_at_all() {
    loom::model(|| {
        let tails = Arc::new(Overflow::new(2));
        let place = tails.write(&[1, 1]).unwrap();
        let writer = Arc::clone(&tails);
        let writing = thread::spawn(move || writer.write(&[2, 2]).unwrap());
        let mut tail = [0; 2];
        if tails.read(place, &mut tail) {
            assert_eq!(tail, [1, 1]);
        }
        let later = writing.join().unwrap();
        assert!(!tails.read(place, &mut tail));
        assert!(tails.read(later, &mut tail) && tail == [2, 2]);
    });
}

/// Times before and after the acknowledgement of the revocation.
const BEFORE: u64 = 1;
const AFTER: u64 = 2;

/// A load races with a revocation and its invalidation. A reader that trusts a time confirmed after
/// the revocation must not use a record loaded before it.
#[test]
fn a_load_before_a_revocation_is_not_trusted_after_it() {
    loom::model(|| {
        let trust = Arc::new(Trust::new(1, 1));
        let (revoked, entry) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        trust.grant(0, BEFORE);
        let loading = {
            let (trust, revoked, entry) = (trust.clone(), revoked.clone(), entry.clone());
            thread::spawn(move || {
                let load_version = trust.load_version();
                if !revoked.load(Ordering::SeqCst) {
                    entry.store(load_version + 1, Ordering::Release);
                }
            })
        };
        let revoking = {
            let (trust, revoked) = (trust.clone(), revoked);
            thread::spawn(move || {
                revoked.store(true, Ordering::SeqCst);
                trust.invalidate(0);
                trust.grant(0, AFTER);
            })
        };
        if let Some(load_version) = entry.load(Ordering::Acquire).checked_sub(1) {
            assert_ne!(
                trust.until(0, load_version, [0]),
                Some(AFTER),
                "the record was revoked before that time"
            );
        }
        loading.join().unwrap();
        revoking.join().unwrap();
        if let Some(load_version) = entry.load(Ordering::Acquire).checked_sub(1) {
            assert_eq!(trust.until(0, load_version, [0]), None);
        }
    });
}

/// The feed is lost and another takes over. A record loaded before the new feed received changes is
/// not trusted because of the new feed.
#[test]
fn a_load_under_a_lost_feed_is_not_trusted_under_the_next() {
    loom::model(|| {
        let trust = Arc::new(Trust::new(1, 1));
        trust.grant(0, BEFORE);
        let load_version = trust.load_version();
        let supervisor = trust.clone();
        let taking_over = thread::spawn(move || {
            supervisor.grant(0, 0);
            supervisor.invalidate_lane(0);
            supervisor.grant(0, AFTER);
        });
        assert_ne!(trust.until(0, load_version, [0]), Some(AFTER));
        taking_over.join().unwrap();
        assert_eq!(trust.until(0, load_version, [0]), None);
        assert_eq!(trust.until(0, trust.load_version(), [0]), Some(AFTER));
    });
}

/// Two concurrent invalidations of one slot: the minimum load version is the later one.
#[test]
fn the_later_of_two_invalidations_wins() {
    loom::model(|| {
        let trust = Arc::new(Trust::new(1, 1));
        trust.grant(0, AFTER);
        let other = trust.clone();
        let invalidating = thread::spawn(move || other.invalidate(0));
        trust.invalidate(0);
        let load_version = trust.load_version();
        invalidating.join().unwrap();
        let both = trust.load_version();
        assert_eq!(both, 2);
        // A load version between the two invalidations is below the later one.
        assert_eq!(trust.until(0, load_version, [0]).is_some(), load_version == both);
    });
}
