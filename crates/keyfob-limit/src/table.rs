//! A table of keys in bounded memory.
//!
//! A key belongs to one bucket of eight slots, found by its digest. There is no sweeper: a slot whose time
//! is over is free. If no slot is free, the key is evicted whose time is over first, because it has the
//! smallest debt. So a flood of new keys costs no memory, and keys with large debts are forgotten last.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Charge, LimitKey};

const WAYS: usize = 8;
const STRIPES: usize = 64;

#[derive(Debug)]
pub(super) struct Table<V> {
    stripes: Box<[Mutex<Stripe<V>>]>,
}

type Stripe<V> = Box<[Bucket<V>]>;

type Bucket<V> = [Place<V>; WAYS];

#[derive(Clone, Copy, Debug)]
struct Place<V> {
    key: LimitKey,
    /// When the slot is free. Zero: it was never used.
    ends: u64,
    value: V,
}

/// The locked shards that some keys are in. Shards are locked in one order, so that there is no
/// deadlock.
pub(super) struct Held<'a, V> {
    stripes: [Option<(usize, MutexGuard<'a, Stripe<V>>)>; Charge::MAX_KEYS],
}

impl<V: Copy + Default> Table<V> {
    /// Creates a table with about this many slots.
    pub(super) fn new(slots: usize) -> Self {
        let free = Place { key: LimitKey::from_bytes([0; 16]), ends: 0, value: V::default() };
        let buckets = slots.div_ceil(STRIPES * WAYS).max(1);
        let stripe = || Mutex::new(vec![[free; WAYS]; buckets].into_boxed_slice());
        Self { stripes: (0..STRIPES).map(|_| stripe()).collect() }
    }

    /// Locks the shards of these keys. There are at most [`Charge::MAX_KEYS`] of them.
    pub(super) fn hold<'k>(&self, keys: impl IntoIterator<Item = &'k LimitKey>) -> Held<'_, V> {
        let mut wanted = [usize::MAX; Charge::MAX_KEYS];
        for (place, key) in wanted.iter_mut().zip(keys) {
            *place = stripe_of(key);
        }
        wanted.sort_unstable();
        let mut last = usize::MAX;
        let stripes = wanted.map(|number| {
            let stripe = self.stripes.get(number).filter(|_| number != last)?;
            last = number;
            // No code panics in the middle of a change.
            Some((number, stripe.lock().unwrap_or_else(PoisonError::into_inner)))
        });
        Held { stripes }
    }
}

impl<V: Copy> Held<'_, V> {
    /// Returns the value of a key, if it is there.
    pub(super) fn get(&mut self, key: &LimitKey) -> Option<V> {
        self.get_with_end(key).map(|(value, _)| value)
    }

    /// Returns the value and the expiry of a key, if it is there.
    pub(super) fn get_with_end(&mut self, key: &LimitKey) -> Option<(V, u64)> {
        let bucket = self.bucket(key)?;
        bucket.iter().find(|place| place.is(key)).map(|place| (place.value, place.ends))
    }

    /// Stores the value of a key until it expires.
    pub(super) fn put(&mut self, key: &LimitKey, value: V, ends: u64, now: u64) {
        let Some(bucket) = self.bucket(key) else { return };
        let rank = |place: &&mut Place<V>| match place {
            place if place.is(key) => (0, 0),
            place if place.ends <= now => (1, 0),
            place => (2, place.ends),
        };
        if let Some(place) = bucket.iter_mut().min_by_key(rank) {
            *place = Place { key: *key, ends: ends.max(1), value };
        }
    }

    fn bucket(&mut self, key: &LimitKey) -> Option<&mut Bucket<V>> {
        let number = stripe_of(key);
        let mut stripes = self.stripes.iter_mut().flatten();
        let (_, buckets) = stripes.find(|(held, _)| *held == number)?;
        let place = (key.spread() as usize / STRIPES) % buckets.len();
        buckets.get_mut(place)
    }
}

impl<V> Place<V> {
    fn is(&self, key: &LimitKey) -> bool {
        self.ends > 0 && self.key == *key
    }
}

fn stripe_of(key: &LimitKey) -> usize {
    key.spread() as usize % STRIPES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> LimitKey {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        LimitKey::from_bytes(bytes)
    }

    /// Keys of one bucket.
    fn neighbour(number: u64) -> LimitKey {
        key(number * (STRIPES as u64) * 1024)
    }

    fn put(table: &Table<u64>, key: LimitKey, ends: u64) {
        table.hold([&key]).put(&key, ends, ends, 10);
    }

    fn get(table: &Table<u64>, key: LimitKey) -> Option<u64> {
        table.hold([&key]).get(&key)
    }

    #[test]
    fn a_full_bucket_evicts_the_key_that_ends_first() {
        let table = Table::new(STRIPES * WAYS);
        for number in 0..8 {
            put(&table, neighbour(number), 100 - number);
        }
        put(&table, neighbour(8), 200);
        assert_eq!(get(&table, neighbour(7)), None);
        assert_eq!(get(&table, neighbour(0)), Some(100));
        assert_eq!(get(&table, neighbour(8)), Some(200));
        // A change of a stored key evicts nothing.
        put(&table, neighbour(0), 300);
        assert_eq!((0..9).filter(|number| get(&table, neighbour(*number)).is_some()).count(), 8);
    }

    #[test]
    fn ended_keys_are_evicted_first() {
        let table = Table::new(STRIPES * WAYS);
        for number in 0..8 {
            put(&table, neighbour(number), if number == 3 { 10 } else { 20 });
        }
        put(&table, neighbour(8), 15);
        assert_eq!(get(&table, neighbour(3)), None);
        assert_eq!((0..9).filter(|number| get(&table, neighbour(*number)).is_some()).count(), 8);
    }

    #[test]
    fn many_keys_are_held_concurrently_in_any_order() {
        let table = Table::<u64>::new(10_000);
        let keys: Vec<_> = (0..8).map(|number| key(number * 37)).collect();
        let turned: Vec<_> = keys.iter().rev().copied().collect();
        std::thread::scope(|scope| {
            for keys in [&keys, &turned] {
                let table = &table;
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        let mut held = table.hold(keys);
                        for key in keys {
                            let count = held.get(key).unwrap_or_default();
                            held.put(key, count + 1, 99, 0);
                        }
                    }
                });
            }
        });
        assert!(keys.iter().all(|key| get(&table, *key) == Some(4_000)));
    }
}
