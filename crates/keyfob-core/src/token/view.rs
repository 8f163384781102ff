//! The JSON form of a token: one documented shape for the command line and the wire.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Claims, PrivateClaims, RecordIntegrity, Revocation, Token};
use crate::time::Timestamp;

/// A token with its state at one moment, for serialization.
///
/// [`Token::view`] creates it.
///
/// ```json
/// {"id":"tok_…","kind":"access","state":"active","subject":"user123","issuer":null,"audience":[],
///  "scopes":["read"],"client":null,"issued_at":"2026-11-24T08:30:00Z","not_before":null,
///  "expires_at":"2026-11-24T09:30:00Z","idle_timeout":null,"absolute_expiry":null,
///  "last_used":null,"family":null,"uses_left":null,"metadata":{"device":{"id":null,
///  "user_agent":null,"ip":null,"platform":null,"version":null},"app":null,"app_version":null,
///  "labels":{},"tags":[]},"claims":{},"revocation":null}
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokenView<'a> {
    token: &'a Token,
    now: Timestamp,
}

impl Token {
    /// Returns the token as JSON shows it, with its state at `now`.
    pub fn view(&self, now: Timestamp) -> TokenView<'_> {
        TokenView { token: self, now }
    }
}

impl Serialize for TokenView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Token { id, kind, subject, issuer, audiences, scopes, client, .. } = self.token;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("kind", kind)?;
        map.serialize_entry("state", self.token.state(self.now).as_str())?;
        map.serialize_entry("subject", subject)?;
        map.serialize_entry("issuer", issuer)?;
        map.serialize_entry("audience", audiences)?;
        map.serialize_entry("scopes", scopes)?;
        map.serialize_entry("client", client)?;
        map.serialize_entry("issued_at", &self.token.issued_at)?;
        map.serialize_entry("not_before", &self.token.not_before)?;
        map.serialize_entry("expires_at", &self.token.expires_at)?;
        map.serialize_entry("idle_timeout", &self.token.idle_timeout)?;
        map.serialize_entry("absolute_expiry", &self.token.absolute_expiry)?;
        map.serialize_entry("last_used", &self.token.last_used)?;
        map.serialize_entry("family", &self.token.family)?;
        let ancestors = self.token.parents();
        if !ancestors.is_empty() {
            map.serialize_entry("ancestors", ancestors)?;
        }
        if let Some(until) = self.token.older_secret_until.filter(|until| self.now < *until) {
            map.serialize_entry("older_secret_until", &until)?;
        }
        map.serialize_entry("uses_left", &self.token.uses_left)?;
        map.serialize_entry("metadata", &self.token.metadata)?;
        map.serialize_entry("claims", &self.token.claims)?;
        if let Some(jwt) = &self.token.jwt {
            map.serialize_entry("jwt", jwt)?;
        }
        if let Some(key) = &self.token.claims.registered.client_key {
            map.serialize_entry("client_key", key)?;
        }
        map.serialize_entry("revocation", &self.token.revocation)?;
        if self.token.integrity == RecordIntegrity::EpochsLost {
            map.serialize_entry("integrity", "epochs_lost")?;
        }
        map.end()
    }
}

impl Serialize for Revocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("by", &self.by)?;
        map.serialize_entry("through", self.through.as_str())?;
        map.end()
    }
}

impl Serialize for Claims<PrivateClaims> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let registered = &self.registered;
        if let Some(username) = &registered.username {
            map.serialize_entry("username", username)?;
        }
        if let Some(auth_time) = registered.auth_time {
            map.serialize_entry("auth_time", &auth_time.as_secs())?;
        }
        if let Some(context) = &registered.authentication_context {
            map.serialize_entry("acr", context)?;
        }
        if !registered.authentication_methods.is_empty() {
            map.serialize_entry("amr", &registered.authentication_methods)?;
        }
        if let Some(confirmation) = &registered.confirmation {
            map.serialize_entry("cnf", confirmation)?;
        }
        if let Some(actors) = &registered.actors {
            map.serialize_entry("act", actors)?;
        }
        if let Some(may_issue) = &registered.may_issue {
            map.serialize_entry("may_issue", may_issue)?;
        }
        for (name, value) in self.private.members() {
            map.serialize_entry(&name, value)?;
        }
        map.end()
    }
}
