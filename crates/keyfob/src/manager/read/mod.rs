//! Reading tokens: one by its id, many by a filter, the history of one.

mod stats;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use futures_util::future::try_join_all;

use crate::error::Error;
use crate::field::Field;
use crate::filter::{Filter, Plan};
use crate::id::{Lane, TokenId};
use crate::invalid::{InvalidReason, InvalidValue};
use crate::manager::{TokenManager, token_of};
use crate::namespace::Term;
use crate::store::{Order, Position, Query};
use crate::token::{ChangeKind, HistoryEntry, Token};

/// How a list is paged.
#[derive(Clone, Debug)]
pub struct Paging {
    order: Order,
    limit: usize,
    after: Option<PageCursor>,
}

/// Where a page ended. Its text form is opaque and safe in a URL; it belongs to one filter and one
/// order, and is refused with another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageCursor {
    order: Order,
    filter: u32,
    /// Which of the filter's terms is walked. It was the rarest when the first page was made; to
    /// count again for each page would cost more than the page.
    term: usize,
    position: Position,
}

/// One page of tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenPage {
    /// The tokens, in order. A page may be short, or empty, and not be the last: then much had to
    /// be looked at that did not match.
    pub tokens: Vec<Token>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageCursor>,
    /// How many records were looked at.
    pub examined: u64,
    /// How many of them could not be read; the log names them.
    pub unreadable: u64,
}

/// The most records that one page may cost.
const MOST_EXAMINED: u64 = 10_000;
/// How many records are asked of the store at a time, at most.
const AT_ONCE: usize = 1_000;
const EVERY_ID: RangeInclusive<TokenId> =
    TokenId::from_bytes([0; 16])..=TokenId::from_bytes([u8::MAX; 16]);

impl Paging {
    /// The most tokens in a page.
    pub const MOST: usize = 1_000;

    /// Pages of so many tokens, brought into 1 to [`Paging::MOST`], the newest first.
    pub fn new(limit: usize) -> Self {
        Self { order: Order::NewestFirst, limit: limit.clamp(1, Self::MOST), after: None }
    }

    /// The next to expire first: exact where records are retained for a fixed time, and to a minute
    /// with the usual retention.
    pub fn expiring_soonest(self) -> Self {
        Self { order: Order::NextToExpire, ..self }
    }

    /// Goes on where a page ended.
    pub fn after(self, cursor: Option<PageCursor>) -> Self {
        Self { after: cursor, ..self }
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self::new(100)
    }
}

impl TokenManager {
    /// A token by its id, in whatever state it is.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn get(&self, id: TokenId) -> Result<Token, Error> {
        let (loaded, record) = self.load(id).await?;
        Ok(record.into_token(&loaded))
    }

    /// One page of the tokens that match a filter.
    ///
    /// A filter that names a subject, a client, a device, a family, an app, a tag or a label walks
    /// the tokens that are listed under the rarest of them; one that names the start of an id looks
    /// there, newest first. One that names none of these walks every token of the store, page by
    /// page: [`Filter::uses_index`] tells.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the filter or the cursor does not hold; [`Error::Store`].
    pub async fn list(&self, filter: &Filter, paging: Paging) -> Result<TokenPage, Error> {
        filter.check()?;
        let Paging { order, limit, after } = paging;
        let fingerprint = filter.fingerprint();
        let Plan { terms, lane, ids } = filter.plan(self.inner.store.namespace());
        if after.as_ref().is_some_and(|cursor| !cursor.belongs_to(fingerprint, order, &terms)) {
            let rule = "it belongs to another filter or another order";
            return Err(
                InvalidValue::new(Field::Cursor, InvalidReason::Contradiction { rule }).into()
            );
        }
        let place = match &after {
            Some(cursor) => cursor.term,
            None => self.rarest(&terms, lane).await?,
        };
        let term = match terms.get(place) {
            Some(term) => *term,
            // A filter without terms walks every token.
            None => self.inner.store.namespace().all(),
        };
        let ids = ids.unwrap_or(EVERY_ID);
        let after = after.map(|cursor| cursor.position).or_else(|| above(&ids, order));
        let mut query = Query { term, lane, order, after, limit };
        let now = self.now();
        let mut page = TokenPage { tokens: Vec::new(), next: None, examined: 0, unreadable: 0 };
        let cursor = |position| PageCursor { order, filter: fingerprint, term: place, position };
        loop {
            // Where few match, a larger step costs fewer round trips.
            let grown = if page.examined == 0 { limit + 1 } else { AT_ONCE };
            query.limit = grown.min(AT_ONCE);
            let found = self.inner.store.query(&query).await?;
            let last = found.records.len();
            for (place, loaded) in found.records.iter().enumerate() {
                if order == Order::NewestFirst && loaded.id < *ids.start() {
                    return Ok(page);
                }
                page.examined += 1;
                let token = match token_of(loaded) {
                    Ok(token) => token,
                    // One record that cannot be read must not hide all the others.
                    Err(error) => {
                        tracing::error!(token = %loaded.id, %error, "a record cannot be read");
                        page.unreadable += 1;
                        continue;
                    }
                };
                if !filter.matches(&token, now) {
                    continue;
                }
                page.tokens.push(token);
                if page.tokens.len() == limit {
                    let more = place + 1 < last || found.next.is_some();
                    page.next = more.then(|| cursor(Position::of(loaded)));
                    return Ok(page);
                }
            }
            match found.next {
                None => return Ok(page),
                Some(position) if page.examined >= MOST_EXAMINED => {
                    page.next = Some(cursor(position));
                    return Ok(page);
                }
                next => query.after = next,
            }
        }
    }

    /// How many tokens match a filter. It looks at all that the filter's terms list.
    ///
    /// # Errors
    /// As [`TokenManager::list`].
    pub async fn count(&self, filter: &Filter) -> Result<u64, Error> {
        let mut paging = Paging::new(Paging::MOST);
        let mut count = 0;
        loop {
            let page = self.list(filter, paging.clone()).await?;
            count += page.tokens.len() as u64;
            match page.next {
                Some(next) => paging.after = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// What happened to a token, the oldest first: its last eight changes, and its revocation.
    ///
    /// # Errors
    /// As [`TokenManager::get`].
    pub async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntry>, Error> {
        let (loaded, record) = self.load(id).await?;
        let changes = record.changes.iter().map(|change| HistoryEntry {
            at: change.at,
            by: change.by.clone(),
            reason: None,
            what: change.what,
        });
        let mut history: Vec<_> = changes.collect();
        if let Some(revocation) = record.into_token(&loaded).revocation {
            history.push(HistoryEntry {
                at: revocation.at,
                by: revocation.by,
                reason: revocation.reason,
                what: ChangeKind::Revoked(revocation.through),
            });
        }
        Ok(history)
    }

    /// Which of a filter's terms lists the fewest tokens. Terms of narrow fields come first and need
    /// no counting.
    async fn rarest(&self, terms: &[Term], lane: Option<Lane>) -> Result<usize, Error> {
        if terms.len() < 2 || terms.first().is_some_and(|first| !first.field().is_broad()) {
            return Ok(0);
        }
        let counts = terms.iter().map(|term| self.inner.store.count(*term, lane));
        let counts = try_join_all(counts).await?;
        Ok(counts.iter().enumerate().min_by_key(|(_, count)| **count).map_or(0, |(place, _)| place))
    }
}

/// Where a walk over a range of ids begins: newest first, above the last that can match.
fn above(ids: &RangeInclusive<TokenId>, order: Order) -> Option<Position> {
    let above = u128::from_be_bytes(*ids.end().as_bytes()).checked_add(1)?;
    let id = TokenId::from_bytes(above.to_be_bytes());
    (order == Order::NewestFirst).then_some(Position { keep_until_secs: 0, id })
}

impl PageCursor {
    /// Where a walk over everything ended, newest first, and under which of its terms.
    pub(in crate::manager) fn of_everything(term: usize, position: Position) -> Self {
        let filter = Filter::new().fingerprint();
        Self { order: Order::NewestFirst, filter, term, position }
    }

    /// Where to go on in such a walk.
    pub(in crate::manager) fn within_everything(&self) -> Result<(usize, Position), InvalidValue> {
        if *self == Self::of_everything(self.term, self.position) {
            return Ok((self.term, self.position));
        }
        let rule = "it belongs to a list, not to a walk over every record";
        Err(InvalidValue::new(Field::Cursor, InvalidReason::Contradiction { rule }))
    }

    fn belongs_to(&self, filter: u32, order: Order, terms: &[Term]) -> bool {
        // A filter without terms walks under the one that all tokens have.
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
