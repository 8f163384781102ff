//! The bytes that do not fit into an entry: a ring in which new bytes replace the oldest, used or not. A
//! token in use is loaded again once for each round of the ring.
//!
//! A position is the number of words reserved before it, so it is never used twice. A reader copies the
//! words, and uses the copy if the ring has not overwritten them in the meantime. The caller makes sure
//! that there is one writer at a time.

use super::atomic::{AtomicU64, Ordering, fence, zeroed};

#[derive(Debug)]
pub(crate) struct Overflow {
    words: Box<[AtomicU64]>,
    /// How many words were reserved so far.
    reserved: AtomicU64,
}

impl Overflow {
    /// Creates a ring of this many words.
    pub(crate) fn new(words: usize) -> Self {
        Self { words: zeroed(words), reserved: AtomicU64::new(0) }
    }

    /// Writes words and returns their position, or `None` if the ring is too small for them.
    pub(crate) fn write(&self, tail: &[u64]) -> Option<u64> {
        let (size, length) = (self.words.len() as u64, tail.len() as u64);
        if length > size {
            return None;
        }
        let mut place = self.reserved.load(Ordering::Relaxed);
        // In one piece: words that would cross the end begin at the start.
        if place % size + length > size {
            place = place.next_multiple_of(size);
        }
        self.reserved.store(place + length, Ordering::Relaxed);
        // A reader that sees one of the words below also sees that they were reserved.
        fence(Ordering::Release);
        let start = (place % size) as usize;
        for (word, value) in self.words.iter().skip(start).zip(tail) {
            word.store(*value, Ordering::Relaxed);
        }
        Some(place)
    }

    /// Copies words. Returns `false` if they were overwritten.
    pub(crate) fn read(&self, place: u64, tail: &mut [u64]) -> bool {
        let size = self.words.len() as u64;
        let Some(start) = place.checked_rem(size) else { return false };
        let start = start as usize;
        let Some(words) = self.words.get(start..start + tail.len()) else { return false };
        for (value, word) in tail.iter_mut().zip(words) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        self.is_there(place)
    }

    /// Returns whether the words at a position are still there.
    pub(crate) fn is_there(&self, place: u64) -> bool {
        self.reserved.load(Ordering::Relaxed) <= place + self.words.len() as u64
    }

    /// Returns the bytes in use.
    pub(crate) fn bytes(&self) -> u64 {
        8 * self.reserved.load(Ordering::Relaxed).min(self.words.len() as u64)
    }
}
