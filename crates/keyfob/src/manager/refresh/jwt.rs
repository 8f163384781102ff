//! The form of the access token that a refresh token gives: opaque, or a JWT.

use std::collections::BTreeSet;

use keyfob_core::bearer::BearerKey;
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::names::NameSet;
use keyfob_core::text::{Audience, ClientId};
use keyfob_core::time::Ttl;
use keyfob_core::token::JwtForm;

/// A JWT that is asked for.
#[derive(Clone, Debug)]
pub(in crate::manager) struct JwtRequest {
    pub(in crate::manager) form: JwtForm,
    pub(in crate::manager) key: BearerKey,
    /// The audiences that take JWTs, and for how long one may live. `None`: it is a JWT in any case.
    pub(super) only_for: Option<(BTreeSet<Audience>, Ttl)>,
}

/// A key that another node may use.
#[derive(Clone, Debug)]
pub(super) struct OtherKey {
    pub(super) version: u16,
    pub(super) key: BearerKey,
}

impl JwtRequest {
    /// Returns whether a token for these audiences is a JWT, where those of `wanted` take JWTs.
    pub(super) fn is_for(
        wanted: &BTreeSet<Audience>,
        audiences: &NameSet<Audience>,
        client: Option<&ClientId>,
    ) -> Result<bool, InvalidValue> {
        let refused =
            |field, rule| Err(InvalidValue::new(field, InvalidReason::Contradiction { rule }));
        let takes_jwt = |audience: &Audience| wanted.contains(audience);
        if !audiences.iter().any(takes_jwt) {
            return Ok(false);
        }
        if !audiences.iter().all(takes_jwt) {
            let rule = "some of them take JWTs and others do not: ask for one token for each";
            return refused(Field::Audience, rule);
        }
        if client.is_none() {
            return refused(Field::Jwt, "it needs a client, and the refresh token has none");
        }
        Ok(true)
    }
}
