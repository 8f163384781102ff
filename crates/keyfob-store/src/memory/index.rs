//! The index of the store in memory: for each term, its records in both orders.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use crate::{Order, Position};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::Term;
use keyfob_core::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Term, Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_id: BTreeSet<TokenId>,
    by_end: BTreeSet<(u64, TokenId)>,
}

fn secs(keep_until: Timestamp) -> u64 {
    keep_until.as_millis().div_ceil(1000)
}

impl Index {
    pub(super) fn add(&mut self, term: Term, id: TokenId, keep_until: Timestamp) {
        let entries = self.0.entry(term).or_default();
        entries.by_id.insert(id);
        entries.by_end.insert((secs(keep_until), id));
    }

    pub(super) fn remove(&mut self, term: Term, id: TokenId, keep_until: Timestamp) {
        if let Some(entries) = self.0.get_mut(&term) {
            entries.by_id.remove(&id);
            entries.by_end.remove(&(secs(keep_until), id));
            if entries.by_id.is_empty() {
                self.0.remove(&term);
            }
        }
    }

    pub(super) fn count(&self, term: Term, lane: Option<Lane>) -> u64 {
        let Some(entries) = self.0.get(&term) else { return 0 };
        match lane {
            None => entries.by_id.len() as u64,
            Some(lane) => entries.by_id.iter().filter(|id| id.lane() == lane).count() as u64,
        }
    }

    /// Returns the ids under a term that come after a position, in order.
    pub(super) fn walk(
        &self,
        term: Term,
        order: Order,
        after: Option<Position>,
    ) -> Box<dyn Iterator<Item = TokenId> + '_> {
        let Some(entries) = self.0.get(&term) else { return Box::new(std::iter::empty()) };
        match order {
            Order::NewestFirst => {
                let end = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.id));
                Box::new(entries.by_id.range((Bound::Unbounded, end)).rev().copied())
            }
            Order::NextToExpire => {
                let start = after.map_or(Bound::Unbounded, |after| {
                    Bound::Excluded((after.keep_until_secs, after.id))
                });
                Box::new(entries.by_end.range((start, Bound::Unbounded)).map(|(_, id)| *id))
            }
        }
    }
}
