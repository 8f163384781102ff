//! Reading tokens: one by its id, many by a filter, the history of one.
//!
//! | module | what |
//! |---|---|
//! | `count` | how many tokens match a filter |
//! | `paging` | pages and cursors |
//! | `status_list` | the tokens that have their status in one list |
//! | `stats` | how many tokens there are, from counts that the store keeps |

mod count;
mod paging;
mod stats;
mod status_list;

use std::ops::RangeInclusive;
use std::time::Instant;

use futures_util::future::try_join_all;

pub use count::TokenCount;
pub use paging::{PageCursor, Paging, ResumeToken, TokenPage};

use crate::error::Error;
use crate::manager::{TokenManager, token_of};
use keyfob_core::field::Field;
use keyfob_core::filter::{Filter, Plan};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::namespace::Term;
use keyfob_core::token::{ChangeKind, HistoryEntry, Token};
use keyfob_store::{Loaded, Order, Position, Query, StoreError};

/// The maximum number of records that one page may read.
const MAX_EXAMINED: u64 = 10_000;
/// The maximum number of records that are asked of the store at a time.
const MAX_STEP: usize = 1_000;
/// The same, for a reader who waits only for a time: a step is not cut short.
const MAX_TIMED_STEP: usize = 500;
const EVERY_ID: RangeInclusive<TokenId> =
    TokenId::from_bytes([0; 16])..=TokenId::from_bytes([u8::MAX; 16]);

/// # Reading
///
/// These read what the store has. They do not use the cache, and record no use of a token.
impl TokenManager {
    /// Returns a token by its id, in every state.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let id = manager.issue(Grant::new(Kind::Session).subject("user123")).await?.token.id;
    /// let token = manager.get(id).await?;
    /// assert_eq!(token.kind, Kind::Session);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn get(&self, id: TokenId) -> Result<Token, Error> {
        let (loaded, record) = self.load(id).await?;
        Ok(record.into_token(&loaded))
    }

    /// Returns one page of the tokens that match a filter; see [`Paging`] for an example.
    ///
    /// A filter that names a subject, a client, a device, a family, an app, a tag or a label reads
    /// the tokens that are listed under the rarest of them. A filter that names the start of an id
    /// reads the tokens from there, newest first. A filter that names none of these reads every token
    /// of the store, page by page: see [`Filter::uses_index`].
    ///
    /// While some servers of the store cannot be reached, the page has the tokens of the others and
    /// names the lanes that are missing: [`TokenPage::missing_lanes`].
    ///
    /// # Errors
    /// [`Error::Invalid`] when the filter, the limit or the cursor is not valid; [`Error::Store`].
    pub async fn list(&self, filter: &Filter, paging: Paging) -> Result<TokenPage, Error> {
        filter.check()?;
        paging.check()?;
        let Paging { order, limit, after, max_time } = paging;
        let begun = Instant::now();
        let is_late = || max_time.is_some_and(|max| begun.elapsed() >= max.as_duration());
        let max_step = if max_time.is_some() { MAX_TIMED_STEP } else { MAX_STEP };
        let fingerprint = filter.fingerprint();
        let Plan { terms, lane, ids } = filter.plan(self.inner.store.namespace());
        if after.as_ref().is_some_and(|cursor| !cursor.belongs_to(fingerprint, order, &terms)) {
            let rule = "it belongs to another filter or another order";
            return Err(
                InvalidValue::new(Field::Cursor, InvalidReason::Contradiction { rule }).into()
            );
        }
        let term_position = match &after {
            Some(cursor) => cursor.term,
            None => self.rarest(&terms, lane).await?,
        };
        let term = match terms.get(term_position) {
            Some(term) => *term,
            // A filter without terms reads every token.
            None => self.inner.store.namespace().all(),
        };
        let ids = ids.unwrap_or(EVERY_ID);
        let after = after.map(|cursor| cursor.position).or_else(|| start_of(&ids, order));
        let mut query = Query { term, lane, order, after, limit };
        let now = self.now();
        let mut page = TokenPage {
            tokens: Vec::new(),
            next: None,
            examined: 0,
            unreadable: 0,
            missing_lanes: Vec::new(),
        };
        let cursor =
            |position| PageCursor { order, filter: fingerprint, term: term_position, position };
        loop {
            // Where few match, a larger step costs fewer round trips.
            let step = if page.examined == 0 { limit + 1 } else { max_step };
            query.limit = step.min(MAX_STEP);
            let found = self.inner.store.query(&query).await?;
            add_lanes(&mut page.missing_lanes, &found.missing);
            let last = found.records.len();
            for (index, loaded) in found.records.iter().enumerate() {
                if order == Order::NewestFirst && loaded.id < *ids.start() {
                    return Ok(page);
                }
                page.examined += 1;
                let Some(token) = readable(loaded) else {
                    page.unreadable += 1;
                    continue;
                };
                if !filter.matches(&token, now) {
                    continue;
                }
                page.tokens.push(token);
                if page.tokens.len() == limit {
                    let more = index + 1 < last || found.next.is_some();
                    page.next = more.then(|| cursor(Position::of(loaded)));
                    return Ok(page);
                }
            }
            match found.next {
                None => return Ok(page),
                Some(position) if page.examined >= MAX_EXAMINED || is_late() => {
                    page.next = Some(cursor(position));
                    return Ok(page);
                }
                next => query.after = next,
            }
        }
    }

    /// Returns the history of a token, the oldest change first: its last eight changes, and its
    /// revocation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let id = manager.issue(Grant::new(Kind::Session).subject("user123")).await?.token.id;
    /// manager.revoke(id, "user logout").await?;
    /// let history = manager.history(id).await?;
    /// assert_eq!(history.last().and_then(|entry| entry.reason.clone()).unwrap().as_str(), "user logout");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TokenManager::get`].
    pub async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntry>, Error> {
        let (loaded, record) = self.load(id).await?;
        let changes = record.changes.iter().map(|change| {
            let mut entry = HistoryEntry::new(change.at, change.what);
            entry.by.clone_from(&change.by);
            entry
        });
        let mut history: Vec<_> = changes.collect();
        if let Some(revocation) = record.into_token(&loaded).revocation {
            let what = ChangeKind::Revoked(revocation.through);
            let mut entry = HistoryEntry::new(revocation.at, what);
            (entry.by, entry.reason) = (revocation.by, revocation.reason);
            history.push(entry);
        }
        Ok(history)
    }

    /// The position of the term that lists about the fewest tokens. Terms of narrow fields come first and
    /// need no estimate.
    async fn rarest(&self, terms: &[Term], lane: Option<Lane>) -> Result<usize, Error> {
        if terms.len() < 2 || terms.first().is_some_and(|first| !first.field().is_broad()) {
            return Ok(0);
        }
        let sizes = terms.iter().map(async |term| {
            match self.inner.store.estimate(*term, lane).await {
                // The choice makes a list faster, not more complete.
                Err(StoreError::Unavailable { .. }) if lane.is_none() => Ok(u64::MAX),
                estimated => estimated,
            }
        });
        let sizes = try_join_all(sizes).await?;
        Ok(sizes
            .iter()
            .enumerate()
            .min_by_key(|(_, size)| **size)
            .map_or(0, |(position, _)| position))
    }
}

/// Returns the token of a record, if it can be read. One that cannot must not hide all the others.
fn readable(loaded: &Loaded) -> Option<Token> {
    token_of(loaded)
        .inspect_err(|error| tracing::error!(token = %loaded.id, %error, "a record cannot be read"))
        .ok()
}

/// Adds lanes to a list without repeating any.
pub(in crate::manager) fn add_lanes(all: &mut Vec<Lane>, lanes: &[Lane]) {
    all.extend_from_slice(lanes);
    all.sort_unstable();
    all.dedup();
}

/// Returns an error if lanes are missing.
pub(in crate::manager) fn check_complete(missing_lanes: &[Lane]) -> Result<(), StoreError> {
    if missing_lanes.is_empty() {
        return Ok(());
    }
    Err(StoreError::LanesUnreachable { lanes: missing_lanes.to_vec() })
}

/// Where a range of ids begins: newest first, above the last id that can match.
fn start_of(ids: &RangeInclusive<TokenId>, order: Order) -> Option<Position> {
    let above = u128::from_be_bytes(*ids.end().as_bytes()).checked_add(1)?;
    let id = TokenId::from_bytes(above.to_be_bytes());
    (order == Order::NewestFirst).then_some(Position { keep_until_secs: 0, id })
}
