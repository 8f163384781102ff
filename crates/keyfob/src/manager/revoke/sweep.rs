//! Revoking everything that a filter matches: counted first, with progress, and resumable.
//!
//! An epoch takes back everything of a subject, a client or all in one step; a sweep is for what has
//! no epoch, such as a tag or a version of an app. It walks the matches page by page and revokes
//! each, so tokens that are issued while it runs may be missed: stop issuing them first, or sweep
//! again until a dry run counts none.

use std::time::Duration;

use crate::error::Error;
use crate::filter::Filter;
use crate::manager::read::PageCursor;
use crate::manager::{Paging, RevokeRequest, TokenManager};
use crate::metrics::{RevocationTarget, SweepOutcome};
use crate::store::Revoked;
use crate::token::TokenState;

use futures_util::{StreamExt, TryStreamExt, stream};

/// A revocation of everything that a filter matches.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Filter, Grant, Kind, MemoryStore, TokenManager, RevokeRequest};
///
/// let manager = TokenManager::new(MemoryStore::new()?);
/// manager.issue(Grant::new(Kind::Access).subject("user123").tag("beta")).await?;
///
/// let mut sweep = manager.sweep(Filter::new().tag("beta"), RevokeRequest::reason("end of beta"));
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
    why: RevokeRequest,
    per_second: Option<u32>,
    done: SweepProgress,
}

/// How far a sweep has got.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SweepProgress {
    /// How many tokens it has revoked.
    pub revoked: u64,
    /// How many records it has looked at.
    pub examined: u64,
    /// How many records it could not read, and so could not tell whether they match. They may still
    /// be good on a node that can read them; the log names them.
    pub unreadable: u64,
    /// What is left to do.
    pub rest: ResumeToken,
}

/// What a sweep has left to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ResumeToken {
    /// All of it: no page is done yet.
    #[default]
    Everything,
    /// What comes after this.
    After(PageCursor),
    /// Nothing.
    Nothing,
}

const PAGE: usize = 100;
const AT_ONCE: usize = 32;

impl TokenManager {
    /// Prepares to revoke everything that `filter` matches and that is not over already. Nothing
    /// is done before [`Sweep::run`].
    pub fn sweep(&self, filter: Filter, why: RevokeRequest) -> Sweep {
        Sweep {
            manager: self.clone(),
            filter,
            why,
            per_second: None,
            done: SweepProgress::default(),
        }
    }
}

impl ResumeToken {
    /// Where to resume, if not at the beginning or not at all.
    pub fn cursor(&self) -> Option<PageCursor> {
        match self {
            Self::After(cursor) => Some(cursor.clone()),
            Self::Everything | Self::Nothing => None,
        }
    }
}

impl Sweep {
    /// Revokes no more than so many tokens in a second.
    pub fn throttle(mut self, per_second: u32) -> Self {
        self.per_second = Some(per_second.max(1));
        self
    }

    /// Goes on where an earlier sweep with the same filter stopped.
    pub fn resume(mut self, from: PageCursor) -> Self {
        self.done.rest = ResumeToken::After(from);
        self
    }

    /// How many tokens would be revoked.
    ///
    /// # Errors
    /// As [`TokenManager::list`].
    pub async fn dry_run(&self) -> Result<u64, Error> {
        self.why.check()?;
        let mut after = self.done.rest.cursor();
        let mut count = 0u64;
        loop {
            let paging = Paging::new(Paging::MOST).after(after);
            let page = self.manager.list(&self.filter, paging).await?;
            count += page.tokens.iter().filter(|token| self.is_due(token)).count() as u64;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Revokes them, and tells `progress` after each page.
    ///
    /// # Errors
    /// As [`TokenManager::revoke`]. What was done is done: [`Sweep::progress`] says where to resume,
    /// and so does this sweep when it is run again.
    pub async fn run(
        &mut self,
        progress: impl FnMut(&SweepProgress),
    ) -> Result<SweepProgress, Error> {
        let outcome = self.go_on(progress).await;
        let told = if outcome.is_ok() { SweepOutcome::Finished } else { SweepOutcome::Failed };
        self.manager.inner.metrics.handles.sweeps.of(told).increment(1);
        outcome
    }

    async fn go_on(
        &mut self,
        mut progress: impl FnMut(&SweepProgress),
    ) -> Result<SweepProgress, Error> {
        self.why.check()?;
        while self.done.rest != ResumeToken::Nothing {
            let paging = Paging::new(PAGE).after(self.done.rest.cursor());
            let page = self.manager.list(&self.filter, paging).await?;
            let due = page.tokens.iter().filter(|token| self.is_due(token)).map(|token| token.id);
            let due: Vec<_> = due.collect();
            let started = tokio::time::Instant::now();
            let revoked = stream::iter(&due)
                .map(|id| self.manager.revoke_record(*id, &self.why, RevocationTarget::Sweep))
                .buffer_unordered(AT_ONCE)
                .try_fold(0, async |count, revoked| {
                    Ok(count + u64::from(matches!(revoked, Revoked::Now)))
                })
                .await?;
            self.done.revoked += revoked;
            self.done.examined += page.examined;
            self.done.unreadable += page.unreadable;
            self.done.rest = page.next.map_or(ResumeToken::Nothing, ResumeToken::After);
            progress(&self.done);
            if let (Some(per_second), ResumeToken::After(_)) = (self.per_second, &self.done.rest) {
                let share = Duration::from_secs_f64(due.len() as f64 / f64::from(per_second));
                tokio::time::sleep_until(started + share).await;
            }
        }
        Ok(self.done.clone())
    }

    /// How far the sweep has got.
    pub fn progress(&self) -> &SweepProgress {
        &self.done
    }

    fn is_due(&self, token: &crate::token::Token) -> bool {
        matches!(token.state(self.manager.now()), TokenState::Active | TokenState::Pending)
    }
}
