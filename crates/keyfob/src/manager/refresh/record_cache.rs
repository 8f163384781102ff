//! Refresh tokens that this node has just issued, read or rotated, so that their next rotation does
//! not have to read them first.
//!
//! Nothing but a rotation is decided from a remembered record, and the store makes no rotation that
//! rests on an older record than it has. So the cache does not have to be notified of changes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::codec::Record;
use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;
use keyfob_core::token::Token;
use keyfob_store::{ClearFields, Loaded, RecordVersion};

/// The maximum number of records in the cache. The records that were added first are evicted.
const MAX_RECORDS: usize = 4096;

/// The record of a refresh token, with what its rotation needs to know about where it is stored.
#[derive(Debug)]
pub(in crate::manager) struct RefreshRecord {
    pub(super) id: TokenId,
    pub(super) version: RecordVersion,
    pub(super) clear: ClearFields,
    pub(super) last_used: Option<Timestamp>,
    pub(super) record: Record,
}

impl RefreshRecord {
    /// A record that has just been stored for the first time.
    pub(in crate::manager) fn fresh(id: TokenId, clear: ClearFields, record: Record) -> Self {
        Self { id, version: RecordVersion(1), clear, last_used: None, record }
    }

    /// A record that was read.
    pub(super) fn loaded(loaded: &Loaded, record: Record) -> Self {
        let Loaded { id, version, last_used, .. } = *loaded;
        Self { id, version, clear: loaded.clear_fields(), last_used, record }
    }

    /// Returns the token, as far as the record knows: without a revocation.
    pub(super) fn token(&self) -> Token {
        let mut token = self.record.clone().into_fresh_token(self.id, None);
        token.last_used = self.last_used;
        token
    }
}

#[derive(Default)]
pub(in crate::manager) struct RefreshRecordCache(Mutex<RecentlyAdded<RefreshRecord>>);

struct RecentlyAdded<T> {
    by_id: HashMap<TokenId, Entry<T>>,
    /// In the order in which they were added. An entry that has been taken out or added again since
    /// is recognized by its number.
    order: VecDeque<(TokenId, u64)>,
    /// How many were ever added.
    added: u64,
}

struct Entry<T> {
    number: u64,
    value: T,
}

impl RefreshRecordCache {
    /// Takes a record out. If two tasks rotate a token at the same time, the second one reads it.
    pub(super) fn take(&self, id: TokenId) -> Option<RefreshRecord> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.take(id)
    }

    pub(in crate::manager) fn put(&self, record: RefreshRecord) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put(record.id, record);
    }
}

impl<T> RecentlyAdded<T> {
    fn take(&mut self, id: TokenId) -> Option<T> {
        self.by_id.remove(&id).map(|entry| entry.value)
    }

    fn put(&mut self, id: TokenId, value: T) {
        self.added += 1;
        let number = self.added;
        self.by_id.insert(id, Entry { number, value });
        self.order.push_back((id, number));
        while self.by_id.len() > MAX_RECORDS
            && let Some((id, number)) = self.order.pop_front()
        {
            if self.is_present(id, number) {
                self.by_id.remove(&id);
            }
        }
        if self.order.len() > 2 * MAX_RECORDS {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(id, number)| self.is_present(*id, *number));
            self.order = order;
        }
    }

    fn is_present(&self, id: TokenId, number: u64) -> bool {
        self.by_id.get(&id).is_some_and(|entry| entry.number == number)
    }
}

impl<T> Default for RecentlyAdded<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), order: VecDeque::new(), added: 0 }
    }
}

impl std::fmt::Debug for RefreshRecordCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshRecordCache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> TokenId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        TokenId::from_bytes(bytes)
    }

    #[test]
    fn the_records_that_were_added_first_are_evicted() {
        let mut cache = RecentlyAdded::default();
        for number in 0..MAX_RECORDS as u64 + 10 {
            cache.put(id(number), number);
        }
        assert_eq!(cache.by_id.len(), MAX_RECORDS);
        assert_eq!([9, 10].map(|number| cache.take(id(number))), [None, Some(10)]);
        // A record that was added again is the newest, and evicts no other record.
        cache.put(id(11), 0);
        cache.put(id(MAX_RECORDS as u64 + 10), 1);
        cache.put(id(MAX_RECORDS as u64 + 11), 2);
        assert_eq!([11, 12].map(|number| cache.take(id(number))), [Some(0), None]);
    }

    #[test]
    fn a_record_that_is_added_again_and_again_stays_and_takes_no_more_room() {
        let mut cache = RecentlyAdded::default();
        cache.put(id(0), 0);
        for time in 0..10 * MAX_RECORDS {
            let _taken = cache.take(id(1));
            cache.put(id(1), time);
            cache.put(id(2), time);
            assert!(cache.order.len() <= 2 * MAX_RECORDS);
        }
        let last = 10 * MAX_RECORDS - 1;
        assert_eq!(
            [0, 1, 2].map(|number| cache.take(id(number))),
            [Some(0), Some(last), Some(last)]
        );
    }
}
