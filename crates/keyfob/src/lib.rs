//! Distributed token management: opaque bearer tokens that are checked at memory speed and revoked
//! everywhere within a stated time.
//!
//! A [`TokenManager`] issues tokens, validates bearer tokens, finds tokens by what is known about them,
//! and revokes them. It works over a store: memory, a file, or a Redis that many services share.
//!
//! ```
//! use keyfob::{Grant, Kind, MemoryStore, TokenManager, ValidationChain, RevokeRequest};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = TokenManager::new(MemoryStore::new()?);
//! let grant = Grant::new(Kind::Session).subject("user123").audience("shop").scope("read");
//! let issued = manager.issue(grant).await?; // hand out issued.bearer.expose(), once
//!
//! let chain = ValidationChain::new().allow_audience("shop").require_scope("read");
//! let token = manager.validate(&issued.bearer, &chain).await?;
//!
//! manager.revoke(token.id, RevokeRequest::reason("user logout")).await?;
//! assert_eq!(manager.validate(&issued.bearer, &chain).await.unwrap_err().code(), "token_revoked");
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//! A validation has these steps:
//!
//! ```text
//! bearer token ─▶ parse ─▶ cache ─▶ store ─▶ decode ─▶ state ─▶ validation chain ─▶ Ok(token) │ typed refusal
//! ```
//!
//! - **[`values`].** [`Subject`], [`Scope`], [`Tag`] and the other bounded texts; names and labels;
//!   [`Timestamp`] and [`Ttl`]; [`TokenId`]. A value that exists is valid.
//! - **[`BearerToken`]** is the secret string. It is shown once and never stored.
//!   [`BearerPrefix::scanner_regex`] finds leaked ones.
//! - **[`Grant`]** is the request for a token. **[`Token`]** is the record of the grant, with
//!   [`Metadata`], typed [`Claims`] and, once it is revoked, its [`Revocation`](token::Revocation).
//! - **[`TokenState`]** is computed from a token's [`StateInputs`](token::StateInputs) and the time,
//!   by a pure function.
//! - **[`ValidationChain`]** is what a service demands. A [`Refusal`] says which demand was not met.
//! - **[`Filter`]** selects tokens. Build it up, or read it from one line of text.
//! - **[`TokenManager`]** does the work: issue, validate, list, revoke, sweep, update, follow events.
//! - **[`Limits`]** set how many requests a token, a subject, a client or an address may make. A
//!   [`LimitVerdict`] says whether a request is within them. [`limit`] states the bounds.
//! - **[`TokenManager::refresh`]** exchanges a refresh token for the next pair, and a retry for the same
//!   pair. [`RefreshCase`](rotation::RefreshCase) lists every outcome, and [`RefreshPolicy`] has the
//!   settings.
//! - **[`TokenManager::rotate`]** gives an API key a new secret. **[`TokenManager::derive`]** gives a service
//!   that acts for a subject a narrower token. A [`SessionPolicy`] limits the number of sessions.
//! - An **[`Event`]** records a change. An [`Observation`](event::Observation) records something that
//!   changed nothing, such as a refusal.
//! - **`seal`** encrypts the content of a store with keys that are not in the store. It is a feature of
//!   this crate, which is on by default, because it builds a C library.
//! - **[`store`]** is the contract for stores, and [`MemoryStore`] is the simplest store. `keyfob-redb`
//!   stores records in a file, `keyfob-redis` in Redis.
//!
//! # Rules of this crate
//! It does no I/O: records go through a [`Store`], time comes from a [`Clock`](clock::Clock),
//! randomness from a [`Random`](random::Random). The crate root re-exports the names that most
//! applications use. The modules contain all names. Pure functions decide what a command does. A
//! store only applies one prepared change atomically. Errors are typed, carry a stable code, say
//! what to do next, and never hold a secret. If a decision is not possible, the request is refused.

pub mod cache;
mod codec;
mod error;
pub mod handlers;
pub mod manager;
mod outcomes;
mod reexports;
pub mod sessions;
pub mod stats;

pub use keyfob_metrics as metrics;
#[cfg(feature = "seal")]
pub use keyfob_seal as seal;
pub use keyfob_store as store;
pub use reexports::{
    bearer, clock, event, filter, limit, random, rotation, token, validation, values,
};

// The names that most applications use. All others are in the modules.
pub use bearer::{BearerPrefix, BearerToken};
pub use cache::CacheConfig;
pub use error::Error;
pub use event::{Event, EventKind};
pub use filter::Filter;
pub use handlers::audit::AuditLog;
pub use keyfob_core::error_class::ErrorClass;
pub use limit::{LimitBy, LimitPolicy, LimitRequest, LimitVerdict, Limits, LocalLimits, Rate};
pub use manager::{
    Issued, IssuedPair, Leaked, Paging, RefreshRequest, Refreshed, RevokeOutcome, RevokeRequest,
    RotateRequest, TokenManager, TokenManagerBuilder, UpdateRequest,
};
pub use metrics::Metrics;
pub use rotation::RefreshPolicy;
#[cfg(feature = "seal")]
pub use seal::{KeyProvider, KeyRing};
pub use sessions::{SessionPolicy, WhenFull};
pub use store::{MemoryStore, Store};
pub use token::{Claims, Grant, Kind, LenientMetadata, Metadata, Token, TokenState};
pub use validation::{Consistency, Denied, Presentation, Refusal, Rule, ValidationChain};
pub use values::{
    Audience, ClientId, DeviceId, InvalidValue, Scope, Subject, Tag, Timestamp, TokenId, Ttl,
};

/// Runs the examples of docs/issuing.md as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/issuing.md")]
mod issuing {}

/// Functions for the fuzz targets. Not part of the API.
#[doc(hidden)]
pub mod fuzzing {
    /// Decodes bytes as a stored record. If that succeeds, encodes the record again.
    pub fn decode_record(bytes: &[u8]) -> Option<Vec<u8>> {
        use crate::codec::{Record, decode, encode};
        decode::<Record>(bytes).ok().map(|record| encode(&record))
    }
}
