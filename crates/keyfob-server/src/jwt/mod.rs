//! Access tokens in the form of JWTs (RFC 9068), for services that check them offline, and the status lists by which
//! these services learn about revocations.
//!
//! | module | what |
//! |---|---|
//! | `keys` | the keys that sign, derived from those of a ring |
//! | `places` | which place in which status list a new token gets |
//! | `mint` | from a token to its JWT |
//! | `presented` | from a JWT that is presented to the bearer token of its record |
//! | `lists` | status lists, kept up to date by the events |
//! | `settings`, `state` | what is configured, and what is kept |
//! | `routes` | the key set and the lists over HTTP |
//! | `resources` | what a client has to know of a service that takes JWTs (RFC 9728) |
//! | `signed_answer` | introspection, signed (RFC 9701) |
//!
//! A JWT is a second form of a token whose record is in the store like any other: it is listed, explained and revoked
//! like any other. Nobody is given an opaque bearer token for it: its secret follows from a key that only the servers
//! have, so a server that has verified a JWT presents the record as usual.

pub(crate) mod keys;
mod lists;
pub(crate) mod mint;
mod places;
mod presented;
pub(crate) mod resources;
pub(crate) mod routes;
pub(crate) mod settings;
pub(crate) mod signed_answer;
pub(crate) mod state;

pub use keyfob_jwt::signing::{CannotSign, SigningAlgorithm};
pub use keys::{JwtKeySeed, JwtKeys};
pub use settings::JwtSettings;
