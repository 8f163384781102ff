//! Pages: how a list is paged, where a page ended, where a long run resumes.

use std::fmt;
use std::str::FromStr;

#[cfg(doc)]
use crate::TokenManager;
use keyfob_core::field::Field;
use keyfob_core::id::Lane;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::namespace::Term;
use keyfob_core::time::Ttl;
use keyfob_core::token::Token;
use keyfob_store::{Order, Position};

/// The order and the size of a page, and where it begins.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Filter, MemoryStore, Paging, TokenManager};
///
/// # let manager = TokenManager::new(MemoryStore::new()?);
/// let mut paging = Paging::new(100);
/// loop {
///     let page = manager.list(&Filter::new().tag("beta"), paging.clone()).await?;
///     for token in page.tokens {
///         println!("{}", token.id);
///     }
///     let Some(next) = page.next else { break };
///     paging = paging.after(Some(next));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Paging {
    pub(super) order: Order,
    pub(super) limit: usize,
    pub(super) after: Option<PageCursor>,
    pub(super) max_time: Option<Ttl>,
}

/// The end of a page. Its text form is opaque and safe in a URL. It belongs to one filter and one
/// order, and is refused with another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageCursor {
    pub(super) order: Order,
    pub(super) filter: u32,
    /// The position of the term that is read, among the filter's terms. It was the rarest when the
    /// first page was read. To count again for each page would cost more than the page.
    pub(super) term: usize,
    pub(super) position: Position,
}

/// One page of tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenPage {
    /// The tokens, in order. A page that is short, or empty, is not always the last: then many
    /// records were read that did not match, or [`Paging::max_time`] was over.
    pub tokens: Vec<Token>,
    /// The end of this page, to read the next one; `None` on the last page.
    pub next: Option<PageCursor>,
    /// The number of records that were read.
    pub examined: u64,
    /// The number of those that could not be read. The log names them.
    pub unreadable: u64,
    /// The lanes of the store that could not be reached. The tokens in them are missing from this page,
    /// and may be missing from the list even if the lanes can be reached for the next page.
    pub missing_lanes: Vec<Lane>,
}

/// Where a run that was interrupted resumes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ResumeToken {
    /// At the start: no page is done.
    #[default]
    Start,
    /// After this page.
    After(PageCursor),
    /// Nowhere: every page is done.
    Done,
}

impl Paging {
    /// The maximum number of tokens in a page.
    pub const MAX_LIMIT: usize = 1_000;

    /// Returns pages of at most `limit` tokens, the newest first. [`TokenManager::list`] refuses a limit of
    /// zero and a limit above [`Paging::MAX_LIMIT`].
    pub fn new(limit: usize) -> Self {
        Self { order: Order::NewestFirst, limit, after: None, max_time: None }
    }

    /// Checks the limit. Fewer tokens than the caller asked for would look like the last page.
    pub(super) fn check(&self) -> Result<(), InvalidValue> {
        if (1..=Self::MAX_LIMIT).contains(&self.limit) {
            return Ok(());
        }
        let allowed = "a limit from 1 to 1000, and the cursor of each page for the next one";
        Err(InvalidValue::new(Field::PageLimit, InvalidReason::OutOfRange { allowed }))
    }

    /// Orders by expiry, the soonest first. The order is exact where records are retained for a
    /// fixed time, and exact to a minute with the default retention.
    pub fn expiring_soonest(self) -> Self {
        Self { order: Order::NextToExpire, ..self }
    }

    /// Ends the page when tokens were looked for during this time, with those that were found until then. At least one
    /// read of the store is finished. For a reader who waits, and a filter that few tokens match.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Filter, MemoryStore, Paging, TokenManager, Ttl};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let paging = Paging::new(50).max_time(Ttl::from_millis(25)?);
    /// let page = manager.list(&Filter::new().scope("rare"), paging).await?;
    /// println!("{} found, {} read", page.tokens.len(), page.examined);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_time(self, time: Ttl) -> Self {
        Self { max_time: Some(time), ..self }
    }

    /// Begins after the end of an earlier page; with `None`, at the first token.
    pub fn after(self, cursor: Option<PageCursor>) -> Self {
        Self { after: cursor, ..self }
    }
}

impl Default for Paging {
    /// Pages of at most 100 tokens, the newest first.
    fn default() -> Self {
        Self::new(100)
    }
}

impl ResumeToken {
    /// The page after which to resume; `None` at the start and when all is done.
    pub fn cursor(&self) -> Option<PageCursor> {
        match self {
            Self::After(cursor) => Some(cursor.clone()),
            Self::Start | Self::Done => None,
        }
    }
}

/// A scan of every record, which only resealing needs.
#[cfg(feature = "seal")]
impl PageCursor {
    /// A cursor into a scan of every record, newest first, with the position of the scanned term.
    pub(in crate::manager) fn of_everything(term: usize, position: Position) -> Self {
        let filter = keyfob_core::filter::Filter::new().fingerprint();
        Self { order: Order::NewestFirst, filter, term, position }
    }

    /// The term and the position of a cursor into such a scan.
    pub(in crate::manager) fn within_everything(&self) -> Result<(usize, Position), InvalidValue> {
        if *self == Self::of_everything(self.term, self.position) {
            return Ok((self.term, self.position));
        }
        let rule = "it belongs to a list, not to a scan of every record";
        Err(InvalidValue::new(Field::Cursor, InvalidReason::Contradiction { rule }))
    }
}

impl PageCursor {
    pub(super) fn belongs_to(&self, filter: u32, order: Order, terms: &[Term]) -> bool {
        // A filter without terms reads the term that lists every token.
        (self.filter, self.order) == (filter, order) && self.term < terms.len().max(1)
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            Order::NewestFirst => 'n',
            Order::NextToExpire => 'x',
        };
        let Position { keep_until_secs, id } = self.position;
        write!(f, "{order}-{:08x}-{:x}-{keep_until_secs:x}-{id}", self.filter, self.term)
    }
}

impl FromStr for PageCursor {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "a cursor that an earlier page gave";
        let malformed = || InvalidValue::new(Field::Cursor, InvalidReason::Malformed { expected });
        let mut parts = text.splitn(5, '-');
        let mut next = || parts.next().ok_or_else(malformed);
        let order = match next()? {
            "n" => Order::NewestFirst,
            "x" => Order::NextToExpire,
            _ => return Err(malformed()),
        };
        let filter = u32::from_str_radix(next()?, 16).map_err(|_| malformed())?;
        let term = usize::from_str_radix(next()?, 16).map_err(|_| malformed())?;
        let keep_until_secs = u64::from_str_radix(next()?, 16).map_err(|_| malformed())?;
        let id = next()?.parse().map_err(|_| malformed())?;
        Ok(Self { order, filter, term, position: Position { keep_until_secs, id } })
    }
}
