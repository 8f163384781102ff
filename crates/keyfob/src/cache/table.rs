//! A table of fixed-size entries. Readers write nothing that two cores share.
//!
//! Entries are grouped into sets of [`WAYS`], at most eight. A key may be in either of two sets. One word
//! beside each set holds one byte of hash (the tag) for each entry, so that a lookup touches only the
//! entry that it wants. Each entry is a sequence lock: its writer makes the sequence odd, writes, and makes
//! it even again. A reader copies the entry, and uses the copy if the sequence was even and did not
//! change. The caller makes sure that there is one writer at a time.
//!
//! Outside of the sequence lock, each entry has a **mark** that readers may change.

use super::atomic::{AtomicU64, Ordering, fence, zeroed};
use super::layout::{CONTENT, WAYS};

/// Before the content come the sequence, the mark and the key.
const HEAD: usize = 3;
const WORDS: usize = HEAD + CONTENT;

/// The content of an entry.
pub(crate) type Content = [u64; CONTENT];
/// A key: all bits are used, and two keys that differ are two entries.
pub(crate) type Key = u64;

/// The table.
#[derive(Debug)]
pub(crate) struct Table {
    sets: usize,
    tags: Box<[AtomicU64]>,
    words: Box<[AtomicU64]>,
    taken: AtomicU64,
    pages: Pages,
}

/// Which memory pages were written to. The system provides no others.
#[derive(Debug)]
struct Pages {
    each: Box<[AtomicU64]>,
    count: AtomicU64,
}

/// An entry that was found, to change its mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a>(&'a [AtomicU64; WORDS]);

/// The two sets that a key may be in.
#[derive(Clone, Copy)]
struct Places {
    first: usize,
    second: usize,
    tag: u8,
}

/// A set, and the index of an entry in it.
type Place = (usize, usize);

/// The priority of an entry in the table, the lowest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Priority {
    /// It can never be used again.
    Dead,
    /// It was not used since the last eviction from its set.
    Idle,
    /// It was used since then.
    Used,
}

/// One in this many entries is spare.
const SPARE: usize = 20;

impl Table {
    /// Creates a table with room for at least this many entries.
    pub(crate) fn new(entries: usize) -> Self {
        let sets = Self::sets(entries);
        Self {
            sets,
            tags: zeroed(sets),
            words: zeroed(sets * WAYS * WORDS),
            taken: AtomicU64::new(0),
            pages: Pages::of(sets * WAYS * WORDS),
        }
    }

    /// Returns the size in bytes of a full table for this many entries.
    pub(crate) const fn max_bytes(entries: usize) -> u64 {
        (8 * Self::sets(entries) * (WAYS * WORDS + 1)) as u64
    }

    const fn sets(entries: usize) -> usize {
        // With two sets to choose from, and with entries that move to their other set, hardly any entry is
        // evicted before the table holds this many.
        let sets = (entries + entries / SPARE).div_ceil(WAYS);
        if sets == 0 { 1 } else { sets }
    }

    /// Returns how many entries are in use.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns the memory in use, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.bytes() + 8 * self.tags.len() as u64
    }

    /// Copies the content of a key.
    #[inline]
    pub(crate) fn read(&self, key: Key, content: &mut Content) -> Option<Slot<'_>> {
        let Places { first, second, tag } = self.places(key);
        let matching = |set: usize| {
            self.tags.get(set).map_or(0, |tags| matches(tags.load(Ordering::Relaxed), tag))
        };
        // Which of the two sets has the key cannot be predicted. So both are compared, and the set
        // is then chosen without a branch.
        let mut either = matching(first) | matching(second) >> 1;
        while either != 0 {
            let bit = either.trailing_zeros() as usize;
            let set = if bit % 8 == 7 { first } else { second };
            let slot = self.slot(set, bit / 8)?;
            if slot.copy(key, content) {
                return Some(slot);
            }
            either &= either - 1;
        }
        None
    }

    /// Stores content under a key. Replaces the key's former entry, or the entry with the lowest priority, and
    /// returns that priority. There must be one writer at a time.
    pub(crate) fn write(
        &self,
        key: Key,
        content: &Content,
        mark: u64,
        worth: impl Fn(&Content, u64) -> Priority,
    ) -> Option<Priority> {
        let places = self.places(key);
        let place = self.own_place(key, places).or_else(|| self.free_place(places));
        let place = place.or_else(|| self.make_room(places));
        let (place, gone) = match place {
            Some(place) => (place, None),
            None => self.least(places, worth).map(|(place, worth)| (place, Some(worth)))?,
        };
        self.put(place, places.tag, key, content, mark);
        gone
    }

    fn put(&self, (set, way): Place, tag: u8, key: Key, content: &Content, mark: u64) {
        let (Some(slot), Some(tags)) = (self.slot(set, way), self.tags.get(set)) else { return };
        let known = tags.load(Ordering::Relaxed);
        if known >> (8 * way) & 0xff == 0 {
            self.taken.fetch_add(1, Ordering::Relaxed);
            self.pages.touch((set * WAYS + way) * WORDS, WORDS);
        }
        let sequence = slot.0[0].load(Ordering::Relaxed);
        slot.0[0].store(sequence | 1, Ordering::Relaxed);
        // A reader that sees one of the words below also sees the odd sequence above.
        fence(Ordering::Release);
        slot.0[1].store(mark, Ordering::Relaxed);
        slot.0[2].store(key, Ordering::Relaxed);
        for (word, value) in slot.0[HEAD..].iter().zip(content) {
            word.store(*value, Ordering::Relaxed);
        }
        slot.0[0].store((sequence | 1) + 1, Ordering::Release);
        let others = known & !(0xff << (8 * way));
        tags.store(others | u64::from(tag) << (8 * way), Ordering::Relaxed);
    }

    /// Where the key is already. Stored elsewhere, it would be there twice.
    fn own_place(&self, key: Key, places: Places) -> Option<Place> {
        let has = |(set, way): &Place| {
            // The tags are close by, and the entries are far away in memory.
            let tags = self.tags.get(*set).map_or(0, |tags| tags.load(Ordering::Relaxed));
            (tags >> (8 * way)) as u8 == places.tag
                && self.slot(*set, *way).is_some_and(|slot| slot.key() == key)
        };
        places.each().find(has)
    }

    /// A free entry, in the set with more free entries.
    fn free_place(&self, places: Places) -> Option<Place> {
        let free = |set: usize| {
            let tags = self.tags.get(set).map_or(u64::MAX, |tags| tags.load(Ordering::Relaxed));
            (0..WAYS).filter(move |way| tags >> (8 * way) & 0xff == 0)
        };
        let (first, second) = (free(places.first).count(), free(places.second).count());
        let set = if first >= second { places.first } else { places.second };
        free(set).next().map(|way| (set, way))
    }

    /// The entry of a key that was moved to a free entry in its other set.
    fn make_room(&self, places: Places) -> Option<Place> {
        places.each().find(|(set, way)| {
            let Some(slot) = self.slot(*set, *way) else { return false };
            let key = slot.key();
            let its = self.places(key);
            let to = self.free_place(its).filter(|(to, _)| to != set);
            if let Some(to) = to {
                self.put(to, its.tag, key, &slot.content(), slot.mark());
            }
            to.is_some()
        })
    }

    /// The entry with the lowest priority, and that priority.
    fn least(
        &self,
        places: Places,
        worth: impl Fn(&Content, u64) -> Priority,
    ) -> Option<(Place, Priority)> {
        let slot = |(set, way): Place| self.slot(set, way);
        let worth = |place: Place| {
            slot(place).map_or(Priority::Used, |slot| worth(&slot.content(), slot.mark()))
        };
        let least =
            places.each().map(|place| (place, worth(place))).min_by_key(|(_, worth)| *worth);
        // Entries that are used from now on have a higher priority than those that are not.
        for slot in places.each().filter_map(slot) {
            slot.0[1].fetch_and(!1, Ordering::Relaxed);
        }
        least
    }

    fn places(&self, key: Key) -> Places {
        let set = |bits: u64| (((bits & 0xffff_ffff) * self.sets as u64) >> 32) as usize;
        // The sets depend on the highest bits of each half, and the tag on the lowest. No entry has
        // the tag of a free one.
        Places { first: set(key), second: set(key >> 32), tag: (key as u8).max(1) }
    }

    fn slot(&self, set: usize, way: usize) -> Option<Slot<'_>> {
        let start = (set * WAYS + way) * WORDS;
        let words = self.words.get(start..start + WORDS)?;
        words.try_into().ok().map(Slot)
    }
}

impl Places {
    fn each(self) -> impl Iterator<Item = Place> {
        [self.first, self.second].into_iter().flat_map(|set| (0..WAYS).map(move |way| (set, way)))
    }
}

impl Pages {
    const WORDS: usize = 512;

    fn of(words: usize) -> Self {
        let pages = words.div_ceil(Self::WORDS);
        Self { each: zeroed(pages.div_ceil(64)), count: AtomicU64::new(0) }
    }

    fn touch(&self, from: usize, words: usize) {
        for page in from / Self::WORDS..=(from + words - 1) / Self::WORDS {
            let Some(word) = self.each.get(page / 64) else { continue };
            let (known, bit) = (word.load(Ordering::Relaxed), 1 << (page % 64));
            if known & bit == 0 {
                word.store(known | bit, Ordering::Relaxed);
                self.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.count.load(Ordering::Relaxed) * Self::WORDS as u64 * 8
    }
}

impl Slot<'_> {
    /// Returns the mark. Its lowest bit says that the entry was used.
    pub(crate) fn mark(self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }

    /// Changes the mark, unless it was changed in the meantime.
    pub(crate) fn set_mark(self, from: u64, to: u64) -> bool {
        self.0[1].compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn key(self) -> Key {
        self.0[2].load(Ordering::Relaxed)
    }

    fn content(self) -> Content {
        std::array::from_fn(|word| self.0[HEAD + word].load(Ordering::Relaxed))
    }

    #[inline]
    fn copy(self, key: Key, content: &mut Content) -> bool {
        let sequence = self.0[0].load(Ordering::Acquire);
        if sequence & 1 != 0 || self.key() != key {
            return false;
        }
        for (value, word) in content.iter_mut().zip(&self.0[HEAD..]) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        self.0[0].load(Ordering::Relaxed) == sequence
    }
}

/// Returns the highest bit of each byte of `word` that equals `tag`. Sometimes also of the byte above,
/// which does no harm, because keys are compared in full.
fn matches(word: u64, tag: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let different = word ^ (u64::from(tag) * ONES);
    different.wrapping_sub(ONES) & !different & (ONES << 7)
}
