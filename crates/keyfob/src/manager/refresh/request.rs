//! What is asked for with a refresh token.

use crate::invalid::InvalidValue;
use crate::names::NameSet;
use crate::text::{Actor, Audience, ClientId, Scope};
use crate::time::Ttl;
use crate::token::Confirmation;

/// What is asked for with a refresh token, and by whom.
///
/// A retry that asks for the same gets the same. Each part is checked as it is given; the first
/// that does not hold is reported when the request is made.
#[derive(Clone, Debug, Default)]
pub struct RefreshRequest {
    pub(in crate::manager) parts: RequestParts,
    invalid: Option<InvalidValue>,
}

#[derive(Clone, Debug, Default)]
pub(in crate::manager) struct RequestParts {
    pub(super) client: Option<ClientId>,
    pub(super) confirmation: Option<Confirmation>,
    pub(super) scopes: NameSet<Scope>,
    pub(super) audiences: NameSet<Audience>,
    pub(super) access_ttl: Option<Ttl>,
    pub(in crate::manager) by: Option<Actor>,
}

impl RefreshRequest {
    /// A request for all that the refresh token allows, by whoever presents it.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, set: impl FnOnce(&mut RequestParts) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self.parts).err();
        }
        self
    }

    /// The client that presents it, once it has been authenticated. A refresh token that names
    /// another is refused.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| {
            parts.client = Some(client.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// The key of which possession was proven with the request. A refresh token that is bound to a
    /// key is refused without it.
    pub fn confirmation(self, key: Confirmation) -> Self {
        self.with(|parts| {
            parts.confirmation = Some(key);
            Ok(())
        })
    }

    /// Narrows the access token to this scope, beside all others that are named so. Without any,
    /// it has those of the refresh token.
    pub fn scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Narrows it to several, separated by spaces.
    pub fn scopes(self, scopes: &str) -> Self {
        scopes.split_ascii_whitespace().fold(self, Self::scope)
    }

    /// Narrows the access token to this audience, beside all others that are named so.
    pub fn audience(self, audience: impl TryInto<Audience, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| parts.audiences.insert(audience.try_into().map_err(Into::into)?))
    }

    /// How long the access token is to be good, but no longer than the family.
    pub fn access_ttl(self, ttl: Ttl) -> Self {
        self.with(|parts| {
            parts.access_ttl = Some(ttl);
            Ok(())
        })
    }

    /// Who asks, for the events and the history.
    pub fn by(self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        self.with(|parts| {
            parts.by = Some(actor.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Whether every part that was given holds.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }
}

impl RequestParts {
    /// What the access token depends on, in one way.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.access_ttl.map_or(0, Ttl::as_millis).to_be_bytes().to_vec();
        let scopes = self.scopes.iter().map(Scope::as_str);
        let audiences = self.audiences.iter().map(Audience::as_str);
        // No name is empty or has a control character in it.
        for name in scopes.chain([""]).chain(audiences) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'\n');
        }
        bytes
    }
}
