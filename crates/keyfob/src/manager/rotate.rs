//! New secrets for API keys.
//!
//! An API key is in use at many places at once, so its secret does not ratchet: a fresh one is
//! drawn, and the one before stays good until their overlap ends. At most two are live. One that
//! comes back later than that is unknown, and nothing ends because of it.
//!
//! Whether the newest was ever used is written with its first use, before that is answered: a
//! newest that nobody has used is what the next rotation replaces, so that whoever still holds the
//! older one is not locked out by a rotation that was lost. Of a key whose first secret was never
//! used, it is that one: nobody needs it to overlap.

use super::TokenManager;
use super::issue::Issued;
use crate::bearer::BearerToken;
use crate::codec::{self, Change, Record, Secrets};
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::id::TokenId;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::rotation::SecretOverlap;
use crate::store::{Loaded, RecordVersion, Replace, Replaced};
use crate::text::Actor;
use crate::token::{ChangeKind, Kind, SecretUsed, TokenState};

/// How often a change is tried on a newer version before it is given up.
pub(super) const TRIES: usize = 16;

/// The first use of the newest secret of a key.
pub(super) struct FirstUse {
    id: TokenId,
    read: RecordVersion,
    record: Record,
}

impl FirstUse {
    /// That of a record of which this secret was presented; `None` if it is no first use.
    pub(super) fn of(loaded: &Loaded, record: &Record, secret: Option<SecretUsed>) -> Option<Self> {
        let is_unused = record.secrets.as_ref().is_some_and(|secrets| !secrets.is_used);
        let is_first = is_unused && secret == Some(SecretUsed::Newest);
        is_first.then(|| Self { id: loaded.id, read: loaded.version, record: record.clone() })
    }
}

impl TokenManager {
    /// Gives an API key a new secret. The one before stays good for as long as `overlap` says; an
    /// older one still ends now. A secret that was never used gives way to the new one, and the one
    /// before it, if there is one, stays.
    ///
    /// What was derived from the key lives on, whichever secret it was derived by. If a secret got
    /// out, revoke the key instead: that ends all that descends from it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, SecretOverlap, SecretUsed, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let old = manager.issue(Grant::new(Kind::ApiKey).client("acme")).await?;
    /// manager.validate_active(&old.bearer).await?;
    /// let new = manager.rotate(old.token.id, SecretOverlap::default(), None).await?;
    ///
    /// assert_eq!(manager.validate_active(&new.bearer).await?.secret, SecretUsed::Newest);
    /// // Who still uses the older one?
    /// let secret = manager.validate_active(&old.bearer).await?.secret;
    /// assert!(matches!(secret, SecretUsed::Older { .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotRotatable`] for another kind of token; [`Error::Ended`] when
    /// the key is over; [`Error::Contended`]; [`Error::Store`]: then a new secret may have been
    /// stored that nobody knows, which the next rotation replaces.
    pub async fn rotate(
        &self,
        id: TokenId,
        overlap: SecretOverlap,
        by: Option<Actor>,
    ) -> Result<Issued, Error> {
        for _ in 0..TRIES {
            let (loaded, mut record) = self.load(id).await?;
            if record.kind != Kind::ApiKey {
                return Err(Error::NotRotatable { id, kind: record.kind });
            }
            let now = self.now();
            let state = record.clone().into_token(&loaded).state(now);
            if !matches!(state, TokenState::Active | TokenState::Pending) {
                return Err(Error::Ended { id, state });
            }
            let Some(generation) = record.generation.next() else {
                let allowed = "fewer than 238328 secrets in the life of a key: issue another key";
                return Err(
                    InvalidValue::new("generation", InvalidReason::OutOfRange { allowed }).into()
                );
            };
            let inner = &*self.inner;
            let bearer =
                BearerToken::draw(&inner.prefix, Kind::ApiKey, id, generation, &*inner.random)?;
            let secrets = Secrets::after(record.secrets.as_ref(), record.digest, now, overlap);
            let older_until = secrets.older.as_ref().map(|older| older.until);
            record.secrets = Some(secrets);
            record.digest = bearer.digest();
            record.generation = generation;
            record.remember(Change { at: now, by: by.clone(), what: ChangeKind::SecretReplaced });
            let operation = self.begin()?;
            let generation = generation.number();
            let what = EventKind::SecretReplaced { token: id, generation, older_until };
            let event = Event::new(operation.id, 0, now, what).by(by.clone());
            let replace = Replace {
                events: vec![codec::encode(&event)],
                ..Replace::new(id, loaded.version, codec::encode(&record))
            };
            match inner.store.replace(operation, replace).await? {
                Replaced::Stored(_) => {
                    self.notify_event_streams();
                    self.inner.metrics.handles.api_key_rotations.increment(1);
                    return Ok(Issued { token: record.into_token(&loaded), bearer });
                }
                Replaced::Missing => return Err(Error::NotFound { id }),
                Replaced::Ended => return Err(Error::Ended { id, state: TokenState::Revoked }),
                Replaced::Stale | Replaced::IdTaken => {}
            }
        }
        Err(Error::Contended { id })
    }

    /// Writes that the newest secret was used; `false` if the record has changed since it was read.
    pub(super) async fn note_first_use(&self, first_use: FirstUse) -> Result<bool, Error> {
        let FirstUse { id, read, mut record } = first_use;
        if let Some(secrets) = &mut record.secrets {
            secrets.is_used = true;
        }
        let operation = self.begin()?;
        let replace = Replace::new(id, read, codec::encode(&record));
        let replaced = self.inner.store.replace(operation, replace).await?;
        Ok(matches!(replaced, Replaced::Stored(_)))
    }
}
