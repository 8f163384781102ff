//! Drawing the id and the secret of a new token, and storing it.

use super::new_token::{Issued, NewToken};
use super::prepare::Prepared;
use super::repeatable::Repeatable;
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::modify::encode_event;
use crate::manager::refresh::RefreshRecord;
use keyfob_core::bearer::ratchet::Ratchet;
use keyfob_core::bearer::{BearerToken, Generation};
use keyfob_core::id::FamilyId;
use keyfob_core::random::Random;
use keyfob_core::token::Kind;
use keyfob_store::{ClearFields, Epochs, Insert, Inserted, Operation, Stamp, StoreError};

/// The maximum number of ids to try. More collisions mean that the source of randomness is broken.
pub(in crate::manager) const DRAW_LIMIT: usize = 4;

/// A new token with its id and its secret, and the change of the store that stores it.
pub(in crate::manager) struct Draft {
    pub(in crate::manager) operation: Operation,
    pub(in crate::manager) insert: Insert,
    pub(in crate::manager) new: NewToken,
}

impl TokenManager {
    /// Creates a new token and stores it. Retries with another id if the id is taken.
    ///
    /// # Errors
    /// [`Error::Superseded`] when the parent token, or everything of the subject, was revoked in
    /// the meantime; [`Error::Store`].
    pub(super) async fn store_new(&self, prepared: &Prepared) -> Result<Issued, Error> {
        self.check_still_kept(prepared)?;
        for _ in 0..DRAW_LIMIT {
            let Draft { operation, insert, new } = self.draft(prepared)?;
            let epochs = new.epochs_to_remember(&insert);
            let inserted = self.inner.store.insert(operation, insert).await?;
            if let Inserted::Stored(stamp) = inserted {
                self.remember_refresh_record(&new, epochs, stamp);
                return Ok(self.finish(new));
            }
            if let Some(issued) = self.issued_before(prepared).await? {
                return Ok(issued);
            }
            if inserted == Inserted::Superseded {
                return Err(Error::Superseded);
            }
        }
        Err(no_free_id())
    }

    /// Draws a new token, which the caller stores.
    pub(in crate::manager) fn draft(&self, prepared: &Prepared) -> Result<Draft, Error> {
        let operation = self.begin()?;
        let new = self.draw(prepared)?;
        let (at, by) = (prepared.now, prepared.by.as_ref());
        let insert = Insert {
            records: vec![new.to_record(self.inner.store.namespace())],
            events: vec![encode_event(&operation, 0, at, by, new.issued_event())],
        };
        Ok(Draft { operation, insert, new })
    }

    /// Announces that a new token is stored, and returns what its owner gets.
    pub(in crate::manager) fn finish(&self, new: NewToken) -> Issued {
        self.notify_event_streams();
        self.count_issued(new.record.kind);
        new.into_issued()
    }

    /// Draws the id and the secret of a new token.
    pub(super) fn draw(&self, prepared: &Prepared) -> Result<NewToken, Error> {
        let inner = &*self.inner;
        let mut record = prepared.record.clone();
        let namespace = inner.store.namespace();
        let (at, lane) = (prepared.now, prepared.lane);
        let repeated = prepared.repeatable.as_ref().map(Repeatable::token_random);
        let (id, random): (_, &dyn Random) = match &repeated {
            Some(random) => (namespace.draw_shared_id(at, lane, random)?, random),
            None => (namespace.draw_id(at, lane, &*inner.random)?, &*inner.random),
        };
        let bearer = if record.kind == Kind::Refresh {
            let (ratchet, bearer) = Ratchet::draw(&inner.prefix, id, random)?;
            record.ratchet = Some(ratchet);
            bearer
        } else if let Some(key) = &prepared.bearer_key {
            key.bearer(&inner.prefix, record.kind, id)?
        } else {
            BearerToken::draw(&inner.prefix, record.kind, id, Generation::FIRST, random)?
        };
        record.digest = bearer.digest();
        if prepared.is_root {
            // The epoch of the family also revokes its root.
            record.family = Some(FamilyId::from_root(id));
            record.ancestors.push(id);
        }
        let &Prepared { keep_until, uses_left, stamp, .. } = prepared;
        Ok(NewToken { id, bearer, record, keep_until, uses_left, stamp })
    }

    /// Remembers the record of a refresh token that was just stored, so that the first rotation
    /// does not have to read it.
    pub(super) fn remember_refresh_record(
        &self,
        new: &NewToken,
        epochs: Option<Epochs>,
        stamp: Stamp,
    ) {
        if let Some(epochs) = epochs {
            let NewToken { id, keep_until, uses_left, .. } = *new;
            let clear = ClearFields { stamp, keep_until, uses_left, epochs };
            self.inner.refresh_records.put(RefreshRecord::fresh(id, clear, new.record.clone()));
        }
    }

    pub(in crate::manager) fn count_issued(&self, kind: Kind) {
        self.inner.metrics.handles.tokens_issued.of(kind).increment(1);
        self.start_metrics_publisher();
    }
}

/// Returns the error for the case that every new id is in use.
pub(in crate::manager) fn no_free_id() -> Error {
    let detail = "every new id is already in use. Check the source of randomness";
    StoreError::unavailable(detail).into()
}
