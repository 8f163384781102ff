//! What does not fit into an entry: bytes in a ring, where the newest take the place of the oldest,
//! used or not. Whoever is still in use is loaded once for each time that the ring comes round.
//!
//! A place is the number of words that were ever reserved before it, so it is never given twice. A
//! reader copies the words out and believes the copy if the ring has not come round to them
//! meanwhile. One writer at a time is the caller's business.

use super::atomic::{AtomicU64, Ordering, fence, zeroed};

#[derive(Debug)]
pub(crate) struct Tails {
    words: Box<[AtomicU64]>,
    /// How many words were ever reserved.
    reserved: AtomicU64,
}

impl Tails {
    /// A ring of so many words.
    pub(crate) fn new(words: usize) -> Self {
        Self { words: zeroed(words), reserved: AtomicU64::new(0) }
    }

    /// Writes words and gives their place; `None` if the ring is too small for them.
    pub(crate) fn write(&self, tail: &[u64]) -> Option<u64> {
        let (size, length) = (self.words.len() as u64, tail.len() as u64);
        if length > size {
            return None;
        }
        let mut place = self.reserved.load(Ordering::Relaxed);
        // In one piece: what would run over the end begins at the start.
        if place % size + length > size {
            place = place.next_multiple_of(size);
        }
        self.reserved.store(place + length, Ordering::Relaxed);
        // Whoever reads one of the words below also reads that they were reserved.
        fence(Ordering::Release);
        let start = (place % size) as usize;
        for (word, value) in self.words.iter().skip(start).zip(tail) {
            word.store(*value, Ordering::Relaxed);
        }
        Some(place)
    }

    /// Copies words out; `false` if they are not there any more.
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

    /// Whether what was written at a place is still there.
    pub(crate) fn is_there(&self, place: u64) -> bool {
        self.reserved.load(Ordering::Relaxed) <= place + self.words.len() as u64
    }

    /// How many bytes are in use.
    pub(crate) fn bytes(&self) -> u64 {
        8 * self.reserved.load(Ordering::Relaxed).min(self.words.len() as u64)
    }
}
