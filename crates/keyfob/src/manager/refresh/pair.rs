//! The pair that a refresh token is exchanged for: drawn from the bearer that was presented, so
//! that it is the same whoever makes it and however often.

use super::{RefreshCase, Refreshed, RequestParts, Shown, end_of};
use crate::bearer::ratchet::Ratchet;
use crate::bearer::{BearerToken, Generation};
use crate::codec::{self, Change, Record};
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::id::TokenId;
use crate::invalid::InvalidValue;
use crate::manager::TokenManager;
use crate::manager::descent::{Extent, family_under, line_under};
use crate::manager::issue::{Issued, epochs_of, terms_of};
use crate::rotation::PreviousAccessToken;
use crate::seal::KeyVersion;
use crate::store::{
    Epochs, Insert, Inserted, Loaded, MonotonicInstant, NewRecord, RecordVersion, Replace,
    Replaced, StampRule, Verdict,
};
use crate::time::{Timestamp, Ttl};
use crate::token::{ChangeKind, Kind};

/// An access token that a refresh token is exchanged for.
struct Access {
    bearer: BearerToken,
    record: Record,
    /// As it is when it has just been stored.
    loaded: Loaded,
}

impl Access {
    fn id(&self) -> TokenId {
        self.loaded.id
    }

    fn into_issued(self) -> Issued {
        Issued { token: self.record.into_token(&self.loaded), bearer: self.bearer }
    }
}

impl TokenManager {
    /// Rotates; `None` if what was read no longer stands.
    pub(super) async fn go_on(
        &self,
        ratchet: &Ratchet,
        mut shown: Shown<'_>,
        next: Generation,
        mut at: Timestamp,
    ) -> Result<Option<Refreshed>, Error> {
        let id = shown.loaded.id;
        let retired = shown.record.generation;
        let bearer = ratchet.bearer(&self.inner.prefix, shown.bearer, next);
        if let Some(renewal) = shown.rotation.renewal {
            let renewed = [shown.record.absolute_expiry, Some(at + renewal)];
            shown.record.expires_at = renewed.into_iter().flatten().min();
        }
        // Who asks for too much is refused before anything is ended.
        let mut access = self.access(ratchet, &shown, next, at)?;
        if shown.policy.previous_access_token == PreviousAccessToken::RevokePrevious {
            self.end_earlier(shown.rotation.access).await?;
        }
        loop {
            let mut record = shown.record.clone();
            let grace_period = shown.policy.grace_period;
            let rotation = shown.rotation.rotated(retired, shown.by, access.id(), at, grace_period);
            record.generation = next;
            record.digest = bearer.digest();
            record.rotation = Some(rotation);
            let by = shown.request.by.clone();
            record.remember(Change { at, by: by.clone(), what: ChangeKind::Rotated });
            let operation = self.begin()?;
            let rotated =
                EventKind::Rotated { token: id, generation: next.number(), access: access.id() };
            let events = [rotated, issued(&access)].into_iter().enumerate();
            let events = events.map(|(place, what)| {
                let event = Event::new(operation.id, place, at, what);
                codec::encode(&event.by(by.clone()))
            });
            let replace = Replace {
                minted: vec![self.to_store(&access)],
                ends_at: Some(record.ends_after(at)),
                events: events.collect(),
                ..Replace::new(id, shown.loaded.version, codec::encode(&record))
            };
            match self.inner.store.replace(operation, replace).await? {
                Replaced::Stored(version) => {
                    self.notify_event_streams();
                    self.count_issued(Kind::Access);
                    shown.loaded.version = version;
                    let token = record.clone().into_token(&shown.loaded);
                    self.inner.known.put(shown.loaded, record);
                    let refresh = Issued { token, bearer };
                    let access = access.into_issued();
                    return Ok(Some(Refreshed { case: RefreshCase::Rotated, access, refresh }));
                }
                Replaced::Stale | Replaced::Ended | Replaced::Missing => return Ok(None),
                // The time is part of what the id is drawn from.
                Replaced::IdTaken => {
                    at = at + MOMENT;
                    access = self.access(ratchet, &shown, next, at)?;
                }
            }
        }
    }

    /// Gives the pair of the last rotation again; `None` if what was read no longer stands.
    pub(super) async fn give_again(
        &self,
        ratchet: &Ratchet,
        shown: Shown<'_>,
        at: Timestamp,
    ) -> Result<Option<Refreshed>, Error> {
        let generation = shown.record.generation;
        let access = self.access(ratchet, &shown, generation, at)?;
        let Some(access) = self.stored_again(&shown, access).await? else { return Ok(None) };
        let bearer = ratchet.bearer(&self.inner.prefix, shown.bearer, generation);
        let refresh = Issued { token: shown.record.into_token(&shown.loaded), bearer };
        Ok(Some(Refreshed { case: RefreshCase::Replayed, access, refresh }))
    }

    /// The access token of a replay: the one that is stored, or if other things were asked for this
    /// time, another.
    async fn stored_again(
        &self,
        shown: &Shown<'_>,
        access: Access,
    ) -> Result<Option<Issued>, Error> {
        for _ in 0..2 {
            if let Some(loaded) = self.inner.store.load(access.id()).await? {
                let record: Record = codec::decode(&loaded.body)?;
                if record.digest != access.bearer.digest() {
                    // Another token has this id: what is asked for cannot be given.
                    break;
                }
                let token = record.into_token(&loaded);
                return Ok(Some(Issued { token, bearer: access.bearer }));
            }
            let now = self.inner.store.time_of(access.id().lane(), self.now()).await?;
            let is_over = access.record.expires_at.is_some_and(|end| end <= now);
            if is_over {
                // It was forgotten, or would be at once. The refresh token is what the client needs.
                return Ok(Some(access.into_issued()));
            }
            let is_other = shown.rotation.access != Some(access.id());
            if is_other && shown.policy.previous_access_token == PreviousAccessToken::RevokePrevious
            {
                // The next rotation revokes the one that it knows of.
                break;
            }
            let operation = self.begin()?;
            let event = Event::new(operation.id, 0, self.now(), issued(&access));
            let insert = Insert {
                records: vec![self.to_store(&access)],
                events: vec![codec::encode(&event.by(shown.request.by.clone()))],
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
        Err(super::RefreshRefused::InWindow { token: shown.loaded.id }.into())
    }

    /// The access token that comes with `generation`, which was reached at `at`.
    fn access(
        &self,
        ratchet: &Ratchet,
        shown: &Shown<'_>,
        generation: Generation,
        at: Timestamp,
    ) -> Result<Access, Error> {
        let parent = &shown.record;
        let mut about = at.as_millis().to_be_bytes().to_vec();
        about.extend(shown.request.to_bytes());
        let drawn = ratchet.derive_random(shown.bearer, generation, &about);
        let id = TokenId::draw(at, shown.loaded.id.lane(), &drawn)?;
        let bearer =
            BearerToken::draw(&self.inner.prefix, Kind::Access, id, Generation::FIRST, &drawn)?;
        let mut record = narrowed(shown.loaded.id, parent, shown.request)?;
        record.digest = bearer.digest();
        record.issued_at = at;
        let ttl = shown.request.access_ttl.unwrap_or(self.inner.lifetimes.access);
        record.expires_at = [Some(at + ttl), end_of(parent)].into_iter().flatten().min();
        record.changes =
            vec![Change { at, by: shown.request.by.clone(), what: ChangeKind::Issued }];
        let keep_until = self.inner.retention.keep_until(at, record.expires_at);
        let loaded = Loaded {
            id,
            body: Vec::new(),
            key: KeyVersion::PLAINTEXT,
            version: RecordVersion(1),
            stamp: shown.loaded.stamp,
            keep_until: keep_until.min(shown.loaded.keep_until),
            uses_left: None,
            last_used: None,
            epochs: Epochs::default(),
            sent: MonotonicInstant::now(),
            verdict: Verdict::Clear,
        };
        Ok(Access { bearer, record, loaded })
    }

    fn to_store(&self, access: &Access) -> NewRecord {
        let namespace = self.inner.store.namespace();
        NewRecord {
            id: access.id(),
            body: codec::encode(&access.record),
            key: KeyVersion::PLAINTEXT,
            keep_until: access.loaded.keep_until,
            uses_left: None,
            epochs: epochs_of(namespace, &access.record),
            terms: terms_of(namespace, &access.record),
            // Whatever the refresh token falls by, its access tokens fall by.
            stamp: StampRule::Seen(access.loaded.stamp),
            counted: Some(access.record.counted()),
        }
    }
}

/// The least by which two times differ that ids are drawn from.
const MOMENT: Ttl = Ttl::saturating_from_millis(1);

/// What a refresh token says, for an access token that is to say no more.
fn narrowed(id: TokenId, parent: &Record, request: &RequestParts) -> Result<Record, InvalidValue> {
    let extent = Extent { scopes: &parent.scopes, audiences: &parent.audiences };
    extent.contains(Extent { scopes: &request.scopes, audiences: &request.audiences })?;
    Ok(Record {
        kind: Kind::Access,
        scopes: if request.scopes.is_empty() { &parent.scopes } else { &request.scopes }.clone(),
        audiences: if request.audiences.is_empty() {
            parent.audiences.clone()
        } else {
            request.audiences.clone()
        },
        not_before: None,
        idle_timeout: None,
        absolute_expiry: None,
        generation: Generation::FIRST,
        family: Some(family_under(id, parent.family)),
        ancestors: line_under(id, &parent.ancestors)?,
        ratchet: None,
        rotation: None,
        secrets: None,
        ..parent.clone()
    })
}

fn issued(access: &Access) -> EventKind {
    let record = &access.record;
    EventKind::Issued {
        token: access.id(),
        kind: Kind::Access,
        subject: record.subject.clone(),
        client: record.client.clone(),
        family: record.family,
        device: record.metadata.device.id.clone(),
        ip: record.metadata.device.ip,
    }
}
