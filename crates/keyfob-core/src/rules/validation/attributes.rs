//! The attributes of a token that a chain checks.

use crate::names::NameSet;
use crate::text::{Audience, ClaimName, Issuer, Scope};
use crate::time::Timestamp;
use crate::token::{Confirmation, Kind, Token};

/// The attributes that a chain checks, of a [`Token`] or of the entry that a cache holds of one.
pub trait TokenAttributes {
    /// Returns the kind.
    fn kind(&self) -> Kind;
    /// Returns when the token was issued.
    fn issued_at(&self) -> Timestamp;
    /// Returns whether the token has an issuer, and it is one of those.
    fn has_issuer(&self, accepted: &[Issuer]) -> bool;
    /// Returns whether the token has any of the audiences.
    fn has_audience(&self, wanted: &NameSet<Audience>) -> bool;
    /// Returns whether the token has the scope.
    fn has_scope(&self, scope: &Scope) -> bool;
    /// Returns whether the token has a claim of this name.
    fn has_claim(&self, name: &ClaimName) -> bool;
    /// Returns the identifier of the device that the token is bound to.
    fn device_id(&self) -> Option<&str>;
    /// Returns whether the token is bound to a key.
    fn is_bound_to_key(&self) -> bool;
    /// Returns whether the token is bound to this key.
    fn is_bound_to(&self, key: &Confirmation) -> bool;
}

impl TokenAttributes for Token {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    fn has_issuer(&self, accepted: &[Issuer]) -> bool {
        self.issuer.as_ref().is_some_and(|issuer| accepted.contains(issuer))
    }

    fn has_audience(&self, wanted: &NameSet<Audience>) -> bool {
        self.audiences.contains_any(wanted)
    }

    fn has_scope(&self, scope: &Scope) -> bool {
        self.scopes.contains(scope)
    }

    fn has_claim(&self, name: &ClaimName) -> bool {
        self.claims.registered.has(name) || self.claims.private.has(name)
    }

    fn device_id(&self) -> Option<&str> {
        self.metadata.device.id.as_ref().map(|id| id.as_str())
    }

    fn is_bound_to_key(&self) -> bool {
        self.claims.registered.is_bound()
    }

    fn is_bound_to(&self, key: &Confirmation) -> bool {
        self.claims.registered.is_bound_to(key)
    }
}
