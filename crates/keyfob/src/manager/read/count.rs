//! How many tokens match a filter.
//!
//! Most filters that are counted name one value of the index, and perhaps kinds and states. For these
//! the heads of the records are enough: they say whether a token is revoked, and in which span of time
//! it ends. Only the tokens that end in the present span are loaded.

use std::pin::pin;

use futures_util::{StreamExt, stream};

use super::{MAX_STEP, Paging, add_lanes, check_complete, readable};
use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_core::filter::{Filter, HeadConditions, Plan};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::time::Timestamp;
use keyfob_core::token::TokenState;
use keyfob_store::{Order, Query, RecordHead, StoreError};

/// The maximum number of heads that are asked of the store at a time.
const MAX_HEADS: usize = 4_000;
/// How many tokens are loaded at the same time.
const MAX_CONCURRENT: usize = 64;
/// If more than one in this many heads leaves a token undecided, reading all records takes less time.
const MIN_DECIDED: usize = 4;

/// How many tokens match a filter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct TokenCount {
    /// The number of tokens that were found.
    pub count: u64,
    /// The lanes of the store that could not be reached. The tokens in them are not counted.
    pub missing_lanes: Vec<Lane>,
}

/// # Reading
impl TokenManager {
    /// Counts the tokens that match a filter.
    ///
    /// A filter that names one subject, client, family, device, app, tag or label, or none of these, and
    /// otherwise only kinds and states, is answered from the index and from the heads of the records. A
    /// record that cannot be read, for want of its key for example, is then counted as well. Every other
    /// filter reads each token that the rarest of its terms lists.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Filter, Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.issue(Grant::new(Kind::Session).subject("user123").tag("beta")).await?;
    /// assert_eq!(manager.count(&Filter::new().tag("beta")).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TokenManager::list`]; [`Error::Store`] also when some servers of the store cannot be reached.
    pub async fn count(&self, filter: &Filter) -> Result<u64, Error> {
        let TokenCount { count, missing_lanes } = self.count_reachable(filter).await?;
        check_complete(&missing_lanes)?;
        Ok(count)
    }

    /// Counts the tokens that match a filter on the servers of the store that can be reached. It names the
    /// lanes that are missing.
    ///
    /// # Errors
    /// As [`TokenManager::list`].
    pub async fn count_reachable(&self, filter: &Filter) -> Result<TokenCount, Error> {
        filter.check()?;
        match filter.head_conditions() {
            Some(conditions) => self.count_by_heads(filter, conditions).await,
            None => self.count_listed(filter).await,
        }
    }

    async fn count_listed(&self, filter: &Filter) -> Result<TokenCount, Error> {
        let (mut found, mut paging) = (TokenCount::default(), Paging::new(Paging::MAX_LIMIT));
        loop {
            let page = self.list(filter, paging.clone()).await?;
            found.count += page.tokens.len() as u64;
            add_lanes(&mut found.missing_lanes, &page.missing_lanes);
            match page.next {
                Some(next) => paging.after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn count_by_heads(
        &self,
        filter: &Filter,
        conditions: HeadConditions<'_>,
    ) -> Result<TokenCount, Error> {
        let store = &self.inner.store;
        let Plan { terms, lane, .. } = filter.plan(store.namespace());
        let term = terms.first().copied().unwrap_or_else(|| store.namespace().all());
        let order = Order::NewestFirst;
        let mut query = Query { term, lane, order, after: None, limit: MAX_HEADS };
        let (mut found, mut are_heads_enough) = (TokenCount::default(), true);
        loop {
            let next = if are_heads_enough {
                let page = store.heads(&query).await?;
                let now = self.now();
                let (mut matching, mut undecided) = (0, Vec::new());
                for head in &page.records {
                    match matches(head, conditions, now) {
                        Some(is_match) => matching += u64::from(is_match),
                        None => undecided.push(head.id),
                    }
                }
                if undecided.len() * MIN_DECIDED > page.records.len() {
                    are_heads_enough = false;
                    continue;
                }
                found.count += matching;
                self.count_loaded(filter, undecided, &mut found).await?;
                add_lanes(&mut found.missing_lanes, &page.missing);
                page.next
            } else {
                query.limit = MAX_STEP;
                let page = store.query(&query).await?;
                let now = self.now();
                let tokens = page.records.iter().filter_map(readable);
                found.count += tokens.filter(|token| filter.matches(token, now)).count() as u64;
                add_lanes(&mut found.missing_lanes, &page.missing);
                page.next
            };
            match next {
                Some(next) => query.after = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// Adds the tokens with these ids that match.
    async fn count_loaded(
        &self,
        filter: &Filter,
        ids: Vec<TokenId>,
        found: &mut TokenCount,
    ) -> Result<(), Error> {
        let loads = stream::iter(ids).map(async |id| (id, self.inner.store.load(id).await));
        let mut loads = pin!(loads.buffer_unordered(MAX_CONCURRENT));
        while let Some((id, loaded)) = loads.next().await {
            let token = match loaded {
                Ok(loaded) => loaded.as_ref().and_then(readable),
                Err(StoreError::Unavailable { .. }) => {
                    add_lanes(&mut found.missing_lanes, &[id.lane()]);
                    continue;
                }
                Err(
                    error @ (StoreError::Unverifiable { .. }
                    | StoreError::Corrupt { .. }
                    | StoreError::NewerFormat { .. }),
                ) => {
                    tracing::error!(token = %id, %error, "a record cannot be read");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            found.count += u64::from(token.is_some_and(|it| filter.matches(&it, self.now())));
        }
        Ok(())
    }
}

/// Returns whether the token of a record matches; `None` if its head does not say.
fn matches(head: &RecordHead, conditions: HeadConditions<'_>, now: Timestamp) -> Option<bool> {
    let (kinds, states) = (conditions.kinds(), conditions.states());
    let kind = head.counted_in.map(|bucket| bucket.kind);
    let takes_kind = if kinds.is_empty() { Some(true) } else { kind.map(|it| kinds.contains(&it)) };
    let takes_state = match states.is_empty() {
        true => Some(true),
        false => state(head, now).map(|state| states.contains(&state)),
    };
    // The terms of a record change only together with its body, which counts up its version.
    let is_listed = (!conditions.may_have_changed() || head.version.0 == 1).then_some(true);
    let answers = [takes_kind, takes_state, is_listed];
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    answers.into_iter().all(|answer| answer == Some(true)).then_some(true)
}

/// Returns the state of the token of a record; `None` if its head does not say.
fn state(head: &RecordHead, now: Timestamp) -> Option<TokenState> {
    if head.is_refused {
        return Some(TokenState::Revoked);
    }
    if head.uses_left == Some(0) {
        return Some(TokenState::Exhausted);
    }
    let bucket = head.counted_in?;
    if bucket.end.to() <= now {
        return Some(TokenState::Expired);
    }
    if bucket.end.from() <= now {
        return None;
    }
    match bucket.start {
        Some(start) if now < start.from() => Some(TokenState::Pending),
        Some(start) if now < start.to() => None,
        _ => Some(TokenState::Active),
    }
}
