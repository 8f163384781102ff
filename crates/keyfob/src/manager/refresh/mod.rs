//! Refresh tokens: from one pair to the next.
//!
//! What a presented bearer means is decided by [`rotation`](crate::rotation); here it is done. A
//! rotation is one conditional write: the record moves on and the access token is stored in the
//! same step, or nothing is. Both secrets are functions of the bearer that was presented and of the
//! record, so whoever comes second with the same bearer is given the same pair, and no answer has
//! to be kept for it.

mod pair;
mod request;

pub use request::RefreshRequest;

use super::TokenManager;
use crate::bearer::BearerToken;
use crate::bearer::ratchet::{Proof, Ratchet};
use crate::codec::{self, Change, Record};
use crate::error::Error;
use crate::event::{Event, EventKind, ObservationKind};
use crate::field::Field;
use crate::id::TokenId;
use crate::metrics::{RefreshOutcome, RevocationTarget};
use crate::rotation::{
    Decision, EndCause, Presenter, RefreshCase, RefreshPolicy, RefreshRefused, Rotation,
    StoredFamily, decide,
};
use crate::store::{Loaded, Replace, Replaced, Revoked};
use crate::time::Timestamp;
use crate::token::{ChangeKind, Confirmation, Kind, RecordIntegrity, Token, TokenState};
use crate::validation::{Presentation, Refusal};
use request::RequestParts;

use super::RevokeRequest;
use super::issue::Issued;
use super::modify::RETRY_LIMIT;
use super::settle::Rejection;

/// What a refresh token was exchanged for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refreshed {
    /// [`RefreshCase::Rotated`], or [`RefreshCase::Replayed`] for an answer that was given before.
    pub case: RefreshCase,
    /// The access token.
    pub access: Issued,
    /// The refresh token, with its next bearer: the one that was presented is retired.
    pub refresh: Issued,
}

/// One refresh token, as it was presented and as it was read.
struct Shown<'a> {
    bearer: &'a BearerToken,
    request: &'a RequestParts,
    by: Presenter,
    policy: RefreshPolicy,
    loaded: Loaded,
    record: Record,
    rotation: Rotation,
}

impl TokenManager {
    /// Exchanges a refresh token for an access token and the next bearer of the refresh token.
    ///
    /// A client that lost the answer, or a second one that asks at the same time, is given the same
    /// pair within the window: see [`RefreshPolicy`]. A bearer that comes back later than that has
    /// two holders, and its family is ended. See [`RefreshCase`] for all that can happen.
    ///
    /// ```
    /// use keyfob::{Grant, Kind, MemoryStore, RefreshCase, RefreshRequest, TokenManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = TokenManager::new(MemoryStore::new()?);
    /// let grant = Grant::new(Kind::Refresh).subject("user123").scopes("read write");
    /// let first = manager.issue(grant).await?.bearer;
    ///
    /// let narrowed = || RefreshRequest::new().scope("read");
    /// let pair = manager.refresh(&first, narrowed()).await?;
    /// assert!(manager.validate_active(&pair.access.bearer).await.is_ok());
    ///
    /// // The answer was lost: the retry gets the same.
    /// let again = manager.refresh(&first, narrowed()).await?;
    /// assert_eq!(again.case, RefreshCase::Replayed);
    /// assert_eq!(again.refresh.bearer.expose(), pair.refresh.bearer.expose());
    /// assert_eq!(again.access.bearer.expose(), pair.access.bearer.expose());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refresh`] when it is not exchanged; [`Error::Refused`] when it is no refresh token
    /// or unknown; [`Error::Invalid`] when more is asked for than it allows; [`Error::Contended`];
    /// [`Error::Store`]: then try again with the same bearer, which does no harm.
    pub async fn refresh(
        &self,
        presented: impl Into<Presentation<'_>>,
        request: RefreshRequest,
    ) -> Result<Refreshed, Error> {
        request.check()?;
        let presented = presented.into();
        let outcome = match self.exchange(presented, &request.parts).await {
            Ok(refreshed) => Ok(refreshed),
            Err(rejection) => Err(self.settle(presented.ip, rejection).await),
        };
        self.count_refresh(&outcome);
        if let Ok(Refreshed { case: RefreshCase::Replayed, refresh, .. }) = &outcome {
            self.record_observation(|| ObservationKind::Replayed { token: refresh.token.id });
        }
        outcome
    }

    async fn exchange(
        &self,
        presented: Presentation<'_>,
        request: &RequestParts,
    ) -> Result<Refreshed, Rejection> {
        if let Some(throttled) = self.throttled(presented.ip) {
            return Err(throttled.into());
        }
        let bearer = BearerToken::parse(presented.bearer, &self.inner.prefix)?;
        if bearer.kind() != Kind::Refresh {
            return Err(Refusal::Kind { found: bearer.kind() }.into());
        }
        let id = bearer.id();
        let mut known = self.inner.known.take(id);
        for _ in 0..RETRY_LIMIT {
            let (is_fresh, (loaded, record)) = match known.take() {
                Some(known) => (false, known),
                None => (true, self.load_presented(id).await?),
            };
            let Some(ratchet) = record.ratchet.clone() else {
                return Err(Refusal::Unknown.into());
            };
            let proof = ratchet.prove(&bearer);
            if proof == Proof::Unknown {
                if !is_fresh {
                    // Whoever merely knows an id takes nothing from its owner.
                    self.inner.known.put(loaded, record);
                }
                return Err(Refusal::Unknown.into());
            }
            let rotation = record.rotation.clone().unwrap_or_default();
            let policy = rotation.policy.unwrap_or(self.inner.refresh_policy);
            let now = self.inner.store.time_of(id.lane(), self.now()).await?;
            let now = rotation.decision_time(now);
            let token = record.clone().into_token(&loaded);
            let state = token.state(now);
            let generation = record.generation;
            let by = presenter(&ratchet, &presented, request);
            let shown = Shown { bearer: &bearer, request, by, policy, loaded, record, rotation };
            let stored = StoredFamily {
                state,
                generation,
                rotation: &shown.rotation,
                grace_period: policy.grace_period,
            };
            let decision = decide(proof, &stored, by, now);
            let bound = is_bound_to(&token, &presented, request);
            if !is_fresh && (bound.is_err() || !matches!(decision, Decision::Rotate(_))) {
                // What this node remembers is good for nothing else.
                continue;
            }
            if let Decision::FamilyEnded(state) = decision {
                return Err(Rejection::of(id, over(token, state)));
            }
            bound?;
            match decision {
                Decision::Rotate(next) => {
                    if let Some(refreshed) = self.go_on(&ratchet, shown, next, now).await? {
                        return Ok(refreshed);
                    }
                }
                Decision::Replay(at) => {
                    if let Some(refreshed) = self.give_again(&ratchet, shown, at).await? {
                        return Ok(refreshed);
                    }
                }
                Decision::EndFamily(cause) => return Err(self.end(&shown, cause).await?.into()),
                Decision::RefuseInWindow => {
                    return Err(RefreshRefused::InWindow { token: id }.into());
                }
                Decision::AheadOfStore => {
                    if self.tell_ahead(shown, now).await {
                        return Err(RefreshRefused::AheadOfStore { token: id }.into());
                    }
                }
                Decision::FamilyEnded(state) => return Err(Rejection::of(id, over(token, state))),
                Decision::Unknown => return Err(Refusal::Unknown.into()),
            }
        }
        Err(Error::Contended { id }.into())
    }

    fn count_refresh(&self, outcome: &Result<Refreshed, Error>) {
        let case = match outcome {
            Ok(refreshed) => refreshed.case.into(),
            Err(error) => RefreshOutcome::from(error),
        };
        self.inner.metrics.handles.refreshes.of(case).increment(1);
    }

    /// Ends a family.
    async fn end(&self, shown: &Shown<'_>, cause: EndCause) -> Result<Error, Error> {
        let (token, generation) = (shown.loaded.id, shown.record.generation.number());
        let presented = shown.bearer.generation().number();
        let reuse =
            |is_forged| EventKind::ReuseDetected { token, presented, generation, is_forged };
        let (reason, more) = match cause {
            EndCause::Reuse => ("reuse_detected", Some(reuse(false))),
            EndCause::Forgery => ("reuse_detected", Some(reuse(true))),
            EndCause::LastGeneration => ("generations_exhausted", None),
        };
        let through = match cause {
            EndCause::Reuse | EndCause::Forgery => RevocationTarget::Reuse,
            EndCause::LastGeneration => RevocationTarget::Rotation,
        };
        let why = RevokeRequest::reason(reason);
        let revoked = self.revoke_record_with_cause(token, &why, through, more).await?;
        Ok(match (cause, revoked) {
            (_, Revoked::Missing) => Refusal::Unknown.into(),
            (EndCause::Reuse | EndCause::Forgery, Revoked::Now) => {
                RefreshRefused::ReuseDetected { token }.into()
            }
            _ => over(self.get(token).await?, TokenState::Revoked),
        })
    }

    /// Tells, once for each generation, that the store has lost it; `false` if what was read no
    /// longer stands. Whether it can be told changes nothing about the refusal.
    async fn tell_ahead(&self, shown: Shown<'_>, at: Timestamp) -> bool {
        let (token, generation) = (shown.loaded.id, shown.record.generation.number());
        let presented = shown.bearer.generation().number();
        if shown.rotation.reported_ahead.is_some_and(|told| told >= presented) {
            return true;
        }
        let by = shown.request.by.clone();
        let mut record = shown.record;
        record.rotation = Some(Rotation { reported_ahead: Some(presented), ..shown.rotation });
        record.remember(Change { at, by: by.clone(), what: ChangeKind::AheadOfStore });
        let tell = async || {
            let operation = self.begin()?;
            let what = EventKind::AheadOfStore { token, presented, generation };
            let event = Event::new(operation.id, 0, at, what).by(by);
            let replace = Replace {
                events: vec![codec::encode(&event)],
                ..Replace::new(token, shown.loaded.version, codec::encode(&record))
            };
            Ok::<_, Error>(self.inner.store.replace(operation, replace).await?)
        };
        match tell().await {
            Ok(Replaced::Stored(_)) => {
                self.notify_event_streams();
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%token, %error, "a lost rotation cannot be told");
                true
            }
        }
    }

    /// Ends the access token that the present generation came with, before
    /// the next one is stored, so that it does not live beside it, wherever a node stops. Whoever
    /// does so on the strength of an older record ends what was ended before.
    async fn end_earlier(&self, earlier: Option<TokenId>) -> Result<(), Error> {
        if let Some(earlier) = earlier {
            let why = RevokeRequest::reason("superseded by a rotation");
            self.revoke_record(earlier, &why, RevocationTarget::Rotation).await?;
        }
        Ok(())
    }
}

/// Who presents it, as far as that is known.
fn presenter(ratchet: &Ratchet, presented: &Presentation<'_>, request: &RequestParts) -> Presenter {
    let client = request.client.as_ref().map(|client| client.as_str().as_bytes());
    let device = presented.device.map(|device| device.as_str().as_bytes());
    let key = proven(presented, request).map(|key| key.thumbprint().as_str().as_bytes());
    Presenter(ratchet.fingerprint(&[client, device, key]))
}

/// The key of which possession was proven.
fn proven<'a>(presented: &Presentation<'a>, request: &'a RequestParts) -> Option<&'a Confirmation> {
    request.confirmation.as_ref().or(presented.confirmation)
}

/// Whether whoever presents it is not somebody else than it is bound to. A key has to be proven; of
/// client and device, it may be that nothing is known.
fn is_bound_to(
    token: &Token,
    presented: &Presentation<'_>,
    request: &RequestParts,
) -> Result<(), RefreshRefused> {
    let differs = |bound: Option<&str>, shown: Option<&str>| {
        bound.zip(shown).is_some_and(|(bound, shown)| bound != shown)
    };
    let client = token.client.as_ref().map(|client| client.as_str());
    let device = token.metadata.device.id.as_ref().map(|device| device.as_str());
    let key = token.claims.registered.confirmation.as_ref();
    let field = if differs(client, request.client.as_ref().map(|client| client.as_str())) {
        Field::Client
    } else if differs(device, presented.device.map(|device| device.as_str())) {
        Field::DeviceId
    } else if key.is_some() && key != proven(presented, request) {
        Field::Confirmation
    } else {
        return Ok(());
    };
    Err(RefreshRefused::WrongPresenter { token: token.id, field })
}

/// The error for a family that is over, or has yet to begin.
fn over(token: Token, state: TokenState) -> Error {
    match (state, token.not_before) {
        _ if token.integrity == RecordIntegrity::EpochsLost => Refusal::Damaged.into(),
        (TokenState::Pending, Some(from)) => Refusal::NotYetValid { from }.into(),
        _ => {
            let revocation = token.revocation.map(Box::new);
            RefreshRefused::FamilyEnded { token: token.id, state, revocation }.into()
        }
    }
}

/// When a family ends, whatever is renewed.
fn end_of(record: &Record) -> Option<Timestamp> {
    [record.expires_at, record.absolute_expiry].into_iter().flatten().min()
}
