//! The access token that a refresh token gives.

use super::exchange::Exchange;
use super::request::RequestParts;
use crate::codec::{Change, Record};
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::descent::{Extent, line_under};
use crate::manager::issue::NewToken;
use keyfob_core::bearer::{BearerToken, Generation};
use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::invalid::InvalidValue;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{ChangeKind, Kind};
use keyfob_store::StampRule;

/// Returns the record of the access token that a refresh token gives at `at`, without its digest. It
/// takes over everything that a refresh token says, and the request narrows it.
///
/// # Errors
/// When the request asks for more than the refresh token allows.
pub(in crate::manager) fn access_record(
    id: TokenId,
    refresh: &Record,
    request: &RequestParts,
    default: Ttl,
    at: Timestamp,
) -> Result<Record, InvalidValue> {
    let extent = Extent { scopes: &refresh.scopes, audiences: &refresh.audiences };
    extent.contains(Extent { scopes: &request.scopes, audiences: &request.audiences })?;
    let scopes = if request.scopes.is_empty() { &refresh.scopes } else { &request.scopes };
    let audiences =
        if request.audiences.is_empty() { &refresh.audiences } else { &request.audiences };
    let end = at + request.access_ttl.unwrap_or(default);
    let ends = [Some(end), refresh.expires_at, refresh.absolute_expiry];
    let mut registered = refresh.registered.clone();
    registered.confirmation = request.bound_to().cloned().or(registered.confirmation);
    Ok(Record {
        kind: Kind::Access,
        scopes: scopes.clone(),
        audiences: audiences.clone(),
        issued_at: at,
        not_before: None,
        expires_at: ends.into_iter().flatten().min(),
        idle_timeout: None,
        absolute_expiry: None,
        generation: Generation::FIRST,
        family: Some(FamilyId::under(id, refresh.family)),
        ancestors: line_under(id, &refresh.ancestors)?,
        ratchet: None,
        changes: vec![Change { at, by: request.by.clone(), what: ChangeKind::Issued }],
        rotation: None,
        secrets: None,
        jwt: request.jwt.as_ref().map(|jwt| jwt.form),
        registered,
        ..refresh.clone()
    })
}

impl TokenManager {
    /// Draws the access token that comes with `generation`, which was reached at `at`.
    ///
    /// Its id and its secret are functions of the presented bearer token, the record and the request,
    /// so every node that draws it gets the same.
    pub(super) fn draw_access(
        &self,
        exchange: &Exchange<'_>,
        generation: Generation,
        at: Timestamp,
    ) -> Result<NewToken, Error> {
        let Exchange { bearer, ratchet, stored, .. } = exchange;
        let request = &*exchange.request.resolved(&stored.record)?;
        let mut drawn_from = at.as_millis().to_be_bytes().to_vec();
        drawn_from.extend(request.to_bytes());
        let random = ratchet.derive_random(bearer, generation, &drawn_from);
        let prefix = &self.inner.prefix;
        let namespace = self.inner.store.namespace();
        let id = namespace.draw_shared_id(at, stored.id.lane(), &random)?;
        let bearer = match &request.jwt {
            Some(jwt) => jwt.key.bearer(prefix, Kind::Access, id)?,
            None => BearerToken::draw(prefix, Kind::Access, id, Generation::FIRST, &random)?,
        };
        let default = self.inner.lifetimes.access;
        let mut record = access_record(stored.id, &stored.record, request, default, at)?;
        record.digest = bearer.digest();
        let keep_until = self.inner.retention.keep_until(at, record.expires_at);
        let keep_until = keep_until.min(stored.clear.keep_until);
        // Each end of the refresh token ends its access tokens.
        let stamp = StampRule::Seen(stored.clear.stamp);
        Ok(NewToken { id, bearer, record, keep_until, uses_left: None, stamp })
    }
}
