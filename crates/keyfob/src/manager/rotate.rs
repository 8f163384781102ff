//! New secrets for API keys.
//!
//! An API key is used from many machines at the same time, so its secret does not ratchet: a fresh
//! secret is drawn, and the previous secret stays valid until their overlap ends. At most two
//! secrets are good at a time. One that comes back later than that is unknown, and nothing ends
//! because of it.
//!
//! The first use of the newest secret is written before it is answered, so that the record says
//! whether it was ever used. The next rotation replaces a newest secret that was never used. So a
//! rotation that was lost does not lock out the holder of the older secret. A first secret that was
//! never used is replaced in the same way: nothing needs it to overlap.

use super::TokenManager;
use super::issue::Issued;
use super::modify::{Edit, check_live, check_owner};
use super::requester::Requester;
use crate::codec::{self, Record, Secrets};
use crate::error::Error;
use keyfob_core::bearer::BearerToken;
use keyfob_core::event::EventKind;
use keyfob_core::field::Field;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::rotation::SecretOverlap;
use keyfob_core::text::{Actor, Subject};
use keyfob_core::token::{ChangeKind, Kind, SecretUsed};
use keyfob_store::{ClearFields, Loaded, RecordVersion, Replace, Replaced};

/// The options of a rotation, and its actor.
///
/// A [`SecretOverlap`] is a request that names no actor.
#[derive(Clone, Debug, Default)]
pub struct RotateRequest {
    overlap: SecretOverlap,
    requester: Requester,
}

impl RotateRequest {
    /// Creates a request with the default overlap, which names no actor.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets for how long the previous secret stays valid.
    pub fn overlap(self, overlap: SecretOverlap) -> Self {
        Self { overlap, ..self }
    }

    /// Names the person or service that asks, for the event and the history.
    pub fn by(self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        Self { requester: self.requester.by(actor), ..self }
    }

    /// Checks that every given part is valid.
    ///
    /// # Errors
    /// The first part that is not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.requester.check()
    }
}

impl From<SecretOverlap> for RotateRequest {
    fn from(overlap: SecretOverlap) -> Self {
        Self::new().overlap(overlap)
    }
}

/// The first use of the newest secret of a key.
pub(super) struct FirstUse {
    id: TokenId,
    read: RecordVersion,
    clear: ClearFields,
    record: Record,
}

impl FirstUse {
    /// Returns the first use that presenting this secret is; `None` if it is no first use.
    pub(super) fn of(loaded: &Loaded, record: &Record, secret: Option<SecretUsed>) -> Option<Self> {
        let is_unused = record.secrets.as_ref().is_some_and(|secrets| !secrets.is_used);
        let is_first = is_unused && secret == Some(SecretUsed::Newest);
        is_first.then(|| Self {
            id: loaded.id,
            read: loaded.version,
            clear: loaded.clear_fields(),
            record: record.clone(),
        })
    }

    /// Returns the record after the use.
    pub(super) fn record(self) -> Record {
        let Self { mut record, .. } = self;
        if let Some(secrets) = &mut record.secrets {
            secrets.is_used = true;
        }
        record
    }
}

impl TokenManager {
    /// Gives an API key a new secret.
    ///
    /// The previous secret stays valid for the overlap that is asked for; an older one still ends
    /// now. A secret that was never used is replaced, and the one before it, if there is one,
    /// stays.
    ///
    /// Tokens derived from the key stay valid, with either secret. If a secret was stolen, revoke
    /// the key instead: that ends all that descends from it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::token::SecretUsed;
    /// # use keyfob::{Grant, Kind, MemoryStore, RotateRequest, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let old = manager.issue(Grant::new(Kind::ApiKey).client("acme")).await?;
    /// manager.validate_active(&old.bearer).await?;
    /// let new = manager.rotate(old.token.id, RotateRequest::new().by("ops")).await?;
    ///
    /// assert_eq!(manager.validate_active(&new.bearer).await?.secret, SecretUsed::Newest);
    /// // Which clients still use the older one?
    /// let secret = manager.validate_active(&old.bearer).await?.secret;
    /// assert!(matches!(secret, SecretUsed::Older { .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotRotatable`] for another kind of token; [`Error::Ended`] when
    /// the key is neither pending nor active; [`Error::Invalid`] when the request is not valid;
    /// [`Error::Contended`]; [`Error::Store`]: then a new secret may have been stored that no client
    /// knows, which the next rotation replaces.
    pub async fn rotate(
        &self,
        id: TokenId,
        request: impl Into<RotateRequest>,
    ) -> Result<Issued, Error> {
        self.rotate_key(id, None, request.into()).await
    }

    /// Gives an API key a new secret as [`TokenManager::rotate`] does, if the key belongs to `owner`.
    ///
    /// Use it where the id comes from a request. The owner is compared in the record that is
    /// replaced, so nothing can change in between.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the key belongs to another subject or to none, as if it did not
    /// exist; those of [`TokenManager::rotate`].
    pub async fn rotate_owned(
        &self,
        owner: &Subject,
        id: TokenId,
        request: impl Into<RotateRequest>,
    ) -> Result<Issued, Error> {
        self.rotate_key(id, Some(owner), request.into()).await
    }

    async fn rotate_key(
        &self,
        id: TokenId,
        owner: Option<&Subject>,
        request: RotateRequest,
    ) -> Result<Issued, Error> {
        request.check()?;
        let inner = &*self.inner;
        let edited = self.modify(id, request.requester.actor(), |loaded, record, now| {
            if let Some(owner) = owner {
                check_owner(id, record, owner)?;
            }
            if record.kind != Kind::ApiKey {
                return Err(Error::NotRotatable { id, kind: record.kind });
            }
            if record.registered.client_key.is_some() {
                let rule = "the API key has no secret: issue another API key with the new public key, \
                            and revoke this one later";
                let reason = InvalidReason::Contradiction { rule };
                return Err(InvalidValue::new(Field::ClientKey, reason).into());
            }
            check_live(loaded, record, now)?;
            let Some(generation) = record.generation.next() else {
                let allowed = "fewer than 238328 secrets in the life of a key: issue another key";
                let reason = InvalidReason::OutOfRange { allowed };
                return Err(InvalidValue::new(Field::Generation, reason).into());
            };
            let bearer =
                BearerToken::draw(&inner.prefix, Kind::ApiKey, id, generation, &*inner.random)?;
            let before = record.secrets.as_ref();
            let secrets = Secrets::after(before, record.digest, now, request.overlap);
            let older_until = secrets.older.as_ref().map(|older| older.until);
            record.secrets = Some(secrets);
            record.digest = bearer.digest();
            record.generation = generation;
            let generation = generation.number();
            let event = EventKind::SecretReplaced { token: id, generation, older_until };
            Ok(Edit { change: ChangeKind::SecretReplaced, event, output: bearer })
        });
        let (token, bearer) = edited.await?;
        inner.metrics.handles.api_key_rotations.increment(1);
        Ok(Issued { token, bearer })
    }

    /// Writes that the newest secret was used; `false` if the record has changed since it was read.
    pub(super) async fn write_first_use(&self, first_use: FirstUse) -> Result<bool, Error> {
        let (id, read, clear) = (first_use.id, first_use.read, Some(first_use.clear.clone()));
        let operation = self.begin()?;
        let body = codec::encode(&first_use.record());
        let replace = Replace { clear, ..Replace::new(id, read, body) };
        let replaced = self.inner.store.replace(operation, replace).await?;
        Ok(matches!(replaced, Replaced::Stored(_)))
    }
}
