//! Pages of records under a term.

use super::{Loaded, StoreError};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::Term;
use keyfob_core::time::Timestamp;

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

/// What a page lists, each at a position.
pub trait Listed {
    /// Returns its position.
    fn position(&self) -> Position;
}

impl Listed for Loaded {
    fn position(&self) -> Position {
        Position::at(self.keep_until, self.id)
    }
}

impl Position {
    /// Returns the position of a record.
    pub fn of(record: &impl Listed) -> Self {
        record.position()
    }

    /// Returns the position of the record with this id that is kept until then.
    pub const fn at(keep_until: Timestamp, id: TokenId) -> Self {
        Self { keep_until_secs: keep_until.as_millis().div_ceil(1000), id }
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

/// One page of records, or of their heads.
#[derive(Clone, Debug)]
pub struct RecordPage<R = Loaded> {
    /// The records, in order.
    pub records: Vec<R>,
    /// Where the next page starts, or `None` if this is the last page.
    pub next: Option<Position>,
    /// The lanes that could not be reached. Their records are missing.
    pub missing: Vec<Lane>,
}

impl<R> Default for RecordPage<R> {
    fn default() -> Self {
        Self::new(Vec::new(), None)
    }
}

impl<R> RecordPage<R> {
    /// Creates a page that no lane is missing from.
    pub const fn new(records: Vec<R>, next: Option<Position>) -> Self {
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
