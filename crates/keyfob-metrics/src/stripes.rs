//! Sharded counters: no two threads write to the same cache line.
//!
//! A word that many cores add to has to travel between their caches for each addition. This costs
//! many times more than the rest of the cached path. So each thread has a stripe of its own: a
//! cache line that no other thread writes. The thread adds to it without a locked instruction. A
//! reader adds up all stripes.
//!
//! A thread keeps the number of its stripe until it ends; then another thread may get the number.
//! If there are more threads than stripes, the remaining threads share the last stripe, which is
//! updated with atomic additions.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many threads have a stripe of their own.
const OWN: usize = 64;
/// The stripe that threads without one of their own share.
const NONE: usize = OWN;
/// The value before a thread has asked for a stripe.
const UNASKED: usize = usize::MAX;

/// A number of counters, in stripes.
pub(super) struct Stripes<const COUNTS: usize> {
    each: Box<[Stripe<COUNTS>; OWN + 1]>,
}

/// Two cache lines, because processors fetch them in pairs.
#[repr(align(128))]
struct Stripe<const COUNTS: usize>([AtomicU64; COUNTS]);

static TAKEN: Mutex<[bool; OWN]> = Mutex::new([false; OWN]);

thread_local! {
    /// Separate from the guard that returns the number, so that reading it costs nothing more.
    static NUMBER: Cell<usize> = const { Cell::new(UNASKED) };
    static HELD: Held = Held::take();
}

/// The number of a stripe, owned until the thread ends.
struct Held(usize);

impl Held {
    fn take() -> Self {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = taken.iter_mut().enumerate().find(|(_, taken)| !**taken);
        Self(free.map_or(NONE, |(number, taken)| {
            *taken = true;
            number
        }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Counts that the thread makes while it ends must not go to a stripe that another thread
        // owns.
        NUMBER.set(NONE);
        // The lock also makes the counts visible to the next owner.
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = taken.get_mut(self.0) {
            *taken = false;
        }
    }
}

#[inline]
fn number() -> usize {
    match NUMBER.get() {
        UNASKED => ask(),
        number => number,
    }
}

#[cold]
fn ask() -> usize {
    let number = HELD.try_with(|held| held.0).unwrap_or(NONE);
    NUMBER.set(number);
    number
}

impl<const COUNTS: usize> Stripes<COUNTS> {
    pub(super) fn new() -> Self {
        let stripe = || Stripe(std::array::from_fn(|_| AtomicU64::new(0)));
        Self { each: Box::new(std::array::from_fn(|_| stripe())) }
    }

    /// Adds one to a counter. Returns how often this thread has added to it.
    #[inline]
    pub(super) fn add(&self, count: usize) -> u64 {
        let number = number().min(NONE);
        let count = &self.each[number].0[count];
        if number == NONE {
            return count.fetch_add(1, Ordering::Relaxed) + 1;
        }
        // No other thread writes to this stripe.
        let counted = count.load(Ordering::Relaxed) + 1;
        count.store(counted, Ordering::Relaxed);
        counted
    }

    /// Returns the sum of each counter. Additions that run at the same time may be missing.
    pub(super) fn sums(&self) -> [u64; COUNTS] {
        let mut sums = [0; COUNTS];
        for stripe in self.each.iter() {
            for (sum, count) in sums.iter_mut().zip(&stripe.0) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// The tests run one after the other, because each needs all stripes.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn no_count_is_lost_however_many_threads_there_are() {
        let _alone = ALONE.lock().unwrap();
        let (threads, each) = (OWN + 20, 2_000);
        let stripes = Stripes::<2>::new();
        let all = Barrier::new(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    all.wait();
                    let last = (0..each).fold(0, |_, _| stripes.add(1));
                    assert!(last >= each);
                    // Keeps the threads alive, so that no thread reuses the number of an ended one.
                    all.wait();
                });
            }
        });
        assert_eq!(stripes.sums(), [0, threads as u64 * each]);
    }

    #[test]
    fn a_number_is_one_threads_and_then_anothers() {
        let _alone = ALONE.lock().unwrap();
        let (threads, both) = (8, Barrier::new(8));
        for _ in 0..3 * OWN / threads {
            let numbers: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..threads)
                    .map(|_| {
                        scope.spawn(|| {
                            let number = number();
                            both.wait();
                            number
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let mut distinct = numbers.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), threads, "{numbers:?}");
            assert!(numbers.iter().all(|number| *number < OWN), "{numbers:?}");
        }
    }
}
