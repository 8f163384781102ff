//! Taking tokens back: one, a family, everything of a subject, of a client, everything there is.

mod sweep;

pub use sweep::{ResumeToken, Sweep, SweepProgress};

use crate::codec::{self, Note};
use crate::error::Error;
use crate::event::{EpochOf, Event, EventKind};
use crate::id::{FamilyId, TokenId};
use crate::invalid::InvalidValue;
use crate::manager::TokenManager;
use crate::metrics::RevocationTarget;
use crate::namespace::Term;
use crate::store::{Advance, EpochScope, Operation, Revoke, Revoked, StoreError};
use crate::text::{Actor, ClientId, Reason, Subject};
use crate::token::Revocation;

/// Why something is done, and by whom. Both are kept, so that they can be told later.
#[derive(Clone, Debug, Default)]
pub struct RevokeRequest {
    reason: Option<Reason>,
    by: Option<Actor>,
    invalid: Option<InvalidValue>,
}

/// What came of revoking one token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RevokeOutcome {
    /// It is revoked now.
    Revoked,
    /// It was revoked before, and that stands.
    AlreadyRevoked(Box<Revocation>),
}

impl RevokeRequest {
    /// For no stated reason.
    pub fn unstated() -> Self {
        Self::default()
    }

    /// For this reason.
    pub fn reason(reason: impl TryInto<Reason, Error: Into<InvalidValue>>) -> Self {
        match reason.try_into() {
            Ok(reason) => Self { reason: Some(reason), ..Self::default() },
            Err(error) => Self { invalid: Some(error.into()), ..Self::default() },
        }
    }

    /// By this person or service.
    pub fn by(mut self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        match actor.try_into() {
            Ok(actor) => self.by = Some(actor),
            Err(error) => self.invalid = self.invalid.or(Some(error.into())),
        }
        self
    }

    /// Whether every part that was given holds.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }

    fn note(&self) -> Vec<u8> {
        codec::encode_note(&Note { reason: self.reason.clone(), by: self.by.clone() })
    }
}

impl TokenManager {
    /// Revokes one token, and with it all that was minted from it.
    ///
    /// Once this has returned, the store holds the revocation. Revoking a token again changes
    /// nothing: the first revocation is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] when reason or actor do not hold, [`Error::Store`]:
    /// then it is not known to be revoked, and it is safe to call again.
    pub async fn revoke(&self, id: TokenId, why: RevokeRequest) -> Result<RevokeOutcome, Error> {
        why.check()?;
        match self.revoke_record(id, &why, RevocationTarget::Token).await? {
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

    /// Revokes a family: the token at its root and all that was minted from it, at once.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nothing of such a family is kept, [`Error::Invalid`],
    /// [`Error::Store`].
    pub async fn revoke_family(&self, family: FamilyId, why: RevokeRequest) -> Result<(), Error> {
        why.check()?;
        let root = family.root();
        if let Revoked::Missing = self.revoke_record(root, &why, RevocationTarget::Family).await? {
            // The root is gone, but what was minted from it may not be.
            let namespace = self.inner.store.namespace();
            let listed = self.inner.store.count(namespace.family(root), Some(root.lane()));
            if listed.await? == 0 {
                return Err(Error::NotFound { id: root });
            }
            let field = namespace.ancestor_epoch(root);
            let scope = EpochScope::Lane(root.lane(), field);
            let listed = vec![namespace.family(root)];
            self.advance(scope, listed, EpochOf::Family(family), why).await?;
        }
        Ok(())
    }

    /// Revokes every token of a subject that was issued before now, in one step. When it is done
    /// again, the later reason is told of all of them: there is one epoch for a subject.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Store`].
    pub async fn revoke_subject(&self, subject: &Subject, why: RevokeRequest) -> Result<(), Error> {
        let namespace = self.inner.store.namespace();
        let lane = namespace.lane_of(subject);
        let scope = EpochScope::Lane(lane, namespace.subject_epoch(subject));
        let listed = vec![namespace.subject(subject)];
        self.advance(scope, listed, EpochOf::Subject(subject.clone()), why).await
    }

    /// Revokes every token of a client that was issued before now. Once this has returned, it has
    /// been done in every lane.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Store`].
    pub async fn revoke_client(&self, client: &ClientId, why: RevokeRequest) -> Result<(), Error> {
        let field = self.inner.store.namespace().client_epoch(client);
        let scope = EpochScope::EveryLane(field);
        self.advance(scope, Vec::new(), EpochOf::Client(client.clone()), why).await
    }

    /// Revokes every token of the store that was issued before now. Once this has returned, it has
    /// been done in every lane.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Store`].
    pub async fn revoke_all(&self, why: RevokeRequest) -> Result<(), Error> {
        self.advance(EpochScope::All, Vec::new(), EpochOf::All, why).await
    }

    pub(in crate::manager) async fn revoke_record(
        &self,
        id: TokenId,
        why: &RevokeRequest,
        through: RevocationTarget,
    ) -> Result<Revoked, Error> {
        self.revoke_record_with_cause(id, why, through, None).await
    }

    /// As [`TokenManager::revoke_record`], with an event that tells what it came of.
    pub(in crate::manager) async fn revoke_record_with_cause(
        &self,
        id: TokenId,
        why: &RevokeRequest,
        through: RevocationTarget,
        cause: Option<EventKind>,
    ) -> Result<Revoked, Error> {
        let operation = self.begin()?;
        let at = self.now();
        let whats = cause.into_iter().chain([EventKind::Revoked { token: id }]).enumerate();
        let events =
            whats.map(|(place, what)| codec::encode(&self.event_of((operation, place), what, why)));
        let namespace = self.inner.store.namespace();
        let revoke = Revoke {
            id,
            at,
            note: why.note(),
            cascade: Some(namespace.ancestor_epoch(id)),
            // What descends from a token further down is listed under the root of its family, which
            // is not known here: it is counted until its time is over.
            listed: vec![namespace.family(id)],
            events: events.collect(),
        };
        let revoked = self.inner.store.revoke(operation, revoke).await?;
        if let Revoked::Now = revoked {
            self.inner.metrics.handles.revocations.of(through).increment(1);
        }
        self.notify_event_streams();
        Ok(revoked)
    }

    async fn advance(
        &self,
        scope: EpochScope,
        listed: Vec<Term>,
        of: EpochOf,
        why: RevokeRequest,
    ) -> Result<(), Error> {
        why.check()?;
        let operation = self.begin()?;
        let through = RevocationTarget::from(&of);
        let event = self.event_of((operation, 0), EventKind::EpochAdvanced { of }, &why);
        let advance = Advance {
            scope,
            at: self.now(),
            note: why.note(),
            listed,
            events: vec![codec::encode(&event)],
        };
        self.inner.store.advance(operation, advance).await?;
        self.inner.metrics.handles.revocations.of(through).increment(1);
        self.notify_event_streams();
        Ok(())
    }

    fn event_of(&self, by: (Operation, usize), what: EventKind, why: &RevokeRequest) -> Event {
        let (operation, place) = by;
        let event = Event::new(operation.id, place, self.now(), what);
        event.by(why.by.clone()).reason(why.reason.clone())
    }
}
