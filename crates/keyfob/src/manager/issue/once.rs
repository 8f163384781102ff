//! Issuing once, however often a request is sent.
//!
//! The first attempt stores a *claim*: a digest of the request, the time, and a random salt. The id and
//! the secret of each token follow from the salt, the idempotency key, and a secret that only the
//! requester has. So each attempt draws the same tokens, on every node, and a store that has a token
//! already says so.
//!
//! The store does not have the requester's secret, and the requester does not have the salt. Neither can
//! compute a bearer token alone.

use futures_util::{StreamExt, stream};
use keyfob_core::KeyVersion;
use keyfob_core::random;
use keyfob_core::time::Ttl;
use keyfob_core::token::{Grant, TokenState};
use keyfob_store::{Epochs, Insert, Inserted, NewRecord, StampRule, Verdict};
use subtle::ConstantTimeEq;

use super::CONCURRENT_ISSUES;
use super::idempotency_key::IdempotencyKey;
use super::new_token::Issued;
use super::prepare::Prepared;
use super::repeatable::Repeatable;
use crate::codec::{self, Claim};
use crate::error::Error;
use crate::manager::{TokenManager, token_of};

/// How long a key is remembered.
const CLAIM_LIFETIME: Ttl = Ttl::from_hours(24);

/// The number of times that a claim is stored or read before others are said to be in the way.
const CLAIM_ATTEMPTS: usize = 4;

impl TokenManager {
    /// Issues a token once: a repeat with the same key gets the same token with the same bearer token, on
    /// every node of the store. A key is remembered for 24 hours.
    ///
    /// Send the same key again when an answer was lost. The token is answered as it is then: it may have
    /// been revoked in the meantime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// use keyfob::manager::IdempotencyKey;
    ///
    /// let key = IdempotencyKey::new("order-17", "the requester's own secret", b"subject=alice")?;
    /// let grant = || Grant::new(Kind::Access).subject("alice");
    /// let first = manager.issue_once(&key, grant()).await?;
    /// let again = manager.issue_once(&key, grant()).await?;
    /// assert_eq!(again.token.id, first.token.id);
    /// assert_eq!(again.bearer.expose(), first.bearer.expose());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] when the key belongs to another request; [`Error::Ended`] when the
    /// token has expired and is forgotten; [`Error::Superseded`] when everything was revoked since; and
    /// those of [`TokenManager::issue`].
    pub async fn issue_once(&self, key: &IdempotencyKey, grant: Grant) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        let repeatable = self.repeatable(key).await?;
        self.issue_with(parts, Some(&repeatable)).await
    }

    /// Issues many tokens once; see [`TokenManager::issue_once`]. The results are in the order of the
    /// grants. A repeat issues those that are missing.
    ///
    /// # Errors
    /// Those of [`TokenManager::issue_once`] that concern the key.
    pub async fn issue_many_once(
        &self,
        key: &IdempotencyKey,
        grants: Vec<Grant>,
    ) -> Result<Vec<Result<Issued, Error>>, Error> {
        let claim = self.claim(key).await?;
        let each = stream::iter((0..).zip(grants)).map(|(position, grant)| {
            let repeatable = repeatable(&claim, key, position);
            async move { self.issue_with(grant.into_parts()?, Some(&repeatable)).await }
        });
        Ok(each.buffered(CONCURRENT_ISSUES).collect().await)
    }

    /// Claims a key for a request of one token, and returns what to draw the token from.
    pub(in crate::manager) async fn repeatable(
        &self,
        key: &IdempotencyKey,
    ) -> Result<Repeatable, Error> {
        Ok(repeatable(&self.claim(key).await?, key, 0))
    }

    /// Stores the claim of a key, or reads it if an earlier attempt has stored it.
    async fn claim(&self, key: &IdempotencyKey) -> Result<Claim, Error> {
        let store = &self.inner.store;
        let id = key.claim_id(store.namespace());
        for _ in 0..CLAIM_ATTEMPTS {
            let now = self.now();
            let salt = random::array(&*self.inner.random)?;
            let claim = Claim { request: *key.request(), salt, at: now };
            let record = NewRecord {
                id,
                body: codec::encode(&claim),
                key: KeyVersion::PLAINTEXT,
                keep_until: now + CLAIM_LIFETIME,
                uses_left: None,
                epochs: Epochs::default(),
                terms: vec![store.namespace().other_records()],
                stamp: StampRule::Present,
                counted: None,
            };
            let insert = Insert { records: vec![record], events: Vec::new() };
            match store.insert(self.begin()?, insert).await? {
                Inserted::Stored(_) => return Ok(claim),
                Inserted::Superseded => return Err(Error::Superseded),
                Inserted::IdTaken => {}
            }
            // The claim that was found may have ended in the meantime.
            let Some(loaded) = store.load(id).await? else { continue };
            if loaded.verdict != Verdict::Clear {
                return Err(Error::Superseded);
            }
            let claim: Claim = codec::decode(&loaded.body)?;
            return match bool::from(claim.request.ct_eq(key.request())) {
                true => Ok(claim),
                false => Err(Error::IdempotencyKeyReused),
            };
        }
        Err(Error::Contended { id })
    }

    /// Checks that the record of a token that an earlier attempt has issued would still be there.
    pub(super) fn check_still_kept(&self, prepared: &Prepared) -> Result<(), Error> {
        if prepared.repeatable.is_some() && prepared.keep_until <= self.now() {
            let id = self.draw(prepared)?.id;
            return Err(Error::Ended { id, state: TokenState::Expired });
        }
        Ok(())
    }

    /// Returns the token that an earlier attempt has stored; `None` if there is none, or if the request is
    /// not repeatable.
    pub(in crate::manager) async fn issued_before(
        &self,
        prepared: &Prepared,
    ) -> Result<Option<Issued>, Error> {
        if prepared.repeatable.is_none() {
            return Ok(None);
        }
        self.check_still_kept(prepared)?;
        let new = self.draw(prepared)?;
        let Some(loaded) = self.inner.store.load(new.id).await? else { return Ok(None) };
        Ok(Some(Issued { token: token_of(&loaded)?, bearer: new.bearer }))
    }
}

/// Returns what the token at `position` of a request is drawn from.
fn repeatable(claim: &Claim, key: &IdempotencyKey, position: u64) -> Repeatable {
    let lane = key.lane_seed(&claim.salt, position);
    let token = key.token_seed(&claim.salt, position);
    Repeatable { at: claim.at, lane, token }
}
