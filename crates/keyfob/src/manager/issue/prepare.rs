//! Everything of a new token that does not depend on its id and its secret.

use super::lifetime::{Lifetime, ParentEnds, check_consistency};
use super::repeatable::Repeatable;
use crate::codec::{Change, Record, Secrets};
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::descent::line_under;
use keyfob_core::bearer::{BearerDigest, BearerKey, Generation};
use keyfob_core::field::Field;
use keyfob_core::id::{FamilyId, Lane};
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::rotation::Rotation;
use keyfob_core::text::Actor;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{ActorChain, ChangeKind, GrantParts, Kind, LoginStamp, Token};
use keyfob_store::{Stamp, StampRule};

/// The token that a new one comes from.
pub(in crate::manager) struct Parent<'a> {
    pub(in crate::manager) token: &'a Token,
    pub(in crate::manager) stamp: Stamp,
    pub(in crate::manager) keep_until: Timestamp,
}

/// A new token without its id and its secret.
pub(in crate::manager) struct Prepared {
    pub(super) record: Record,
    /// Whether it is the root of a family.
    pub(super) is_root: bool,
    pub(super) lane: Lane,
    pub(super) keep_until: Timestamp,
    pub(super) uses_left: Option<u32>,
    pub(super) stamp: StampRule,
    pub(super) by: Option<Actor>,
    pub(super) now: Timestamp,
    pub(super) repeatable: Option<Repeatable>,
    /// What the secret follows from, if the token is presented in another form.
    pub(super) bearer_key: Option<BearerKey>,
}

impl TokenManager {
    /// Prepares a new token, and refuses a grant that is not valid.
    pub(in crate::manager) fn prepare(
        &self,
        parts: GrantParts,
        parent: Option<Parent<'_>>,
        repeatable: Option<&Repeatable>,
    ) -> Result<Prepared, Error> {
        let inner = &*self.inner;
        let now = repeatable.map_or_else(|| self.now(), |repeatable| repeatable.at);
        let lane = self.lane_for(&parts, parent.as_ref(), repeatable)?;
        if parts.login.is_some_and(|login| login.lane != lane) {
            let rule = "it was begun for another subject: begin it for the one that is issued to";
            let reason = InvalidReason::Contradiction { rule };
            return Err(InvalidValue::new(Field::Login, reason).into());
        }
        if parts.login.is_some_and(|login| now > login.at + LoginStamp::MAX_AGE) {
            return Err(Error::Superseded);
        }
        let login = parts.login.map(|login| login.stamp);
        let seen = parent.as_ref().map(|parent| parent.stamp).or(login);
        let default = inner.lifetimes.of(parts.kind);
        let parent_ends = parent.as_ref().map(|parent| ParentEnds::of(parent.token));
        let lifetime = Lifetime::resolve(&parts, parent_ends.unwrap_or_default(), default, now)?;
        check_consistency(&parts)?;
        // A renewal may move the expiry up to the last end.
        let mut keep_until = inner.retention.keep_until(now, lifetime.last_end());
        if let Some(parent) = &parent {
            keep_until = keep_until.min(parent.keep_until);
        }
        let bearer_key = match &parts.jwt {
            Some((_, key)) => Some(key.clone()),
            None => parts.registered.client_key.as_ref().map(|_| self.client_bearer_key()),
        };
        let (uses_left, by) = (parts.uses, parts.by.clone());
        let is_root = matches!(parts.kind, Kind::Refresh | Kind::Session) && parent.is_none();
        let record = record_of(parts, parent.as_ref(), lifetime, now)?;
        let stamp = seen.map_or(StampRule::Present, StampRule::Seen);
        let repeatable = repeatable.cloned();
        Ok(Prepared {
            record,
            is_root,
            lane,
            keep_until,
            uses_left,
            stamp,
            by,
            now,
            repeatable,
            bearer_key,
        })
    }

    fn lane_for(
        &self,
        parts: &GrantParts,
        parent: Option<&Parent<'_>>,
        repeatable: Option<&Repeatable>,
    ) -> Result<Lane, Error> {
        let namespace = self.inner.store.namespace();
        match (parent, &parts.subject, repeatable) {
            (Some(parent), ..) => Ok(parent.token.id.lane()),
            (None, Some(subject), _) => Ok(namespace.lane_of(subject)),
            (None, None, Some(repeatable)) => Ok(namespace.any_lane(&repeatable.lane_random())?),
            (None, None, None) => Ok(namespace.any_lane(&*self.inner.random)?),
        }
    }
}

/// Returns the body of a new record, which lacks its digest and its ratchet.
fn record_of(
    parts: GrantParts,
    parent: Option<&Parent<'_>>,
    lifetime: Lifetime,
    now: Timestamp,
) -> Result<Record, InvalidValue> {
    let Lifetime { expires_at, absolute_expiry, renewal } = lifetime;
    let rotation = (parts.refresh_policy.is_some() || renewal.is_some()).then(|| Rotation {
        policy: parts.refresh_policy,
        renewal,
        ..Rotation::default()
    });
    let ancestors = parent.map(|parent| line_under(parent.token.id, &parent.token.ancestors));
    let ancestors = ancestors.transpose()?.unwrap_or_default();
    let jwt = parts.jwt.map(|(form, _)| form);
    let mut registered = parts.registered;
    if let Some(actor) = parts.acting {
        registered.actors = Some(ActorChain::new(actor, None)?);
    }
    Ok(Record {
        digest: BearerDigest::from_bytes([0; 32]),
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
        family: parent.map(|parent| FamilyId::under(parent.token.id, parent.token.family)),
        ancestors,
        metadata: parts.metadata,
        registered,
        private: parts.private,
        ratchet: None,
        changes: vec![Change { at: now, by: parts.by, what: ChangeKind::Issued }],
        rotation,
        secrets: (parts.kind == Kind::ApiKey).then(Secrets::first),
        jwt,
    })
}
