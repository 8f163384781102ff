//! Refresh tokens that this node has just issued, read or rotated: so that their next rotation need
//! not read them first.
//!
//! Nothing but a rotation is decided on the strength of what is kept here, and the store makes none
//! that rests on an older record than it has. So it need not hear of changes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::codec::Record;
use crate::id::TokenId;
use crate::store::Loaded;

/// How many are kept, at most; those that were put in first give way.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Known(Mutex<Kept<(Loaded, Record)>>);

struct Kept<T> {
    by_id: HashMap<TokenId, Entry<T>>,
    /// In the order in which they were put in. What has been taken out since, or put in again, is
    /// told by its number.
    order: VecDeque<(TokenId, u64)>,
    /// How many were ever put in.
    count: u64,
}

struct Entry<T> {
    number: u64,
    known: T,
}

impl Known {
    /// Takes a token out: of two that rotate it at the same time, the other reads it.
    pub(super) fn take(&self, id: TokenId) -> Option<(Loaded, Record)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take(id)
    }

    pub(super) fn put(&self, loaded: Loaded, record: Record) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(loaded.id, (loaded, record));
    }
}

impl<T> Kept<T> {
    fn take(&mut self, id: TokenId) -> Option<T> {
        self.by_id.remove(&id).map(|entry| entry.known)
    }

    fn put(&mut self, id: TokenId, known: T) {
        self.count += 1;
        let number = self.count;
        self.by_id.insert(id, Entry { number, known });
        self.order.push_back((id, number));
        while self.by_id.len() > MOST
            && let Some((id, number)) = self.order.pop_front()
        {
            if self.is_present(id, number) {
                self.by_id.remove(&id);
            }
        }
        if self.order.len() > 2 * MOST {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(id, number)| self.is_present(*id, *number));
            self.order = order;
        }
    }

    fn is_present(&self, id: TokenId, number: u64) -> bool {
        self.by_id.get(&id).is_some_and(|entry| entry.number == number)
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), order: VecDeque::new(), count: 0 }
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
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
    fn those_that_were_put_in_first_give_way() {
        let mut kept = Kept::default();
        for number in 0..MOST as u64 + 10 {
            kept.put(id(number), number);
        }
        assert_eq!(kept.by_id.len(), MOST);
        assert_eq!([9, 10].map(|number| kept.take(id(number))), [None, Some(10)]);
        // What was put in anew is the newest, and takes no other's place.
        kept.put(id(11), 0);
        kept.put(id(MOST as u64 + 10), 1);
        kept.put(id(MOST as u64 + 11), 2);
        assert_eq!([11, 12].map(|number| kept.take(id(number))), [Some(0), None]);
    }

    #[test]
    fn what_is_put_in_over_and_over_stays_and_takes_no_room() {
        let mut kept = Kept::default();
        kept.put(id(0), 0);
        for time in 0..10 * MOST {
            let _taken = kept.take(id(1));
            kept.put(id(1), time);
            kept.put(id(2), time);
            assert!(kept.order.len() <= 2 * MOST);
        }
        let last = 10 * MOST - 1;
        assert_eq!(
            [0, 1, 2].map(|number| kept.take(id(number))),
            [Some(0), Some(last), Some(last)]
        );
    }
}
