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
//! This is the way of a bearer token through a validation:
//!
//! ```text
//! bearer token ─▶ parse ─▶ cache ─▶ store ─▶ decode ─▶ state ─▶ validation chain ─▶ Ok(token) │ typed refusal
//! ```
//!
//! - **Values.** [`Subject`], [`Scope`], [`Tag`] and the other bounded texts; [`NameSet`] and [`Labels`];
//!   [`Timestamp`] and [`Ttl`]; [`TokenId`]. A value that exists is valid.
//! - **[`BearerToken`]** is the secret string. It is shown once and never stored.
//!   [`BearerPrefix::scanner_regex`] finds leaked ones.
//! - **[`Grant`]** is the request for a token. **[`Token`]** is the record of the grant, with
//!   [`Metadata`], typed [`Claims`] and, once it is revoked, its [`Revocation`].
//! - **[`TokenState`]** follows from a token's [`StateInputs`] and the time, by a pure function.
//! - **[`ValidationChain`]** is what a service demands. A [`Refusal`] says which demand was not met.
//! - **[`Filter`]** selects tokens. Build it up, or read it from one line of text.
//! - **[`TokenManager`]** does the work: issue, validate, list, revoke, sweep, update, follow events.
//! - **[`Limits`]** say how much a token, a subject, a client or an address may do. A [`LimitVerdict`] says
//!   whether a request is within them. [`limit`] states the bounds.
//! - **[`TokenManager::refresh`]** exchanges a refresh token for the next pair, and a retry for the same
//!   pair. [`RefreshCase`] lists every outcome, and [`RefreshPolicy`] has the settings.
//! - **[`TokenManager::rotate`]** gives an API key a new secret. **[`TokenManager::derive`]** gives a service
//!   that acts for a subject a narrower token. A [`SessionPolicy`] limits the number of sessions.
//! - **[`Event`]** says what happened, [`Observation`] what was only seen.
//! - **[`seal`]** encrypts the content of a store with keys that are not in the store.
//! - **[`store`]** is the contract for stores, and [`MemoryStore`] its plainest form. `keyfob-redb` stores
//!   records in a file, `keyfob-redis` in Redis.
//!
//! # Rules of this crate
//! It does no I/O: records go through a [`Store`], time comes from a [`Clock`], randomness from a [`Random`].
//! Pure code over values decides what a command means, and a store only makes one prepared change atomic.
//! Errors are typed, carry a stable code, say what to do next, and never hold a secret. What cannot be
//! decided is refused.

mod cache;
mod codec;
mod error;
pub mod handlers;
mod manager;
mod outcomes;
mod sessions;
mod stats;

pub use keyfob_metrics as metrics;
pub use keyfob_seal as seal;
pub use keyfob_store as store;

/// Rate limits and quotas: the crate `keyfob-limit`, and what it needs to know about tokens.
pub mod limit {
    pub use keyfob_limit::*;

    use crate::Token;

    /// Returns a request by a token, its subject and its client.
    pub fn request_of(token: &Token) -> LimitRequest<'_> {
        let mut request = LimitRequest::new().token(token.id);
        if let Some(subject) = &token.subject {
            request = request.subject(subject);
        }
        if let Some(client) = &token.client {
            request = request.client(client);
        }
        request
    }
}

pub use cache::{ActiveToken, CacheConfig, CacheReport};
pub use error::Error;
pub use handlers::audit::AuditLog;
pub use handlers::{Delivery, EventHandler, HandlerError, JsonLines, log_events};
pub use keyfob_core::bearer::{
    BearerDigest, BearerPrefix, BearerToken, Generation, ParseBearerError, ratchet,
};
pub use keyfob_core::clock::{Clock, ManualClock, SystemClock};
pub use keyfob_core::error_class::ErrorClass;
pub use keyfob_core::event::{
    CloudEvent, EpochOf, Event, EventId, EventKind, Observation, ObservationKind,
};
pub use keyfob_core::field::Field;
pub use keyfob_core::filter::{Filter, FilterError};
pub use keyfob_core::id::{FamilyId, IdPrefix, Lane, LaneCount, TokenId};
pub use keyfob_core::invalid::{InvalidReason, InvalidValue};
pub use keyfob_core::names::{Labels, Name, NameSet};
pub use keyfob_core::namespace::{EpochField, Namespace, NamespaceKey, Term, TermField};
pub use keyfob_core::random::{OsRandom, Random, RandomUnavailable, SeededRandom};
pub use keyfob_core::rotation::{
    GracePeriod, PreviousAccessToken, RefreshCase, RefreshPolicy, RefreshRefused, SecretOverlap,
};
pub use keyfob_core::text::{
    Actor, AppId, Audience, AuthenticationContext, AuthenticationMethod, ClaimName, ClaimText,
    ClientId, DeviceId, Issuer, LabelKey, LabelValue, LimitName, Platform, Reason, Scope, Subject,
    Tag, UserAgent, Username, Version,
};
pub use keyfob_core::time::{Timestamp, Ttl};
pub use keyfob_core::token::{
    ActorChain, ChangeKind, Claims, ClaimsMismatch, Confirmation, Device, Grant, HistoryEntry,
    Kind, LenientMetadata, LoginStamp, Metadata, MetadataLoss, MetadataLossKind, NoClaims,
    PrivateClaims, RecordIntegrity, RegisteredClaims, Revocation, RevocationScope, SecretUsed,
    StateInputs, Token, TokenState, TokenView,
};
pub use keyfob_core::validation::{
    Consistency, Denied, DeviceBinding, Presentation, Refusal, Rule, ValidationChain,
};
pub use keyfob_core::{KeyVersion, SealFault};
pub use limit::{
    LeasedLimits, LimitBy, LimitError, LimitPolicy, LimitRequest, LimitStatus, LimitVerdict,
    Limiter, Limits, LocalLimits, OnFailure, Rate,
};
pub use manager::{
    EventPage, EventStream, Explanation, HandlerTask, Issued, IssuedPair, Lifetimes,
    ObservationPage, PageCursor, Paging, RefreshRequest, Refreshed, ResealProgress, ResealRun,
    ResumeToken, Retention, RevokeOutcome, RevokeRequest, RotateRequest, Sweep, SweepProgress,
    TokenManager, TokenManagerBuilder, TokenPage, UpdateRequest,
};
pub use metrics::Metrics;
pub use seal::{KeyProvider, KeyRing};
pub use sessions::{SessionPolicy, WhenFull};
pub use stats::{ClientCounts, CountedClient, StateCounts, Stats};
pub use store::MemoryStore;
pub use store::Store;

/// What the fuzz targets call. Not part of the API.
#[doc(hidden)]
pub mod fuzzing {
    /// Decodes bytes as a stored record would be, and encodes it again if it holds.
    pub fn decode_record(bytes: &[u8]) -> Option<Vec<u8>> {
        use crate::codec::{Record, decode, encode};
        decode::<Record>(bytes).ok().map(|record| encode(&record))
    }
}
