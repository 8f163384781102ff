//! Revoking again what a restored store has forgotten, at a store or at a server.

use keyfob_api::{LoggedRevocation, RecoverProgress};
use keyfob_server::recovery;

use super::either::Backend;
use super::server::check_actor;
use super::values::RevokeNote;
use crate::failure::Failure;

impl Backend {
    /// Applies revocations in their order, and calls `each` after each step. Returns the last progress.
    pub(crate) async fn recover(
        &self,
        revocations: Vec<LoggedRevocation>,
        dry_run: bool,
        mut each: impl FnMut(&RecoverProgress),
    ) -> Result<RecoverProgress, Failure> {
        match self {
            Self::Store(store) => {
                Ok(recovery::apply(store.manager(), &revocations, dry_run, each).await?)
            }
            Self::Server(server) => {
                let mut run = server.client().recover(revocations, dry_run);
                while let Some(line) = run.next().await? {
                    each(&line);
                }
                Ok(run.progress().clone())
            }
        }
    }

    /// Accepts the tokens again that the store refuses since it lost its last writes. Returns the number of
    /// lanes where it did.
    pub(crate) async fn accept_rollback(&self, note: &RevokeNote) -> Result<u16, Failure> {
        match self {
            Self::Store(store) => Ok(store.manager().accept_rollback(note.request()).await?),
            Self::Server(server) => {
                check_actor(note.by.as_ref())?;
                let reason = note.reason.clone();
                Ok(server.client().accept_rollback(reason).await?.accepted_lanes)
            }
        }
    }
}
