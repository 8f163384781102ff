//! Changing a stored record: read it, edit it, and replace it on the version that was read.

use super::TokenManager;
use super::issue::terms_of;
use crate::codec::{self, Change, Record};
use crate::error::Error;
use keyfob_core::event::{Event, EventKind};
use keyfob_core::id::TokenId;
use keyfob_core::text::{Actor, Subject};
use keyfob_core::time::Timestamp;
use keyfob_core::token::{ChangeKind, Token, TokenState};
use keyfob_store::{Loaded, Operation, Replace, Replaced};

/// How often a change is tried on a newer version of a record before [`Error::Contended`].
pub(super) const RETRY_LIMIT: usize = 16;

/// What an edit of a record was.
pub(super) struct Edit<T> {
    /// How the history calls it.
    pub(super) change: ChangeKind,
    pub(super) event: EventKind,
    /// What the caller wants to know about it.
    pub(super) output: T,
}

impl TokenManager {
    /// Edits a token's record, and again on a newer version if others change it at the same time. No
    /// change of theirs is lost.
    ///
    /// `edit` may be called several times. The history, the event and the terms that the edit adds
    /// are written in the same step as the record.
    pub(super) async fn modify<T>(
        &self,
        id: TokenId,
        by: Option<&Actor>,
        mut edit: impl FnMut(&Loaded, &mut Record, Timestamp) -> Result<Edit<T>, Error>,
    ) -> Result<(Token, T), Error> {
        let namespace = self.inner.store.namespace();
        for _ in 0..RETRY_LIMIT {
            let (loaded, mut record) = self.load(id).await?;
            let now = self.now();
            let terms_before = terms_of(namespace, &record);
            let Edit { change, event, output } = edit(&loaded, &mut record, now)?;
            record.remember(Change { at: now, by: by.cloned(), what: change });
            let mut added_terms = terms_of(namespace, &record);
            added_terms.retain(|term| !terms_before.contains(term));
            let operation = self.begin()?;
            let replace = Replace {
                added_terms,
                events: vec![encode_event(&operation, 0, now, by, event)],
                ..Replace::of(&loaded, codec::encode(&record))
            };
            match self.inner.store.replace(operation, replace).await? {
                Replaced::Stored(_) => {
                    self.notify_event_streams();
                    return Ok((record.into_token(&loaded), output));
                }
                Replaced::Missing => return Err(Error::NotFound { id }),
                Replaced::Ended => return Err(Error::Ended { id, state: TokenState::Revoked }),
                Replaced::Stale | Replaced::IdTaken => {}
            }
        }
        Err(Error::Contended { id })
    }
}

/// Returns the bytes of an event, which is the one at `position` of its operation.
pub(super) fn encode_event(
    operation: &Operation,
    position: usize,
    at: Timestamp,
    by: Option<&Actor>,
    what: EventKind,
) -> Vec<u8> {
    codec::encode(&Event::new(operation.id, position, at, what).by(by.cloned()))
}

/// Checks that a token is pending or active, so that it can be changed.
pub(super) fn check_live(loaded: &Loaded, record: &Record, now: Timestamp) -> Result<(), Error> {
    match record.clone().into_token(loaded).state(now) {
        TokenState::Active | TokenState::Pending => Ok(()),
        state => Err(Error::Ended { id: loaded.id, state }),
    }
}

/// Checks that a token belongs to a subject. To another subject, it is as if it did not exist.
pub(super) fn check_owner(id: TokenId, record: &Record, owner: &Subject) -> Result<(), Error> {
    if record.subject.as_ref() == Some(owner) { Ok(()) } else { Err(Error::NotFound { id }) }
}
