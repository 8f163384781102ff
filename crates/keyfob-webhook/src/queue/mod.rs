//! Which delivery is next, and how far the log is done.
//!
//! A queue holds a window of the log: the events after the last one before which everything is done. Events
//! with the same key are delivered one after another, in the order of the log: one that fails holds back those
//! of its key, and no others. The position to keep moves over what is done without a gap. So who
//! resumes from a kept position delivers some events again, and leaves none out.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

use keyfob_core::time::Timestamp;

/// A window of the log. `K` is what is delivered in order, `P` the position after an event, `T` what is
/// delivered.
#[derive(Debug)]
pub struct Queue<K, P, T> {
    /// The number of the first entry.
    first: u64,
    entries: VecDeque<Entry<K, P, T>>,
    /// Where the window begins: everything up to here is done.
    done: P,
    /// The keys that have a delivery on its way.
    busy: HashSet<K>,
    capacity: usize,
}

#[derive(Debug)]
struct Entry<K, P, T> {
    key: K,
    after: P,
    /// `None`: nothing is to be delivered, or it is done.
    item: Option<T>,
    attempts: u32,
    not_before: Timestamp,
    is_sent: bool,
}

/// Names an entry of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EntryNumber(u64);

/// What a queue has to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Deliver this entry.
    Deliver(EntryNumber),
    /// Nothing before this time, unless a delivery ends or an event comes.
    WaitUntil(Timestamp),
    /// Nothing, until a delivery ends or an event comes.
    Idle,
}

impl<K: Clone + Eq + Hash, P: Clone, T> Queue<K, P, T> {
    /// Creates a queue that begins after a position, and holds at most `capacity` events.
    pub fn new(done: P, capacity: usize) -> Self {
        let (entries, busy) = (VecDeque::new(), HashSet::new());
        Self { first: 0, entries, done, busy, capacity: capacity.max(1) }
    }

    /// Returns whether there is room for another event.
    pub fn has_room(&self) -> bool {
        self.entries.len() < self.capacity
    }

    /// Returns the number of events that are not done, or wait for one before them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether everything is done.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the position up to which everything is done: the one to keep.
    pub fn done(&self) -> &P {
        &self.done
    }

    /// Returns the first that is not done.
    pub fn oldest(&self) -> Option<&T> {
        self.entries.front()?.item.as_ref()
    }

    /// Adds the next event of the log, or with `None` one that is not wanted, or is done already. It takes no room: it
    /// belongs to the entry before it. Returns the entry that it waits for; `None` if it is done.
    pub fn push(&mut self, key: K, after: P, item: Option<T>) -> Option<EntryNumber> {
        match (item, self.entries.back_mut()) {
            (None, None) => {
                self.done = after;
                return None;
            }
            (None, Some(last)) => last.after = after,
            (item, _) => {
                let (attempts, not_before, is_sent) = (0, Timestamp::default(), false);
                self.entries.push_back(Entry { key, after, item, attempts, not_before, is_sent });
            }
        }
        Some(EntryNumber(self.first + self.entries.len() as u64 - 1))
    }

    /// Returns whether an entry is not done, or waits for one before it.
    pub fn holds(&self, number: EntryNumber) -> bool {
        self.entry(number).is_some()
    }

    /// Returns what is not done, in the order of the log.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.item.as_ref())
    }

    /// Returns what to do next. An entry that is to be delivered counts as on its way.
    pub fn next(&mut self, now: Timestamp) -> Next {
        let mut seen: HashSet<&K> = HashSet::new();
        let mut earliest: Option<Timestamp> = None;
        let mut found = None;
        for (at, entry) in self.entries.iter().enumerate() {
            // Only the first of a key that is not done may be delivered.
            if entry.item.is_none() || !seen.insert(&entry.key) || self.busy.contains(&entry.key) {
                continue;
            }
            if entry.not_before <= now {
                found = Some(at);
                break;
            }
            earliest = Some(earliest.map_or(entry.not_before, |time| time.min(entry.not_before)));
        }
        match found.and_then(|at| Some((at, self.entries.get_mut(at)?))) {
            Some((at, entry)) => {
                entry.is_sent = true;
                entry.attempts = entry.attempts.saturating_add(1);
                self.busy.insert(entry.key.clone());
                Next::Deliver(EntryNumber(self.first + at as u64))
            }
            None => earliest.map_or(Next::Idle, Next::WaitUntil),
        }
    }

    /// Returns what to deliver, and the number of attempts including this one.
    pub fn get(&self, number: EntryNumber) -> Option<(&T, u32)> {
        let entry = self.entry(number)?;
        Some((entry.item.as_ref()?, entry.attempts))
    }

    /// Notes that an entry was delivered, or is kept as a dead letter.
    pub fn finish(&mut self, number: EntryNumber) {
        if let Some(entry) = self.sent(number) {
            entry.item = None;
            self.advance();
        }
    }

    /// Notes that a delivery failed, and when it may be tried again.
    pub fn postpone(&mut self, number: EntryNumber, until: Timestamp) {
        if let Some(entry) = self.sent(number) {
            entry.not_before = until;
        }
    }

    fn entry(&self, EntryNumber(number): EntryNumber) -> Option<&Entry<K, P, T>> {
        self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Returns an entry whose delivery has ended. `None` if it is not on its way.
    fn sent(&mut self, EntryNumber(number): EntryNumber) -> Option<&mut Entry<K, P, T>> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get_mut(at).filter(|entry| entry.is_sent)?;
        entry.is_sent = false;
        self.busy.remove(&entry.key);
        Some(entry)
    }

    /// Moves the start of the window over what is done.
    fn advance(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.item.is_none()) {
            if let Some(entry) = self.entries.pop_front() {
                self.done = entry.after;
                self.first += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
