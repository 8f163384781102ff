//! The key that the presenter of a token has to prove possession of.

use std::borrow::Cow;

use super::claims::{Confirmation, RegisteredClaims};

impl RegisteredClaims {
    /// Returns whether the presenter of the token has to prove possession of a key.
    pub fn is_bound(&self) -> bool {
        self.confirmation.is_some() || self.client_key.is_some()
    }

    /// Returns the key that the presenter of the token has to prove possession of: that of `cnf`, or the client's.
    pub fn bound_to(&self) -> Option<Cow<'_, Confirmation>> {
        match (&self.confirmation, &self.client_key) {
            (Some(key), _) => Some(Cow::Borrowed(key)),
            (None, Some(key)) => Some(Cow::Owned(Confirmation::Jkt(key.thumbprint()))),
            (None, None) => None,
        }
    }

    /// Returns whether the presenter of the token has to prove possession of this key.
    pub fn is_bound_to(&self, key: &Confirmation) -> bool {
        self.bound_to().is_some_and(|own| *own == *key)
    }
}
