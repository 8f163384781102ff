//! A table of fixed-size entries that are read without writing anything two cores share.
//!
//! Entries lie in sets of [`WAYS`], at most eight; a key may be in either of two sets. A word beside each set has one
//! byte of hash for each of its entries, so that a look-up touches the one entry that it wants.
//! Each entry is a sequence lock: its writer makes the sequence odd, writes, and makes it even
//! again; a reader copies the entry out and believes the copy if the sequence was even and is the
//! same afterwards. One writer at a time is the caller's business.
//!
//! Beside what the sequence guards, each entry has a **mark**, which readers may change.

use super::atomic::{AtomicU64, Ordering, fence, zeroed};
use super::{CONTENT, WAYS};

/// The sequence, the mark and the key come before it.
const HEAD: usize = 5;
const WORDS: usize = HEAD + CONTENT;

/// What is kept under a key.
pub(crate) type Content = [u64; CONTENT];
/// A key: all of it is compared.
pub(crate) type Key = [u64; 3];

/// The table.
#[derive(Debug)]
pub(crate) struct Slots {
    sets: usize,
    tags: Box<[AtomicU64]>,
    words: Box<[AtomicU64]>,
}

/// An entry that was found, for its mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a>(&'a [AtomicU64; WORDS]);

/// Where a key may be.
#[derive(Clone, Copy)]
struct Places {
    first: usize,
    second: usize,
    tag: u8,
}

/// What an entry is worth to the table, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Worth {
    /// It can never be of use again.
    Dead,
    /// It was not asked for since the last time that room was looked for.
    Idle,
    /// It was.
    Used,
}

impl Slots {
    /// How many bytes an entry takes, with its share of everything.
    pub(crate) const BYTES: usize = WORDS * 8 + 1;

    /// A table with room for at least so many entries.
    pub(crate) fn new(entries: usize) -> Self {
        // With two sets to choose from, a table is full to a twentieth before any must give way.
        let sets = (entries + entries / 20).div_ceil(WAYS).max(1);
        Self { sets, tags: zeroed(sets), words: zeroed(sets * WAYS * WORDS) }
    }

    /// Copies what is kept under a key.
    #[inline]
    pub(crate) fn read(&self, key: Key, content: &mut Content) -> Option<Slot<'_>> {
        let places = self.places(key);
        for set in [places.first, places.second] {
            let mut matching = matches(self.tags.get(set)?.load(Ordering::Relaxed), places.tag);
            while matching != 0 {
                let slot = self.slot(set, matching.trailing_zeros() as usize / 8)?;
                if slot.copy(key, content) {
                    return Some(slot);
                }
                matching &= matching - 1;
            }
        }
        None
    }

    /// Keeps content under a key, in the place of what was kept under it or of what is worth least.
    /// `true` if there was room. For one writer at a time.
    pub(crate) fn write(
        &self,
        key: Key,
        content: &Content,
        mark: u64,
        worth: impl Fn(&Content, u64) -> Worth,
    ) -> bool {
        let places = self.places(key);
        let Some((set, way, is_free)) = self.place_for(key, places, worth) else { return false };
        let (Some(slot), Some(tags)) = (self.slot(set, way), self.tags.get(set)) else {
            return false;
        };
        let sequence = slot.0[0].load(Ordering::Relaxed);
        slot.0[0].store(sequence | 1, Ordering::Relaxed);
        // Whoever reads one of the words below also reads the odd sequence above.
        fence(Ordering::Release);
        slot.0[1].store(mark, Ordering::Relaxed);
        for (word, value) in slot.0[2..].iter().zip(key.iter().chain(content)) {
            word.store(*value, Ordering::Relaxed);
        }
        slot.0[0].store((sequence | 1) + 1, Ordering::Release);
        let others = tags.load(Ordering::Relaxed) & !(0xff << (8 * way));
        tags.store(others | u64::from(places.tag) << (8 * way), Ordering::Relaxed);
        is_free
    }

    /// The set, the way in it, and whether that was free.
    fn place_for(
        &self,
        key: Key,
        places: Places,
        worth: impl Fn(&Content, u64) -> Worth,
    ) -> Option<(usize, usize, bool)> {
        let sets = [places.first, places.second];
        // The key's own place first, or it would be there twice.
        for set in sets {
            let own = (0..WAYS).find(|way| self.slot(set, *way).is_some_and(|s| s.has(key)));
            if let Some(way) = own {
                return Some((set, way, false));
            }
        }
        let free = |set: usize| matches(self.tags[set].load(Ordering::Relaxed), 0);
        let [first, second] = sets.map(free);
        let (set, ways) = if first.count_ones() >= second.count_ones() {
            (places.first, first)
        } else {
            (places.second, second)
        };
        if ways != 0 {
            return Some((set, ways.trailing_zeros() as usize / 8, true));
        }
        let each = sets.into_iter().flat_map(|set| (0..WAYS).map(move |way| (set, way)));
        let least = each.clone().min_by_key(|(set, way)| {
            self.slot(*set, *way).map_or(Worth::Used, |slot| {
                let (mark, content) = (slot.mark(), slot.content());
                worth(&content, mark)
            })
        });
        // Whoever is asked for from now on is worth more than who is not.
        for (set, way) in each {
            if let Some(slot) = self.slot(set, way) {
                slot.0[1].fetch_and(!1, Ordering::Relaxed);
            }
        }
        least.map(|(set, way)| (set, way, false))
    }

    fn places(&self, key: Key) -> Places {
        let product = u128::from(key[0] ^ 0x9E37_79B9_7F4A_7C15)
            * u128::from(key[1] ^ key[2].rotate_left(29) ^ 0xD6E8_FEB8_6659_FD93);
        let mixed = (product as u64) ^ (product >> 64) as u64;
        let set = |bits: u64| ((bits & 0xffff_ffff) * self.sets as u64 >> 32) as usize;
        let tag = (product >> 56) as u8;
        // No entry has the tag of an empty place.
        Places { first: set(mixed), second: set(mixed >> 32), tag: tag.max(1) }
    }

    fn slot(&self, set: usize, way: usize) -> Option<Slot<'_>> {
        let start = (set * WAYS + way) * WORDS;
        let words = self.words.get(start..start + WORDS)?;
        words.try_into().ok().map(Slot)
    }
}

impl Slot<'_> {
    /// What readers noted: its lowest bit is that the entry was used.
    pub(crate) fn mark(self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }

    /// Changes the mark, unless somebody else was quicker.
    pub(crate) fn set_mark(self, from: u64, to: u64) -> bool {
        self.0[1].compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn has(self, key: Key) -> bool {
        [2, 3, 4].map(|word: usize| self.0[word].load(Ordering::Relaxed)) == key
    }

    fn content(self) -> Content {
        std::array::from_fn(|word| self.0[HEAD + word].load(Ordering::Relaxed))
    }

    #[inline]
    fn copy(self, key: Key, content: &mut Content) -> bool {
        let sequence = self.0[0].load(Ordering::Acquire);
        if sequence & 1 != 0 || !self.has(key) {
            return false;
        }
        for (value, word) in content.iter_mut().zip(&self.0[HEAD..]) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        self.0[0].load(Ordering::Relaxed) == sequence
    }
}

/// The highest bit of each byte of `word` that is `tag`; now and then also of one above such a
/// byte, which does no harm: what is found there is compared in full.
fn matches(word: u64, tag: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let different = word ^ u64::from(tag) * ONES;
    different.wrapping_sub(ONES) & !different & (ONES << 7)
}
