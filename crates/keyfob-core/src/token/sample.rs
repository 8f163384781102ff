//! A token to test rules with.

#![allow(clippy::unwrap_used, reason = "a sample for tests, made of values that are valid")]

use super::*;
use crate::time::Timestamp;

/// The time at which tests start.
pub const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// The token of the walk-through, good for an hour from [`START`].
pub fn token() -> Token {
    let mut metadata = Metadata::default();
    metadata.device.id = Some("device123".try_into().unwrap());
    metadata.tags.insert("mobile".try_into().unwrap()).unwrap();
    metadata
        .labels
        .insert("environment".try_into().unwrap(), "production".try_into().unwrap())
        .unwrap();
    Token {
        id: "tok_0t4368x0m5ma02g3g030e4a1b1".parse().unwrap(),
        kind: Kind::Access,
        subject: Some("user123".try_into().unwrap()),
        issuer: Some("example-service".try_into().unwrap()),
        audiences: NameSet::from_names(["example-app".try_into().unwrap()]).unwrap(),
        scopes: NameSet::from_names(["read".try_into().unwrap()]).unwrap(),
        client: Some("web".try_into().unwrap()),
        issued_at: START,
        not_before: None,
        expires_at: Some(START + Ttl::from_hours(1)),
        idle_timeout: None,
        absolute_expiry: None,
        uses_left: None,
        last_used: None,
        family: None,
        ancestors: Vec::new(),
        generation: Generation::FIRST,
        rotated_at: None,
        secret: SecretUsed::Newest,
        older_secret_until: None,
        metadata,
        claims: Claims::default(),
        jwt: None,
        revocation: None,
        integrity: RecordIntegrity::Sound,
    }
}
