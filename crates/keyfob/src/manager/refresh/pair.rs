//! The pair that a refresh token is exchanged for: drawn from the presented bearer token, so that it
//! is the same on every node and however often it is asked for.

use super::exchange::{Exchange, Refreshed};
use super::jwt::OtherKey;
use super::record_cache::RefreshRecord;
use crate::codec::{self, Change, Record};
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::issue::{Issued, NewToken};
use crate::manager::modify::encode_event;
use keyfob_core::bearer::{BearerToken, Generation};
use keyfob_core::event::EventKind;
use keyfob_core::rotation::{PreviousAccessToken, RefreshCase, RefreshRefused};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{ChangeKind, Kind};
use keyfob_store::{Insert, Inserted, Replace, Replaced};

/// The smallest difference of two times that ids are drawn from.
const TIME_STEP: Ttl = Ttl::saturating_from_millis(1);

impl TokenManager {
    /// Rotates the refresh token to its next generation; `None` if its record has changed since it
    /// was read.
    pub(super) async fn rotate_family(
        &self,
        mut exchange: Exchange<'_>,
        next: Generation,
        mut at: Timestamp,
    ) -> Result<Option<Refreshed>, Error> {
        let id = exchange.stored.id;
        let retired = exchange.stored.record.generation;
        let bearer = exchange.ratchet.bearer(&self.inner.prefix, exchange.bearer, next);
        if let Some(renewal) = exchange.rotation.renewal {
            let record = &mut exchange.stored.record;
            let ends = [record.absolute_expiry, Some(at + renewal)];
            record.expires_at = ends.into_iter().flatten().min();
        }
        // A request that asks for too much is refused before anything is ended.
        let mut access = self.draw_access(&exchange, next, at)?;
        if exchange.policy.previous_access_token == PreviousAccessToken::RevokePrevious {
            self.end_previous_access(exchange.rotation.access).await?;
        }
        let by = exchange.request.by.as_ref();
        loop {
            let mut record = exchange.stored.record.clone();
            let (presenter, grace) = (exchange.presenter, exchange.policy.grace_period);
            record.generation = next;
            record.digest = bearer.digest();
            if let Some(key) = exchange.request.pair_bound_to() {
                record.registered.confirmation = Some(key.clone());
            }
            record.rotation =
                Some(exchange.rotation.rotated(retired, presenter, access.id, at, grace));
            record.remember(Change { at, by: by.cloned(), what: ChangeKind::Rotated });
            let operation = self.begin()?;
            let rotated =
                EventKind::Rotated { token: id, generation: next.number(), access: access.id };
            let events = [rotated, access.issued_event()].into_iter().enumerate();
            let events = events.map(|(n, event)| encode_event(&operation, n, at, by, event));
            let replace = Replace {
                minted: vec![access.to_record(self.inner.store.namespace())],
                ends_at: Some(record.ends_after(at)),
                clear: Some(exchange.stored.clear.clone()),
                events: events.collect(),
                ..Replace::new(id, exchange.stored.version, codec::encode(&record))
            };
            match self.inner.store.replace(operation, replace).await? {
                Replaced::Stored(version) => {
                    self.notify_event_streams();
                    self.count_issued(Kind::Access);
                    let stored = RefreshRecord { version, record, ..exchange.stored };
                    let refresh = Issued { token: stored.token(), bearer };
                    self.inner.refresh_records.put(stored);
                    let access = access.into_issued();
                    return Ok(Some(Refreshed { case: RefreshCase::Rotated, access, refresh }));
                }
                Replaced::Stale | Replaced::Ended | Replaced::Missing => return Ok(None),
                // The id is drawn from the time as well, so a later time gives another id.
                Replaced::IdTaken => {
                    at = at + TIME_STEP;
                    access = self.draw_access(&exchange, next, at)?;
                }
            }
        }
    }

    /// Returns the pair of the last rotation once more; `None` if the record has changed since it was
    /// read.
    pub(super) async fn replay(
        &self,
        exchange: Exchange<'_>,
        rotated_at: Timestamp,
    ) -> Result<Option<Refreshed>, Error> {
        let generation = exchange.stored.record.generation;
        let access = self.draw_access(&exchange, generation, rotated_at)?;
        let Some(access) = self.replay_access(&exchange, access).await? else { return Ok(None) };
        let bearer = exchange.ratchet.bearer(&self.inner.prefix, exchange.bearer, generation);
        let refresh = Issued { token: exchange.stored.token(), bearer };
        Ok(Some(Refreshed { case: RefreshCase::Replayed, access, refresh }))
    }

    /// Returns the access token of a replay: the stored one, or a new one if the request asks for
    /// something else this time.
    async fn replay_access(
        &self,
        exchange: &Exchange<'_>,
        access: NewToken,
    ) -> Result<Option<Issued>, Error> {
        for _ in 0..2 {
            if let Some(loaded) = self.load_shared(access.id).await? {
                let record: Record = codec::decode(&loaded.body)?;
                let Some(bearer) = self.stored_bearer(exchange, &access, &record)? else {
                    // Another token has this id, so the requested one cannot be issued.
                    break;
                };
                let token = record.into_token(&loaded);
                return Ok(Some(Issued { token, bearer }));
            }
            let now = self.inner.store.time_of(access.id.lane(), self.now()).await?;
            if access.record.expires_at.is_some_and(|end| end <= now) {
                // The store has forgotten it, or would forget it immediately. What the client needs
                // is the refresh token.
                return Ok(Some(access.into_issued()));
            }
            let is_other = exchange.rotation.access != Some(access.id);
            if is_other
                && exchange.policy.previous_access_token == PreviousAccessToken::RevokePrevious
            {
                // The next rotation revokes only the access token that the record names.
                break;
            }
            let operation = self.begin()?;
            let (now, by) = (self.now(), exchange.request.by.as_ref());
            let insert = Insert {
                records: vec![access.to_record(self.inner.store.namespace())],
                events: vec![encode_event(&operation, 0, now, by, access.issued_event())],
            };
            match self.inner.store.insert(operation, insert).await? {
                Inserted::Stored(_) => {
                    self.notify_event_streams();
                    self.count_issued(Kind::Access);
                    return Ok(Some(access.into_issued()));
                }
                Inserted::Superseded => return Ok(None),
                // Another replay was quicker.
                Inserted::IdTaken => {}
            }
        }
        Err(RefreshRefused::InWindow { token: exchange.stored.id }.into())
    }

    /// Returns the bearer token of the access token that is stored under the id of `access`. `None` if the
    /// request does not lead to it.
    pub(super) fn stored_bearer(
        &self,
        exchange: &Exchange<'_>,
        access: &NewToken,
        stored: &Record,
    ) -> Result<Option<BearerToken>, Error> {
        if stored.digest == access.bearer.digest() {
            return Ok(Some(access.bearer.clone()));
        }
        let is_its = |other: &&OtherKey| stored.jwt.is_some_and(|form| form.key == other.version);
        let Some(other) = exchange.request.other_jwt_keys.iter().find(is_its) else {
            return Ok(None);
        };
        let bearer = other.key.bearer(&self.inner.prefix, Kind::Access, access.id)?;
        Ok((bearer.digest() == stored.digest).then_some(bearer))
    }
}
