//! Issuing tokens: one, many, or one from another.

use futures_util::{Stream, StreamExt, stream};

use super::TokenManager;
use super::descent::{family_under, last_end, line_under, narrow};
use super::sessions::Turn;
use crate::bearer::ratchet::Ratchet;
use crate::bearer::{BearerToken, Generation};
use crate::codec::{self, Change, Record, Secrets};
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::field::Field;
use crate::id::{FamilyId, Lane, TokenId};
use crate::invalid::{InvalidReason, InvalidValue};
use crate::namespace::{Namespace, Term};
use crate::rotation::Rotation;
use crate::seal::KeyVersion;
use crate::store::{
    Epochs, Insert, Inserted, Loaded, MonotonicInstant, NewRecord, RecordVersion, Stamp, StampRule,
    StoreError, Verdict,
};
use crate::text::Actor;
use crate::time::Timestamp;
use crate::token::{
    ActorChain, ChangeKind, Expiry, Grant, GrantParts, Kind, LoginStamp, Token, TokenState,
};

/// A token that was issued, with its bearer: the only time that it is seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// Its secret. Hand it to its owner and forget it.
    pub bearer: BearerToken,
}

/// How many ids are drawn before a clash is believed to be no accident.
const DRAWS: usize = 4;
/// How many tokens `issue_many` has under way at once.
const AT_ONCE: usize = 128;

/// What a token that is minted from another takes over from it.
pub(super) struct Parent<'a> {
    pub(super) token: &'a Token,
    pub(super) stamp: Stamp,
    pub(super) keep_until: Timestamp,
}

/// A new token, all but its id and its secret.
pub(super) struct Prepared {
    record: Record,
    /// Whether it is the root of a family.
    is_root: bool,
    lane: Lane,
    pub(super) keep_until: Timestamp,
    uses_left: Option<u32>,
    seen: Option<Stamp>,
    by: Option<Actor>,
    now: Timestamp,
}

/// What came of storing a new token.
pub(super) enum Outcome {
    Issued(Box<Issued>),
    /// What it rests on was revoked.
    Refused,
    /// Another session was stored in between.
    Overtaken,
}

impl TokenManager {
    /// Issues a token.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the grant does not hold, [`Error::Superseded`] when everything of
    /// its subject was revoked after the stamp that the grant has seen, [`Error::TooManySessions`]
    /// when a policy denies one more, [`Error::Contended`], [`Error::Store`].
    pub async fn issue(&self, grant: Grant) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        match (&self.inner.sessions, parts.kind, parts.subject.clone()) {
            (Some(policy), Kind::Session, Some(subject)) => {
                Box::pin(self.issue_session(policy, subject, parts)).await
            }
            _ => self.issue_from(parts, None).await,
        }
    }

    /// Issues many tokens, in the order of the grants, with many under way at once.
    pub fn issue_many<'a>(
        &'a self,
        grants: impl IntoIterator<Item = Grant> + 'a,
    ) -> impl Stream<Item = Result<Issued, Error>> + 'a {
        stream::iter(grants).map(|grant| self.issue(grant)).buffered(AT_ONCE)
    }

    /// Issues a token from another: in its lane and its family, for the same subject and client,
    /// with no more scope, no other audience and no longer life, and revoked with it.
    ///
    /// # Errors
    /// [`Error::Ended`] when the other is not active, [`Error::Invalid`] when the grant is wider
    /// than it, and those of [`TokenManager::issue`].
    pub async fn mint(&self, from: TokenId, grant: Grant) -> Result<Issued, Error> {
        let parts = grant.into_parts()?;
        let (loaded, record) = self.load(from).await?;
        let token = record.into_token(&loaded);
        let state = token.state(self.now());
        if state != TokenState::Active {
            return Err(Error::Ended { id: from, state });
        }
        let parts = narrow(parts, &token)?;
        let Loaded { stamp, keep_until, .. } = loaded;
        let parent = Parent { token: &token, stamp, keep_until };
        match self.issue_from(parts, Some(parent)).await {
            Err(Error::Superseded) => Err(Error::Ended { id: from, state: TokenState::Revoked }),
            outcome => outcome,
        }
    }

    pub(super) async fn issue_from(
        &self,
        parts: GrantParts,
        parent: Option<Parent<'_>>,
    ) -> Result<Issued, Error> {
        let prepared = self.prepare(parts, parent)?;
        match self.store_new(prepared, None).await? {
            Outcome::Issued(issued) => Ok(*issued),
            Outcome::Refused | Outcome::Overtaken => Err(Error::Superseded),
        }
    }

    /// Makes all of a new token but its id and its secret.
    pub(super) fn prepare(
        &self,
        parts: GrantParts,
        parent: Option<Parent<'_>>,
    ) -> Result<Prepared, Error> {
        let inner = &*self.inner;
        let now = self.now();
        let lane = self.lane_for(&parts, parent.as_ref())?;
        if parts.login.is_some_and(|login| login.lane != lane) {
            let rule = "it was begun for another subject: begin it for the one that is issued to";
            return Err(
                InvalidValue::new(Field::Login, InvalidReason::Contradiction { rule }).into()
            );
        }
        if parts.login.is_some_and(|login| now > login.at + LoginStamp::MAX_AGE) {
            return Err(Error::Superseded);
        }
        let login = parts.login.map(|login| login.stamp);
        let seen = parent.as_ref().map(|parent| parent.stamp).or(login);
        let (kind, uses_left, by) = (parts.kind, parts.uses, parts.by.clone());
        let record = record_of(parts, parent.as_ref(), now, inner.lifetimes.of(kind))?;
        // A renewal may move the expiry up to the absolute one.
        let end = record.absolute_expiry.or(record.expires_at);
        let mut keep_until = inner.retention.keep_until(now, end);
        if let Some(parent) = &parent {
            keep_until = keep_until.min(parent.keep_until);
        }
        let is_root = matches!(kind, Kind::Refresh | Kind::Session) && parent.is_none();
        Ok(Prepared { record, is_root, lane, keep_until, uses_left, seen, by, now })
    }

    /// Draws id and secret of a new token and stores it; a session within a policy in its turn.
    pub(super) async fn store_new(
        &self,
        mut prepared: Prepared,
        turn: Option<&Turn>,
    ) -> Result<Outcome, Error> {
        let inner = &*self.inner;
        let (kind, now) = (prepared.record.kind, prepared.now);
        let inherited = prepared.record.ancestors.clone();
        for _ in 0..DRAWS {
            let operation = self.begin()?;
            let id = TokenId::draw(now, prepared.lane, &*inner.random)?;
            let (bearer, ratchet) = self.draw_bearer(kind, id)?;
            let record = &mut prepared.record;
            record.digest = bearer.digest();
            record.ratchet = ratchet;
            if prepared.is_root {
                // The root answers to the epoch of its own family.
                record.family = Some(FamilyId::from_root(id));
                record.ancestors = inherited.iter().copied().chain([id]).collect();
            }
            let what = EventKind::Issued {
                token: id,
                kind,
                subject: record.subject.clone(),
                client: record.client.clone(),
                family: record.family,
                device: record.metadata.device.id.clone(),
                ip: record.metadata.device.ip,
            };
            let event = Event::new(operation.id, 0, now, what);
            let event = event.by(prepared.by.clone());
            let new = NewRecord {
                id,
                body: codec::encode(record),
                key: KeyVersion::PLAINTEXT,
                keep_until: prepared.keep_until,
                uses_left: prepared.uses_left,
                epochs: epochs_of(inner.store.namespace(), record),
                terms: terms_of(inner.store.namespace(), record),
                stamp: prepared.seen.map_or(StampRule::Present, StampRule::Seen),
                counted: Some(record.counted()),
            };
            let insert = Insert { records: vec![new], events: vec![codec::encode(&event)] };
            let inserted = match turn {
                None => Some(inner.store.insert(operation, insert).await?),
                Some(turn) => self.store_in_turn(turn, operation, insert, &prepared).await?,
            };
            match inserted {
                Some(Inserted::Stored(stamp)) => {
                    self.notify_event_streams();
                    self.count_issued(kind);
                    let loaded = Loaded {
                        id,
                        body: Vec::new(),
                        key: KeyVersion::PLAINTEXT,
                        version: RecordVersion(1),
                        stamp,
                        keep_until: prepared.keep_until,
                        uses_left: prepared.uses_left,
                        last_used: None,
                        epochs: Epochs::default(),
                        sent: MonotonicInstant::now(),
                        verdict: Verdict::Clear,
                    };
                    let record = prepared.record;
                    if kind == Kind::Refresh {
                        inner.known.put(loaded.clone(), record.clone());
                    }
                    let token = record.into_token(&loaded);
                    return Ok(Outcome::Issued(Box::new(Issued { token, bearer })));
                }
                Some(Inserted::Superseded) => return Ok(Outcome::Refused),
                Some(Inserted::IdTaken) => {}
                None => return Ok(Outcome::Overtaken),
            }
        }
        let detail = "it holds every id that was drawn: check the source of randomness";
        Err(StoreError::unavailable(detail).into())
    }

    pub(super) fn count_issued(&self, kind: Kind) {
        self.inner.metrics.handles.tokens_issued.of(kind).increment(1);
        self.start_metrics_publisher();
    }

    fn lane_for(&self, parts: &GrantParts, parent: Option<&Parent<'_>>) -> Result<Lane, Error> {
        let namespace = self.inner.store.namespace();
        match (parent, &parts.subject) {
            (Some(parent), _) => Ok(parent.token.id.lane()),
            (None, Some(subject)) => Ok(namespace.lane_of(subject)),
            (None, None) => Ok(namespace.any_lane(&*self.inner.random)?),
        }
    }

    fn draw_bearer(
        &self,
        kind: Kind,
        id: TokenId,
    ) -> Result<(BearerToken, Option<Ratchet>), Error> {
        let (prefix, random) = (&self.inner.prefix, &*self.inner.random);
        if kind == Kind::Refresh {
            let (ratchet, bearer) = Ratchet::draw(prefix, id, random)?;
            return Ok((bearer, Some(ratchet)));
        }
        Ok((BearerToken::draw(prefix, kind, id, Generation::FIRST, random)?, None))
    }
}

/// The body of a new record, all but its id and its secret.
fn record_of(
    parts: GrantParts,
    parent: Option<&Parent<'_>>,
    now: Timestamp,
    usual: crate::time::Ttl,
) -> Result<Record, InvalidValue> {
    let last = parent.and_then(|parent| last_end(parent.token));
    let absolute_expiry = parts.absolute_lifetime.map(|life| now + life);
    let absolute_expiry = absolute_expiry.map(|end| last.map_or(end, |last| end.min(last)));
    let asked = match parts.expiry {
        // An absolute lifetime alone says how long the token is to be good.
        Expiry::Default if absolute_expiry.is_some() => absolute_expiry,
        Expiry::Default => Some(now + usual),
        Expiry::After(ttl) => Some(now + ttl),
        Expiry::At(at) => Some(at),
        Expiry::Never => None,
    };
    let parent_end = parent.and_then(|parent| parent.token.state_inputs().ends_at);
    let ends = [asked, absolute_expiry, parent_end];
    let expires_at = ends.into_iter().flatten().min();
    let contradiction =
        |field, rule| Err(InvalidValue::new(field, InvalidReason::Contradiction { rule }));
    if expires_at.is_some_and(|end| end <= now) {
        return contradiction(Field::Expiry, "it lies in the past: the token would never be good");
    }
    if let (Some(start), Some(end)) = (parts.not_before, expires_at)
        && start >= end
    {
        return contradiction(Field::NotBefore, "it must lie before the expiry");
    }
    if parts.kind != Kind::Refresh && parts.refresh_policy.is_some() {
        return contradiction(Field::RefreshPolicy, "only a refresh token has one");
    }
    if parts.kind == Kind::Refresh && parts.uses.is_some() {
        let rule = "a refresh token is used once in each generation: leave the number out";
        return contradiction(Field::Uses, rule);
    }
    // A rotation moves the expiry on where there is a later end that it cannot pass.
    let renewal = match parts.expiry {
        Expiry::After(ttl) if parts.kind == Kind::Refresh && absolute_expiry.is_some() => Some(ttl),
        _ => None,
    };
    let rotation = (parts.refresh_policy.is_some() || renewal.is_some()).then(|| Rotation {
        policy: parts.refresh_policy,
        renewal,
        ..Rotation::default()
    });
    let ancestors = parent.map(|parent| line_under(parent.token.id, &parent.token.ancestors));
    let ancestors = ancestors.transpose()?.unwrap_or_default();
    let mut registered = parts.registered;
    if let Some(actor) = parts.acting {
        registered.actors = Some(ActorChain::new(actor, None)?);
    }
    Ok(Record {
        digest: crate::bearer::BearerDigest::from_bytes([0; 32]),
        kind: parts.kind,
        subject: parts.subject,
        issuer: parts.issuer,
        audiences: parts.audiences,
        scopes: parts.scopes,
        client: parts.client,
        issued_at: now,
        not_before: parts.not_before,
        expires_at,
        idle_timeout: parts.idle_timeout,
        absolute_expiry,
        generation: Generation::FIRST,
        family: parent.map(|parent| family_under(parent.token.id, parent.token.family)),
        ancestors,
        metadata: parts.metadata,
        registered,
        private: parts.private,
        ratchet: None,
        changes: vec![Change { at: now, by: parts.by, what: ChangeKind::Issued }],
        rotation,
        secrets: (parts.kind == Kind::ApiKey).then(Secrets::first),
    })
}

pub(super) fn epochs_of(namespace: &Namespace, record: &Record) -> Epochs {
    Epochs {
        subject: record.subject.as_ref().map(|subject| namespace.subject_epoch(subject)),
        client: record.client.as_ref().map(|client| namespace.client_epoch(client)),
        ancestors: record.ancestors.iter().map(|id| namespace.ancestor_epoch(*id)).collect(),
    }
}

/// What a record is listed under.
pub(super) fn terms_of(namespace: &Namespace, record: &Record) -> Vec<Term> {
    let metadata = &record.metadata;
    let mut terms = vec![namespace.all()];
    terms.extend(record.subject.as_ref().map(|subject| namespace.subject(subject)));
    terms.extend(record.client.as_ref().map(|client| namespace.client(client)));
    terms.extend(record.family.map(|family| namespace.family(family.root())));
    terms.extend(metadata.device.id.as_ref().map(|device| namespace.device(device)));
    terms.extend(metadata.app.as_ref().map(|app| namespace.app(app)));
    terms.extend(metadata.tags.iter().map(|tag| namespace.tag(tag)));
    terms.extend(metadata.labels.iter().map(|(key, value)| namespace.label(key, value)));
    terms
}
