//! Revocation of every token that a filter matches: with a dry run, progress, and resumption.
//!
//! An epoch revokes everything of a subject, a client or all in one step. A sweep is for what has no
//! epoch, such as a tag or a version of an app. It reads the matches page by page and revokes each.
//! So it may miss tokens that are issued while it runs: stop issuing them first, or sweep again
//! until a dry run counts none.

use std::time::Duration;

use crate::error::Error;
use crate::manager::read::{PageCursor, Paging, ResumeToken, add_lanes, check_complete};
use crate::manager::{RevokeRequest, TokenManager};
use keyfob_core::filter::Filter;
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::token::TokenState;
use keyfob_metrics::{RevocationTarget, SweepOutcome};
use keyfob_store::{Revoked, StoreError};

use futures_util::{StreamExt, TryStreamExt, stream};

/// A revocation of every token that a filter matches. [`TokenManager::sweep`] makes one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Filter, Grant, Kind, MemoryStore, TokenManager};
///
/// let manager = TokenManager::new(MemoryStore::new()?);
/// manager.issue(Grant::new(Kind::Access).subject("user123").tag("beta")).await?;
///
/// let mut sweep = manager.sweep(Filter::new().tag("beta"), "end of beta");
/// assert_eq!(sweep.dry_run().await?, 1);
/// let done = sweep.run(|progress| println!("{} revoked", progress.revoked)).await?;
/// assert_eq!(done.revoked, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sweep {
    manager: TokenManager,
    filter: Filter,
    request: RevokeRequest,
    per_second: Option<u32>,
    progress: SweepProgress,
}

/// The progress of a [`Sweep`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SweepProgress {
    /// The number of tokens that it has revoked.
    pub revoked: u64,
    /// The number of records that it has read.
    pub examined: u64,
    /// The number of records that it could not read, so that it does not know whether they match.
    /// They may still be active on a node that can read them. The log names them.
    pub unreadable: u64,
    /// The lanes of the store that could not be reached. Tokens in them may match and be active.
    pub missing_lanes: Vec<Lane>,
    /// Where to resume.
    pub resume: ResumeToken,
}

const PAGE_SIZE: usize = 100;
/// The states of the tokens that are revoked. Other tokens have ended.
const TO_REVOKE: [TokenState; 2] = [TokenState::Pending, TokenState::Active];
/// How many tokens are revoked at the same time.
const MAX_CONCURRENT: usize = 32;

/// # Revocation
impl TokenManager {
    /// Returns a sweep, which revokes every active or pending token that `filter` matches. Nothing
    /// is done before [`Sweep::run`]; see [`Sweep`] for an example.
    pub fn sweep(&self, filter: Filter, request: impl Into<RevokeRequest>) -> Sweep {
        Sweep {
            manager: self.clone(),
            filter,
            request: request.into(),
            per_second: None,
            progress: SweepProgress::default(),
        }
    }
}

impl Sweep {
    /// Revokes at most this number of tokens a second.
    pub fn throttle(mut self, per_second: u32) -> Self {
        self.per_second = Some(per_second.max(1));
        self
    }

    /// Resumes where an earlier sweep with the same filter stopped.
    pub fn resume(mut self, from: PageCursor) -> Self {
        self.progress.resume = ResumeToken::After(from);
        self
    }

    /// Counts the tokens that the sweep would revoke.
    ///
    /// # Errors
    /// As [`TokenManager::list`].
    pub async fn dry_run(&self) -> Result<u64, Error> {
        self.request.check()?;
        let mut after = self.progress.resume.cursor();
        if after.is_none() {
            self.filter.check()?;
            let to_revoke = self.filter.clone().and_states(&TO_REVOKE);
            let Some(to_revoke) = to_revoke else { return Ok(0) };
            return self.manager.count(&to_revoke).await;
        }
        let mut count = 0u64;
        loop {
            let paging = Paging::new(Paging::MAX_LIMIT).after(after);
            let page = self.manager.list(&self.filter, paging).await?;
            check_complete(&page.missing_lanes)?;
            count += page.tokens.iter().filter(|token| self.is_to_revoke(token)).count() as u64;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Revokes the tokens, and calls `on_progress` after each page.
    ///
    /// # Errors
    /// As [`TokenManager::revoke`]. Tokens that were revoked stay revoked. [`Sweep::progress`] has
    /// where to resume, and calling this again resumes there.
    ///
    /// [`StoreError::LanesUnreachable`] when some servers of the store cannot be reached. Then all matches
    /// on the others are revoked. Call this again when the servers are back: it begins at the start.
    pub async fn run(
        &mut self,
        on_progress: impl FnMut(&SweepProgress),
    ) -> Result<SweepProgress, Error> {
        let outcome = self.revoke_all(on_progress).await;
        let counted = if outcome.is_ok() { SweepOutcome::Finished } else { SweepOutcome::Failed };
        self.manager.inner.metrics.handles.sweeps.of(counted).increment(1);
        outcome
    }

    async fn revoke_all(
        &mut self,
        mut on_progress: impl FnMut(&SweepProgress),
    ) -> Result<SweepProgress, Error> {
        self.request.check()?;
        self.progress.missing_lanes.clear();
        while self.progress.resume != ResumeToken::Done {
            let paging = Paging::new(PAGE_SIZE).after(self.progress.resume.cursor());
            let page = self.manager.list(&self.filter, paging).await?;
            let ids =
                page.tokens.iter().filter(|token| self.is_to_revoke(token)).map(|token| token.id);
            let ids: Vec<_> = ids.collect();
            let started = tokio::time::Instant::now();
            let (manager, request) = (&self.manager, &self.request);
            let revoked = stream::iter(ids.iter().copied())
                .map(|id: TokenId| async move {
                    let target = RevocationTarget::Sweep;
                    match manager.revoke_record(id, request, target).await {
                        Ok(revoked) => Ok(Ok(revoked)),
                        // The others must not wait for a server that is away.
                        Err(Error::Store(
                            StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. },
                        )) => Ok(Err(id.lane())),
                        Err(error) => Err(error),
                    }
                })
                .buffer_unordered(MAX_CONCURRENT)
                .try_fold((0, Vec::new()), async |(count, mut missing), outcome| {
                    let is_revoked = matches!(outcome, Ok(Revoked::Now));
                    missing.extend(outcome.err());
                    Ok::<_, Error>((count + u64::from(is_revoked), missing))
                })
                .await?;
            let (revoked, unreachable) = revoked;
            self.progress.revoked += revoked;
            add_lanes(&mut self.progress.missing_lanes, &page.missing_lanes);
            add_lanes(&mut self.progress.missing_lanes, &unreachable);
            self.progress.examined += page.examined;
            self.progress.unreadable += page.unreadable;
            self.progress.resume = page.next.map_or(ResumeToken::Done, ResumeToken::After);
            on_progress(&self.progress);
            if let (Some(per_second), ResumeToken::After(_)) =
                (self.per_second, &self.progress.resume)
            {
                let share = Duration::from_secs_f64(ids.len() as f64 / f64::from(per_second));
                tokio::time::sleep_until(started + share).await;
            }
        }
        if !self.progress.missing_lanes.is_empty() {
            self.progress.resume = ResumeToken::Start;
        }
        check_complete(&self.progress.missing_lanes)?;
        Ok(self.progress.clone())
    }

    /// The progress until now.
    pub fn progress(&self) -> &SweepProgress {
        &self.progress
    }

    fn is_to_revoke(&self, token: &keyfob_core::token::Token) -> bool {
        TO_REVOKE.contains(&token.state(self.manager.now()))
    }
}
