//! Revocation: of one token, a family, all of a subject or a client, all that a filter matches, all.
//!
//! | module | what |
//! |---|---|
//! | `count` | how many tokens it would end |
//! | `request` | why, and by whom |
//! | `leaked` | the token of a bearer token that was found |
//! | `owned` | tokens of one subject |
//! | `rollback` | accepting what is refused since the store lost its last writes |
//! | `sweep` | all that a filter matches, page by page |

mod count;
mod leaked;
mod owned;
mod request;
mod rollback;
mod sweep;

pub use leaked::Leaked;
pub use request::RevokeRequest;
pub use sweep::{Sweep, SweepProgress};

use crate::codec;
use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_core::event::{EpochOf, Event, EventKind};
use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::namespace::Term;
use keyfob_core::text::{ClientId, Subject};
use keyfob_core::token::Revocation;
use keyfob_metrics::RevocationTarget;
use keyfob_store::{Advance, EpochScope, Operation, Revoke, Revoked, StoreError};

/// What came of revoking one token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RevokeOutcome {
    /// It is revoked now.
    Revoked,
    /// It was revoked before. That revocation stays.
    AlreadyRevoked(Box<Revocation>),
}

/// # Revocation
///
/// Each of these is done in the store when it returns. Every node refuses the tokens within the
/// maximum staleness of its cache; see [`TokenManager::validate`].
impl TokenManager {
    /// Revokes one token, and with it all that was minted from it. Revoking a token again changes
    /// nothing: the first revocation stays. In a handler for users,
    /// [`TokenManager::revoke_owned`] also checks whose token it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, RevokeOutcome, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// let outcome = manager.revoke(issued.token.id, "user logout").await?;
    /// assert_eq!(outcome, RevokeOutcome::Revoked);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] when the reason or the actor is not valid;
    /// [`Error::Store`]: then the token may not be revoked, and it is safe to call again.
    pub async fn revoke(
        &self,
        id: TokenId,
        request: impl Into<RevokeRequest>,
    ) -> Result<RevokeOutcome, Error> {
        let request = request.into();
        request.check()?;
        match self.revoke_record(id, &request, RevocationTarget::Token).await? {
            Revoked::Now => Ok(RevokeOutcome::Revoked),
            Revoked::Missing => Err(Error::NotFound { id }),
            Revoked::Before(_) => {
                let revocation = self.get(id).await?.revocation.ok_or_else(|| {
                    let detail = "a revocation was reported and then not found".to_owned();
                    Error::Store(StoreError::Corrupt { what: id.to_string(), detail })
                })?;
                Ok(RevokeOutcome::AlreadyRevoked(Box::new(revocation)))
            }
        }
    }

    /// Revokes a family in one step: the token at its root and all that was minted from it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let issued = manager.issue(Grant::new(Kind::Refresh).subject("user123")).await?;
    /// if let Some(family) = issued.token.family {
    ///     manager.revoke_family(family, "consent withdrawn").await?;
    /// }
    /// assert!(manager.validate_active(&issued.bearer).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when no token of the family is stored; [`Error::Invalid`];
    /// [`Error::Store`].
    pub async fn revoke_family(
        &self,
        family: FamilyId,
        request: impl Into<RevokeRequest>,
    ) -> Result<(), Error> {
        let request = request.into();
        request.check()?;
        let root = family.root();
        let revoked = self.revoke_record(root, &request, RevocationTarget::Family).await?;
        if let Revoked::Missing = revoked {
            // The root is forgotten, but what was minted from it may not be.
            let namespace = self.inner.store.namespace();
            let listed = self.inner.store.count(namespace.family(root), Some(root.lane()));
            if listed.await? == 0 {
                return Err(Error::NotFound { id: root });
            }
            let field = namespace.ancestor_epoch(root);
            let scope = EpochScope::Lane(root.lane(), field);
            let listed = vec![namespace.family(root)];
            self.advance(scope, listed, EpochOf::Family(family), request).await?;
        }
        Ok(())
    }

    /// Logs a subject out everywhere: revokes every token of the subject that was issued before
    /// now, in one step, however many there are. When it is done again, each of the tokens shows
    /// the later reason: a subject has one epoch.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, Subject, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// manager.revoke_subject(&Subject::new("user123")?, "password changed").await?;
    /// assert!(manager.validate_active(&issued.bearer).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Store`].
    pub async fn revoke_subject(
        &self,
        subject: &Subject,
        request: impl Into<RevokeRequest>,
    ) -> Result<(), Error> {
        let namespace = self.inner.store.namespace();
        let lane = namespace.lane_of(subject);
        let scope = EpochScope::Lane(lane, namespace.subject_epoch(subject));
        let listed = vec![namespace.subject(subject)];
        self.advance(scope, listed, EpochOf::Subject(subject.clone()), request.into()).await
    }

    /// Revokes every token of a client that was issued before now, in every lane.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{ClientId, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.revoke_client(&ClientId::new("web")?, "client secret leaked").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Store`]. While some servers of the store cannot be reached, the error is
    /// [`StoreError::PartlyApplied`]: the tokens on the others are revoked, and any node revokes the rest
    /// as soon as the servers are back. Do not call this again for that.
    pub async fn revoke_client(
        &self,
        client: &ClientId,
        request: impl Into<RevokeRequest>,
    ) -> Result<(), Error> {
        let field = self.inner.store.namespace().client_epoch(client);
        let scope = EpochScope::EveryLane(field);
        self.advance(scope, Vec::new(), EpochOf::Client(client.clone()), request.into()).await
    }

    /// Revokes every token of the store that was issued before now, in every lane.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.revoke_all("database leaked").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Store`]. While some servers of the store cannot be reached, the error is
    /// [`StoreError::PartlyApplied`]: the tokens on the others are revoked, and any node revokes the rest
    /// as soon as the servers are back. Do not call this again for that.
    pub async fn revoke_all(&self, request: impl Into<RevokeRequest>) -> Result<(), Error> {
        self.advance(EpochScope::All, Vec::new(), EpochOf::All, request.into()).await
    }
}

impl TokenManager {
    pub(in crate::manager) async fn revoke_record(
        &self,
        id: TokenId,
        request: &RevokeRequest,
        target: RevocationTarget,
    ) -> Result<Revoked, Error> {
        self.revoke_record_with_cause(id, request, target, None).await
    }

    /// As [`TokenManager::revoke_record`], with an event for what led to it before that of the
    /// revocation.
    pub(in crate::manager) async fn revoke_record_with_cause(
        &self,
        id: TokenId,
        request: &RevokeRequest,
        target: RevocationTarget,
        cause: Option<EventKind>,
    ) -> Result<Revoked, Error> {
        let operation = self.begin()?;
        let at = self.now();
        let kinds = cause.into_iter().chain([EventKind::Revoked { token: id }]).enumerate();
        let events = kinds.map(|(position, kind)| {
            codec::encode(&self.event_of((operation, position), kind, request))
        });
        let namespace = self.inner.store.namespace();
        let revoke = Revoke {
            id,
            at,
            note: request.note(),
            cascade: Some(namespace.ancestor_epoch(id)),
            // A descendant of a token that is not a root is listed under the root of its family,
            // which is not known here: it is counted until it expires.
            listed: vec![namespace.family(id)],
            events: events.collect(),
        };
        let revoked = self.inner.store.revoke(operation, revoke).await?;
        if let Revoked::Now = revoked {
            self.inner.metrics.handles.revocations.of(target).increment(1);
        }
        self.notify_event_streams();
        Ok(revoked)
    }

    /// Advances an epoch, which revokes all that it covers.
    async fn advance(
        &self,
        scope: EpochScope,
        listed: Vec<Term>,
        of: EpochOf,
        request: RevokeRequest,
    ) -> Result<(), Error> {
        request.check()?;
        let operation = self.begin()?;
        let target = RevocationTarget::from(&of);
        let event = self.event_of((operation, 0), EventKind::EpochAdvanced { of }, &request);
        let advance = Advance {
            scope,
            at: self.now(),
            note: request.note(),
            listed,
            events: vec![codec::encode(&event)],
        };
        let advanced = self.inner.store.advance(operation, advance).await;
        // One that is applied in part is finished by any node.
        if matches!(advanced, Ok(_) | Err(StoreError::PartlyApplied { .. })) {
            self.inner.metrics.handles.revocations.of(target).increment(1);
        }
        self.notify_event_streams();
        advanced?;
        Ok(())
    }

    /// The event at a position among those of an operation.
    fn event_of(
        &self,
        (operation, position): (Operation, usize),
        kind: EventKind,
        request: &RevokeRequest,
    ) -> Event {
        let event = Event::new(operation.id, position, self.now(), kind);
        event.by(request.actor().cloned()).reason(request.reason.clone())
    }
}
