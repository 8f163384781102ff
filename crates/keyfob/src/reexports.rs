//! The modules that an application sees, each a selection of names from the crates below.

/// Texts with a limit, names, labels, times and ids. A value that exists is valid.
pub mod values {
    pub use keyfob_core::field::Field;
    pub use keyfob_core::id::{FamilyId, IdPrefix, TokenId};
    pub use keyfob_core::invalid::{InvalidReason, InvalidValue};
    pub use keyfob_core::names::{Labels, Name, NameSet};
    pub use keyfob_core::text::{
        Actor, AppId, Audience, AuthenticationContext, AuthenticationMethod, ClaimName, ClaimText,
        ClientId, DeviceId, Issuer, LabelKey, LabelValue, LimitName, Platform, Reason, Scope,
        Subject, Tag, UserAgent, Username, Version,
    };
    pub use keyfob_core::time::{Timestamp, Ttl};
    pub use keyfob_core::values::json_place::JsonPlace;
    pub use keyfob_core::values::visible::escape_invisible;
}

/// The bearer token: the secret string, its prefix, its digest, and its generations.
pub mod bearer {
    pub use keyfob_core::bearer::{
        BearerDigest, BearerKey, BearerPrefix, BearerToken, Generation, ParseBearerError, ratchet,
    };
}

/// What is asked for with a token, and what a token says: grant, claims, metadata, history.
pub mod token {
    pub use keyfob_core::token::{
        ActorChain, Allowed, ChangeKind, Claims, ClaimsMismatch, ClientKey, Confirmation, Device,
        Expiry, Grant, HistoryEntry, JwtForm, Kind, LenientMetadata, LoginStamp, MayIssue,
        Metadata, MetadataLoss, MetadataLossKind, NoClaims, PrivateClaims, RecordIntegrity,
        RegisteredClaims, Revocation, RevocationScope, SecretUsed, StateInputs, StatusListId,
        Token, TokenState, TokenView,
    };
}

/// Events: what was changed. Observations: what was only seen.
pub mod event {
    pub use keyfob_core::event::{
        CloudEvent, EpochOf, Event, EventId, EventKind, Observation, ObservationKind,
    };
}

/// What a service demands of a token, and the refusals.
pub mod validation {
    pub use keyfob_core::validation::{
        Consistency, Denied, DeviceBinding, KeyBinding, Presentation, PresentedBy, Refusal, Rule,
        ValidationChain,
    };
}

/// Filters: which tokens to list, to count or to revoke.
pub mod filter {
    pub use keyfob_core::filter::{Filter, FilterBindings, FilterError};
}

/// The settings and the outcomes of rotation: refresh tokens and API keys.
pub mod rotation {
    pub use keyfob_core::rotation::{
        GracePeriod, PreviousAccessToken, RefreshCase, RefreshPolicy, RefreshRefused, SecretOverlap,
    };
}

/// Where a manager takes the time from. A test sets a [`ManualClock`](clock::ManualClock).
pub mod clock {
    pub use keyfob_core::clock::{Clock, ManualClock, SystemClock};
}

/// Where a manager takes random bytes from. A test sets a [`SeededRandom`](random::SeededRandom).
pub mod random {
    pub use keyfob_core::random::{OsRandom, Random, RandomUnavailable, SeededRandom};
}

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
