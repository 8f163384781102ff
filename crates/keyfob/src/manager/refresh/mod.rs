//! Refresh tokens: from one pair to the next.
//!
//! [`rotation`](crate::rotation) decides what a presented bearer token means; this module does it. A
//! rotation is one conditional write: the new record and the access token are stored in the same
//! step, or nothing is. Both secrets are functions of the presented bearer token and the record, so
//! a second request with the same bearer token gets the same pair, and no answer has to be kept for
//! it.
//!
//! | module | what |
//! |---|---|
//! | `request` | what is asked for |
//! | `exchange` | what is presented, and by whom |
//! | `access` | the access token that a refresh token gives |
//! | `jwt` | its form |
//! | `pair` | rotation and replay |
//! | `end` | what a rotation ends |
//! | `record_cache` | records that a rotation does not have to read |

mod access;
mod end;
mod exchange;
mod jwt;
mod pair;
mod record_cache;
mod request;

pub(super) use access::access_record;
pub use exchange::Refreshed;
pub(super) use record_cache::{RefreshRecord, RefreshRecordCache};
pub use request::RefreshRequest;

use super::TokenManager;
use super::modify::RETRY_LIMIT;
use super::settle::Rejection;
use crate::error::Error;
use exchange::{Exchange, check_presenter, not_active, presenter_of};
use keyfob_core::bearer::BearerToken;
use keyfob_core::bearer::ratchet::Proof;
use keyfob_core::event::ObservationKind;
use keyfob_core::rotation::{Decision, RefreshCase, RefreshRefused, StoredFamily, decide};
use keyfob_core::token::Kind;
use keyfob_core::validation::{Presentation, Refusal};
use keyfob_metrics::RefreshOutcome;
use request::RequestParts;

impl TokenManager {
    /// Exchanges a refresh token for an access token and the next bearer token of the refresh token.
    ///
    /// A client that lost the answer, or asks twice at the same time, gets the same pair within the
    /// grace period: see [`RefreshPolicy`](crate::RefreshPolicy). A bearer token that comes back
    /// later than that has two holders, and its family is ended. See [`RefreshCase`] for every case.
    ///
    /// ```
    /// use keyfob::rotation::RefreshCase;
    /// use keyfob::{Grant, Kind, MemoryStore, RefreshRequest, TokenManager};
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
    /// [`Error::Refresh`] when it is not exchanged; [`Error::Refused`] when it is not a refresh token
    /// or unknown; [`Error::Invalid`] when more is asked for than it allows; [`Error::Contended`];
    /// [`Error::Store`]: then try again with the same bearer token, which does no harm.
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
        let mut remembered = self.inner.refresh_records.take(id);
        for _ in 0..RETRY_LIMIT {
            let (stored, token, is_remembered) = match remembered.take() {
                Some(stored) => {
                    let token = stored.token();
                    (stored, token, true)
                }
                None => {
                    let (loaded, record) = self.load_presented(id, presented.ip).await?;
                    let token = record.clone().into_token(&loaded);
                    (RefreshRecord::loaded(&loaded, record), token, false)
                }
            };
            let Some(ratchet) = stored.record.ratchet.clone() else {
                return Err(Refusal::Unknown.into());
            };
            let proof = ratchet.prove(&bearer);
            if proof == Proof::Unknown {
                if is_remembered {
                    // A presenter that knows nothing but the id takes nothing from the owner.
                    self.inner.refresh_records.put(stored);
                }
                return Err(Refusal::Unknown.into());
            }
            let rotation = stored.record.rotation.clone().unwrap_or_default();
            let policy = rotation.policy.unwrap_or(self.inner.refresh_policy);
            let now = self.inner.store.time_of(id.lane(), self.now()).await?;
            let now = rotation.decision_time(now);
            let (state, generation) = (token.state(now), stored.record.generation);
            let presenter = presenter_of(&ratchet, &presented, request);
            let family = StoredFamily {
                state,
                generation,
                rotation: &rotation,
                grace_period: policy.grace_period,
            };
            let decision = decide(proof, &family, presenter, now);
            let bound = check_presenter(&token, &presented, request);
            if is_remembered && (bound.is_err() || !matches!(decision, Decision::Rotate(_))) {
                // A remembered record is used for a rotation only.
                continue;
            }
            if let Decision::FamilyEnded(state) = decision {
                return Err(Rejection::of(id, not_active(token, state)));
            }
            bound?;
            let bearer = &bearer;
            let exchange =
                Exchange { bearer, request, presenter, policy, ratchet, rotation, stored };
            match decision {
                Decision::Rotate(next) => {
                    if let Some(refreshed) = self.rotate_family(exchange, next, now).await? {
                        return Ok(refreshed);
                    }
                }
                Decision::Replay(at) => {
                    if let Some(refreshed) = self.replay(exchange, at).await? {
                        return Ok(refreshed);
                    }
                }
                Decision::EndFamily(cause) => {
                    return Err(self.end_family(&exchange, cause).await?.into());
                }
                Decision::RefuseInWindow => {
                    return Err(RefreshRefused::InWindow { token: id }.into());
                }
                Decision::AheadOfStore => {
                    if self.record_ahead_of_store(exchange, now).await {
                        return Err(RefreshRefused::AheadOfStore { token: id }.into());
                    }
                }
                Decision::FamilyEnded(state) => {
                    return Err(Rejection::of(id, not_active(token, state)));
                }
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
}
