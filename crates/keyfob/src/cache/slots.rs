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
use super::layout::{CONTENT, WAYS};

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
    taken: AtomicU64,
    pages: Pages,
}

/// Which pages of memory were written to: the system gives no others.
#[derive(Debug)]
struct Pages {
    each: Box<[AtomicU64]>,
    count: AtomicU64,
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

/// A set, and which of its entries.
type Place = (usize, usize);

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

/// One in how many places is to spare.
const SPARE: usize = 20;

impl Slots {
    /// A table with room for at least so many entries.
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

    /// How many bytes a table for so many entries takes when it is full.
    pub(crate) const fn max_bytes(entries: usize) -> u64 {
        (8 * Self::sets(entries) * (WAYS * WORDS + 1)) as u64
    }

    const fn sets(entries: usize) -> usize {
        // With two sets to choose from, and those that are there moved to their other one, hardly
        // any has to give way before as many are there.
        let sets = (entries + entries / SPARE).div_ceil(WAYS);
        if sets == 0 { 1 } else { sets }
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many bytes of memory it takes now.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.bytes() + 8 * self.tags.len() as u64
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

    /// Keeps content under a key, in the place of what was kept under it or of what is worth least,
    /// and gives what that was worth. For one writer at a time.
    pub(crate) fn write(
        &self,
        key: Key,
        content: &Content,
        mark: u64,
        worth: impl Fn(&Content, u64) -> Worth,
    ) -> Option<Worth> {
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
        // Whoever reads one of the words below also reads the odd sequence above.
        fence(Ordering::Release);
        slot.0[1].store(mark, Ordering::Relaxed);
        for (word, value) in slot.0[2..].iter().zip(key.iter().chain(content)) {
            word.store(*value, Ordering::Relaxed);
        }
        slot.0[0].store((sequence | 1) + 1, Ordering::Release);
        let others = known & !(0xff << (8 * way));
        tags.store(others | u64::from(tag) << (8 * way), Ordering::Relaxed);
    }

    /// Where the key is already: elsewhere it would be there twice.
    fn own_place(&self, key: Key, places: Places) -> Option<Place> {
        let has = |(set, way): &Place| {
            // The tags are close at hand, and the entries far away in memory.
            let tags = self.tags.get(*set).map_or(0, |tags| tags.load(Ordering::Relaxed));
            (tags >> (8 * way)) as u8 == places.tag
                && self.slot(*set, *way).is_some_and(|slot| slot.key() == key)
        };
        places.each().find(has)
    }

    /// A free place, in the emptier of the two sets.
    fn free_place(&self, places: Places) -> Option<Place> {
        let free = |set: usize| {
            let tags = self.tags.get(set).map_or(u64::MAX, |tags| tags.load(Ordering::Relaxed));
            (0..WAYS).filter(move |way| tags >> (8 * way) & 0xff == 0)
        };
        let (first, second) = (free(places.first).count(), free(places.second).count());
        let set = if first >= second { places.first } else { places.second };
        free(set).next().map(|way| (set, way))
    }

    /// The place of one that could move to a free place in its other set, and did.
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

    /// The place of what is worth least, and what that is.
    fn least(
        &self,
        places: Places,
        worth: impl Fn(&Content, u64) -> Worth,
    ) -> Option<(Place, Worth)> {
        let slot = |(set, way): Place| self.slot(set, way);
        let worth = |place: Place| {
            slot(place).map_or(Worth::Used, |slot| worth(&slot.content(), slot.mark()))
        };
        let least =
            places.each().map(|place| (place, worth(place))).min_by_key(|(_, worth)| *worth);
        // Whoever is asked for from now on is worth more than who is not.
        for slot in places.each().filter_map(slot) {
            slot.0[1].fetch_and(!1, Ordering::Relaxed);
        }
        least
    }

    fn places(&self, key: Key) -> Places {
        let product = u128::from(key[0] ^ 0x9E37_79B9_7F4A_7C15)
            * u128::from(key[1] ^ key[2].rotate_left(29) ^ 0xD6E8_FEB8_6659_FD93);
        let mixed = (product as u64) ^ (product >> 64) as u64;
        let set = |bits: u64| (((bits & 0xffff_ffff) * self.sets as u64) >> 32) as usize;
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
    /// What readers noted: its lowest bit is that the entry was used.
    pub(crate) fn mark(self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }

    /// Changes the mark, unless somebody else was quicker.
    pub(crate) fn set_mark(self, from: u64, to: u64) -> bool {
        self.0[1].compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn key(self) -> Key {
        [2, 3, 4].map(|word: usize| self.0[word].load(Ordering::Relaxed))
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

/// The highest bit of each byte of `word` that is `tag`; now and then also of one above such a
/// byte, which does no harm: what is found there is compared in full.
fn matches(word: u64, tag: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let different = word ^ (u64::from(tag) * ONES);
    different.wrapping_sub(ONES) & !different & (ONES << 7)
}
