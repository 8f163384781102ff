//! What is asked for with a refresh token.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::jwt::{JwtRequest, OtherKey};
use crate::codec::Record;
use keyfob_core::bearer::BearerKey;
use keyfob_core::invalid::InvalidValue;
use keyfob_core::names::NameSet;
use keyfob_core::text::{Actor, Audience, ClientId, Scope};
use keyfob_core::time::Ttl;
use keyfob_core::token::{Confirmation, JwtForm};

/// What is asked for with a refresh token, and by whom.
///
/// A retry that asks for the same gets the same pair. Each part is checked as it is given. The first
/// part that is not valid is reported when the request is made.
#[derive(Clone, Debug, Default)]
pub struct RefreshRequest {
    pub(in crate::manager) parts: RequestParts,
    invalid: Option<InvalidValue>,
}

#[derive(Clone, Debug, Default)]
pub(in crate::manager) struct RequestParts {
    pub(super) client: Option<ClientId>,
    pub(super) confirmation: Option<Confirmation>,
    pub(super) binding: Binding,
    pub(super) scopes: NameSet<Scope>,
    pub(super) audiences: NameSet<Audience>,
    pub(super) access_ttl: Option<Ttl>,
    pub(in crate::manager) jwt: Option<JwtRequest>,
    pub(super) other_jwt_keys: Vec<OtherKey>,
    pub(in crate::manager) by: Option<Actor>,
}

/// What is bound to the key that the request proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Binding {
    /// Nothing more than is bound already.
    #[default]
    Kept,
    Access,
    Pair,
}

impl RefreshRequest {
    /// Creates a request for everything that the refresh token allows.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, set: impl FnOnce(&mut RequestParts) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self.parts).err();
        }
        self
    }

    /// Names the client that presents the refresh token, after the client was authenticated. A
    /// refresh token of another client is refused.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| {
            parts.client = Some(client.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Names the key of which possession was proven with the request. A refresh token that is bound
    /// to a key is refused without it.
    pub fn confirmation(self, key: Confirmation) -> Self {
        self.with(|parts| {
            parts.confirmation = Some(key);
            Ok(())
        })
    }

    /// Binds the access token to a key, of which possession was proven with the request. The refresh token stays
    /// as it is: its client authenticates (RFC 9449 section 5).
    pub fn bind_access(self, key: Confirmation) -> Self {
        self.with(|parts| {
            parts.binding = Binding::Access;
            Ok(())
        })
        .confirmation(key)
    }

    /// Binds the access token and the refresh token to a key, of which possession was proven with the request.
    /// This is for a public client (RFC 9449 section 5). From then on, the refresh token is refused without a
    /// proof of this key.
    pub fn bind_pair(self, key: Confirmation) -> Self {
        self.with(|parts| {
            parts.binding = Binding::Pair;
            Ok(())
        })
        .confirmation(key)
    }

    /// Narrows the access token to this scope and the others that are named in the same way. If none
    /// is named, it has the scopes of the refresh token.
    pub fn scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Narrows the access token to several scopes, separated by spaces.
    pub fn scopes(self, scopes: &str) -> Self {
        scopes.split_ascii_whitespace().fold(self, Self::scope)
    }

    /// Narrows the access token to this audience and the others that are named in the same way.
    pub fn audience(self, audience: impl TryInto<Audience, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.audiences.insert(audience.try_into().map_err(Into::into)?))
    }

    /// Sets the lifetime of the access token, at most that of the family.
    pub fn access_ttl(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.access_ttl = Some(ttl);
            Ok(())
        })
    }

    /// Has the access token issued in the form of a JWT, as [`Grant::jwt`](crate::Grant::jwt) does. A retry gets the
    /// place in a status list that the first attempt has taken.
    pub fn jwt(self, form: JwtForm, key: BearerKey) -> Self {
        self.with(|parts| {
            parts.jwt = Some(JwtRequest { form, key, only_for: None });
            Ok(())
        })
    }

    /// Has the access token issued as [`RefreshRequest::jwt`] does, if it is for these audiences alone. Then it lives
    /// for `max_ttl` at most. If it is for none of them, it is opaque. A request for both is refused, and so is a JWT
    /// of a refresh token without a client.
    pub fn jwt_for(
        self,
        audiences: impl IntoIterator<Item = Audience>,
        max_ttl: Ttl,
        form: JwtForm,
        key: BearerKey,
    ) -> Self {
        self.with(|parts| {
            let audiences: BTreeSet<_> = audiences.into_iter().collect();
            parts.jwt = Some(JwtRequest { form, key, only_for: Some((audiences, max_ttl)) });
            Ok(())
        })
    }

    /// Names a key that another node may use for a JWT, while the active key is replaced. A retry gets the token that
    /// the first attempt was given with that key.
    pub fn jwt_key(self, version: u16, key: BearerKey) -> Self {
        self.with(|parts| {
            parts.other_jwt_keys.push(OtherKey { version, key });
            Ok(())
        })
    }

    /// Names the person or service that asks, for the events and the history.
    pub fn by(self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| {
            parts.by = Some(actor.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Checks that every given part is valid.
    ///
    /// # Errors
    /// The first part that is not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }
}

impl RequestParts {
    /// Returns the key that the access token is to be bound to, if the request says so.
    pub(super) fn bound_to(&self) -> Option<&Confirmation> {
        match self.binding {
            Binding::Kept => None,
            Binding::Access | Binding::Pair => self.confirmation.as_ref(),
        }
    }

    /// Returns the key that the refresh token is to be bound to, if the request says so.
    pub(super) fn pair_bound_to(&self) -> Option<&Confirmation> {
        self.bound_to().filter(|_| self.binding == Binding::Pair)
    }

    /// Returns the same request, with the form of the access token decided by its audiences.
    ///
    /// # Errors
    /// If no form is right for it.
    pub(in crate::manager) fn resolved(
        &self,
        refresh: &Record,
    ) -> Result<Cow<'_, Self>, InvalidValue> {
        let Some(JwtRequest { form, key, only_for: Some((wanted, max_ttl)) }) = &self.jwt else {
            return Ok(Cow::Borrowed(self));
        };
        let audiences =
            if self.audiences.is_empty() { &refresh.audiences } else { &self.audiences };
        let mut resolved = self.clone();
        if JwtRequest::is_for(wanted, audiences, refresh.client.as_ref())? {
            resolved.jwt = Some(JwtRequest { form: *form, key: key.clone(), only_for: None });
            resolved.access_ttl = Some(self.access_ttl.map_or(*max_ttl, |ttl| ttl.min(*max_ttl)));
        } else {
            resolved.jwt = None;
        }
        Ok(Cow::Owned(resolved))
    }

    /// Returns everything that the access token depends on, always in the same form.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.access_ttl.map_or(0, Ttl::as_millis).to_be_bytes().to_vec();
        let scopes = self.scopes.iter().map(Scope::as_str);
        let audiences = self.audiences.iter().map(Audience::as_str);
        // No name is empty or has a control character in it.
        for name in scopes.chain([""]).chain(audiences) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'\n');
        }
        if self.jwt.is_some() {
            // No audience has a control character in it.
            bytes.extend_from_slice(b"\n\n");
        }
        if let Some(key) = self.bound_to() {
            bytes.extend_from_slice(b"\n");
            bytes.extend_from_slice(key.thumbprint().as_str().as_bytes());
        }
        bytes
    }
}
