//! A refresh token together with its first access token.

use super::new_token::{IssuedPair, NewToken};
use super::store::{DRAW_LIMIT, no_free_id};
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::modify::encode_event;
use crate::manager::refresh::{RefreshRequest, access_record};
use keyfob_core::bearer::{BearerToken, Generation};
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::rotation::Rotation;
use keyfob_core::token::{Grant, Kind};
use keyfob_store::{Insert, Inserted};

impl TokenManager {
    /// Issues a refresh token together with its first access token, in one step of the store: both
    /// are stored, or neither is.
    ///
    /// The grant is that of the refresh token. The access token has the same subject, client,
    /// scopes, audiences, claims and metadata, belongs to the same family, and expires no later
    /// than the refresh token. `request` narrows the access token, and sets its lifetime and the
    /// actor, as in [`TokenManager::refresh`]. The first pair has the same form as every later
    /// pair.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, RefreshRequest, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let grant = Grant::new(Kind::Refresh).subject("user123").client("web").scopes("read write");
    /// let first = manager.issue_pair(grant, RefreshRequest::new()).await?;
    /// assert_eq!(first.access.token.scopes, first.refresh.token.scopes);
    ///
    /// let next = manager.refresh(&first.refresh.bearer, RefreshRequest::new()).await?;
    /// assert_eq!(next.refresh.token.id, first.refresh.token.id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] when the kind of the grant is not refresh, when the grant starts in the
    /// future or is not valid, or when the request asks for more than the grant allows;
    /// [`Error::Superseded`] as for [`TokenManager::issue`]; [`Error::Store`].
    pub async fn issue_pair(
        &self,
        grant: Grant,
        request: RefreshRequest,
    ) -> Result<IssuedPair, Error> {
        request.check()?;
        let mut parts = grant.into_parts()?;
        if parts.kind != Kind::Refresh {
            return contradiction(Field::Kind, "only a grant of kind refresh can issue a pair");
        }
        if parts.not_before.is_some() {
            let rule = "the access token of a pair is valid immediately. To set a later start, \
                        issue only the refresh token";
            return contradiction(Field::NotBefore, rule);
        }
        parts.by = parts.by.or_else(|| request.parts.by.clone());
        let prepared = self.prepare(parts, None, None)?;
        let (namespace, now) = (self.inner.store.namespace(), prepared.now);
        let by = prepared.by.as_ref();
        for _ in 0..DRAW_LIMIT {
            let operation = self.begin()?;
            let mut refresh = self.draw(&prepared)?;
            let access = self.draw_first_access(&refresh, &request)?;
            let rotation = refresh.record.rotation.take().unwrap_or_default();
            refresh.record.rotation = Some(Rotation { access: Some(access.id), ..rotation });
            let events = [refresh.issued_event(), access.issued_event()].into_iter().enumerate();
            let events = events.map(|(n, event)| encode_event(&operation, n, now, by, event));
            let insert = Insert {
                records: vec![refresh.to_record(namespace), access.to_record(namespace)],
                events: events.collect(),
            };
            let epochs = refresh.epochs_to_remember(&insert);
            match self.inner.store.insert(operation, insert).await? {
                Inserted::Stored(stamp) => {
                    self.remember_refresh_record(&refresh, epochs, stamp);
                    let (access, refresh) = (self.finish(access), self.finish(refresh));
                    return Ok(IssuedPair { access, refresh });
                }
                Inserted::Superseded => return Err(Error::Superseded),
                Inserted::IdTaken => {}
            }
        }
        Err(no_free_id())
    }

    fn draw_first_access(
        &self,
        refresh: &NewToken,
        request: &RefreshRequest,
    ) -> Result<NewToken, Error> {
        let inner = &*self.inner;
        let at = refresh.record.issued_at;
        let id = inner.store.namespace().draw_id(at, refresh.id.lane(), &*inner.random)?;
        let (prefix, random) = (&inner.prefix, &*inner.random);
        let parts = &*request.parts.resolved(&refresh.record)?;
        let bearer = match &parts.jwt {
            Some(jwt) => jwt.key.bearer(prefix, Kind::Access, id)?,
            None => BearerToken::draw(prefix, Kind::Access, id, Generation::FIRST, random)?,
        };
        let (parent, default) = (&refresh.record, inner.lifetimes.access);
        let mut record = access_record(refresh.id, parent, parts, default, at)?;
        record.digest = bearer.digest();
        // Both tokens record the same actor. It comes from the grant or from the request.
        record.changes.clone_from(&parent.changes);
        let keep_until = inner.retention.keep_until(at, record.expires_at);
        let keep_until = keep_until.min(refresh.keep_until);
        Ok(NewToken { id, bearer, record, keep_until, uses_left: None, stamp: refresh.stamp })
    }
}

fn contradiction<T>(field: Field, rule: &'static str) -> Result<T, Error> {
    Err(InvalidValue::new(field, InvalidReason::Contradiction { rule }).into())
}
