//! Revoking by a filter, at a store or at a server.

use keyfob::manager::PageCursor;
use keyfob::{Filter, manager};
use keyfob_api::revoke::RevokeFilter;
use keyfob_api::{RevokeProgress, RevokeTarget};
use keyfob_client::{Client, RevokeRun};

use super::either::Backend;
use super::server::check_actor;
use super::values::RevokeNote;
use crate::failure::Failure;

/// A run that revokes all tokens that match a filter.
#[derive(Debug)]
pub(crate) enum Sweep {
    Store(Box<manager::Sweep>),
    Server(Box<ServerSweep>),
}

/// A run at a server.
#[derive(Debug)]
pub(crate) struct ServerSweep {
    client: Client,
    filter: RevokeFilter,
    run: RevokeRun,
}

/// How far a run is.
#[derive(Clone, Debug, Default)]
pub(crate) struct SweepDone {
    pub(crate) revoked: u64,
    pub(crate) examined: u64,
    pub(crate) unreadable: u64,
    pub(crate) missing_lanes: Vec<u16>,
    /// Where to resume; `None` at the start, or nowhere.
    pub(crate) next: Option<String>,
}

impl Backend {
    /// Prepares a run. Nothing is done before [`Sweep::run`].
    pub(crate) fn sweep(
        &self,
        filter: Filter,
        note: &RevokeNote,
        resume: Option<PageCursor>,
        throttle: Option<u32>,
    ) -> Result<Sweep, Failure> {
        match self {
            Self::Store(store) => {
                let mut sweep = store.manager().sweep(filter, note.request());
                if let Some(cursor) = resume {
                    sweep = sweep.resume(cursor);
                }
                if let Some(per_second) = throttle {
                    sweep = sweep.throttle(per_second);
                }
                Ok(Sweep::Store(Box::new(sweep)))
            }
            Self::Server(server) => {
                check_actor(note.by.as_ref())?;
                let filter = RevokeFilter {
                    filter: filter.to_string(),
                    resume: resume.as_ref().map(ToString::to_string),
                    throttle,
                    ..RevokeFilter::default()
                };
                let client = server.client().clone();
                let run = client.revoke_matching(filter.clone(), note.reason.clone());
                Ok(Sweep::Server(Box::new(ServerSweep { client, filter, run })))
            }
        }
    }
}

impl Sweep {
    /// Counts the tokens that the run would revoke.
    pub(crate) async fn dry_run(&self) -> Result<u64, Failure> {
        match self {
            Self::Store(sweep) => Ok(sweep.dry_run().await?),
            Self::Server(sweep) => {
                let target = RevokeTarget::Filter(sweep.filter.clone());
                let answer = sweep.client.count_revocable(target).await?;
                Ok(answer.count.unwrap_or_default())
            }
        }
    }

    /// Revokes the tokens, and calls `each` after each page.
    pub(crate) async fn run(&mut self, mut each: impl FnMut(&SweepDone)) -> Result<(), Failure> {
        match self {
            Self::Store(sweep) => {
                sweep.run(|done| each(&done.into())).await?;
            }
            Self::Server(sweep) => {
                while let Some(line) = sweep.run.next().await? {
                    each(&(&line).into());
                }
            }
        }
        Ok(())
    }

    /// How far the run is.
    pub(crate) fn done(&self) -> SweepDone {
        match self {
            Self::Store(sweep) => sweep.progress().into(),
            Self::Server(sweep) => sweep.run.progress().map(SweepDone::from).unwrap_or_default(),
        }
    }
}

impl From<&manager::SweepProgress> for SweepDone {
    fn from(done: &manager::SweepProgress) -> Self {
        Self {
            revoked: done.revoked,
            examined: done.examined,
            unreadable: done.unreadable,
            missing_lanes: done.missing_lanes.iter().map(|lane| lane.number()).collect(),
            next: done.resume.cursor().as_ref().map(ToString::to_string),
        }
    }
}

impl From<&RevokeProgress> for SweepDone {
    fn from(line: &RevokeProgress) -> Self {
        Self {
            revoked: line.revoked,
            examined: line.examined,
            unreadable: line.unreadable,
            missing_lanes: line.missing_lanes.clone(),
            next: line.resume.clone(),
        }
    }
}
