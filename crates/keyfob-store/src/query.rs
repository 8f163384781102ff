//! Pages of records under a term.

use super::Loaded;
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::Term;

/// One page of the records that a term lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query {
    /// The term.
    pub term: Term,
    /// The lane, where it is known that all of them lie in one.
    pub lane: Option<Lane>,
    /// In which order.
    pub order: Order,
    /// Where the last page ended.
    pub after: Option<Position>,
    /// How many at most: at least 1.
    pub limit: usize,
}

/// In which order records are listed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Order {
    /// By id, the newest first.
    #[default]
    NewestFirst,
    /// By the moment at which the store forgets the record, to a second, the next first. Among
    /// tokens with the same retention that is the order of expiry.
    NextToExpire,
}

/// Where a page ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    /// The last record's keep-until in whole seconds, rounded up.
    pub keep_until_secs: u64,
    /// The last record's id.
    pub id: TokenId,
}

impl Position {
    /// The place of a record.
    pub fn of(record: &Loaded) -> Self {
        let keep_until_secs = record.keep_until.as_millis().div_ceil(1000);
        Self { keep_until_secs, id: record.id }
    }

    /// How this place lies to another in `order`.
    pub fn compare(&self, other: &Self, order: Order) -> std::cmp::Ordering {
        match order {
            Order::NewestFirst => other.id.cmp(&self.id),
            Order::NextToExpire => {
                (self.keep_until_secs, self.id).cmp(&(other.keep_until_secs, other.id))
            }
        }
    }
}

/// One page of records.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    /// The records, in order.
    pub records: Vec<Loaded>,
    /// Where to go on; `None` when this is the last page.
    pub next: Option<Position>,
}
