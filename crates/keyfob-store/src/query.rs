//! Pages of records under a term.

use super::{Loaded, StoreError};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::Term;

/// A query for one page of the records that a term lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query {
    /// The term.
    pub term: Term,
    /// The lane, if all of them are known to lie in one.
    pub lane: Option<Lane>,
    /// The order.
    pub order: Order,
    /// Where the last page ended.
    pub after: Option<Position>,
    /// The maximum number of records, at least 1.
    pub limit: usize,
}

/// The order in which records are listed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Order {
    /// By id, the newest first.
    #[default]
    NewestFirst,
    /// By the time at which the store forgets the record, in seconds, the earliest first. Among tokens
    /// with the same retention, this is the order of expiry.
    NextToExpire,
}

/// The position after the last record of a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    /// The last record's keep-until in whole seconds, rounded up.
    pub keep_until_secs: u64,
    /// The last record's id.
    pub id: TokenId,
}

impl Position {
    /// Returns the position of a record.
    pub fn of(record: &Loaded) -> Self {
        let keep_until_secs = record.keep_until.as_millis().div_ceil(1000);
        Self { keep_until_secs, id: record.id }
    }

    /// Compares two positions in `order`.
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
    /// Where the next page starts, or `None` if this is the last page.
    pub next: Option<Position>,
    /// The lanes that could not be reached. Their records are missing.
    pub missing: Vec<Lane>,
}

impl RecordPage {
    /// Creates a page that no lane is missing from.
    pub const fn new(records: Vec<Loaded>, next: Option<Position>) -> Self {
        Self { records, next, missing: Vec::new() }
    }

    /// Returns the page if no lane is missing from it.
    ///
    /// # Errors
    /// [`StoreError::LanesUnreachable`].
    pub fn complete(self) -> Result<Self, StoreError> {
        if self.missing.is_empty() {
            return Ok(self);
        }
        Err(StoreError::LanesUnreachable { lanes: self.missing })
    }
}
