//! Counts that no two threads write at the same place.
//!
//! A word that many cores add to costs each of them a trip to the others' caches: many times what
//! all else on the cached path does. So each thread has a stripe to itself, a line of memory that
//! nobody else writes, and adds to it without so much as a locked instruction. Whoever wants the
//! sum adds the stripes up.
//!
//! A thread's number is its own for as long as it lives, and then another's. There are more threads
//! than stripes only where there are very many; those share the last one, which is added to with
//! care.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many threads have a stripe to themselves.
const OWN: usize = 64;
/// The number of a thread that has none.
const NONE: usize = OWN;
/// That of one that has not asked yet.
const UNASKED: usize = usize::MAX;

/// So many counts, in stripes.
pub(super) struct Stripes<const COUNTS: usize> {
    each: Box<[Stripe<COUNTS>; OWN + 1]>,
}

/// Two lines of memory, as processors fetch them.
#[repr(align(128))]
struct Stripe<const COUNTS: usize>([AtomicU64; COUNTS]);

static TAKEN: Mutex<[bool; OWN]> = Mutex::new([false; OWN]);

thread_local! {
    /// Apart from what gives it back, so that to read it costs nothing more.
    static NUMBER: Cell<usize> = const { Cell::new(UNASKED) };
    static HELD: Held = Held::take();
}

/// A number, until its thread ends.
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
        // What else the thread does at its end must not go where another counts by then.
        NUMBER.set(NONE);
        // The lock also hands on what was counted.
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

    /// Adds one to a count, and gives how many this thread has counted there.
    #[inline]
    pub(super) fn add(&self, count: usize) -> u64 {
        let number = number().min(NONE);
        let count = &self.each[number].0[count];
        if number == NONE {
            return count.fetch_add(1, Ordering::Relaxed) + 1;
        }
        // Nobody else writes here.
        let counted = count.load(Ordering::Relaxed) + 1;
        count.store(counted, Ordering::Relaxed);
        counted
    }

    /// The sum of each count. What is being counted meanwhile may be in it or not.
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

    /// One after the other, as both want all stripes.
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
                    // So that none has the number of one that is gone.
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
