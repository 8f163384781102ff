//! Accepting the tokens again that a store refuses since it lost its last writes.

use crate::codec;
use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_core::event::EventKind;

use super::request::RevokeRequest;

impl TokenManager {
    /// Accepts the tokens again that the store refuses since it was rolled back: since it lost its last writes.
    /// Returns the number of lanes where it did. Call it after all that was lost has been revoked again. The
    /// request says who accepts them and why; the event `keyfob.store.rollback_accepted` has it.
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer. It is safe to call again: another event is written
    /// then, about what was still refused.
    pub async fn accept_rollback(&self, request: impl Into<RevokeRequest>) -> Result<u16, Error> {
        let request = request.into();
        request.check()?;
        let Some(lost) = self.inner.store.rollback().await? else { return Ok(0) };
        let what = EventKind::RollbackAccepted {
            since: lost.since,
            noticed: lost.noticed,
            lanes: lost.lanes,
        };
        let event = codec::encode(&self.event_of((self.begin()?, 0), what, &request));
        let lanes = self.inner.store.accept_rollback(vec![event]).await?;
        self.notify_event_streams();
        Ok(lanes)
    }
}
