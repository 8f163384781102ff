//! Tokens: the record of a grant, its claims, metadata, state and history.

mod actors;
mod binding;
mod claims;
mod claims_json;
mod claims_place;
mod client_key;
mod empty_claims;
mod grant;
mod history;
mod jwt_form;
mod lenient;
mod may_issue;
mod metadata;
mod refresh_policy;
mod revocation;
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod sample;
mod secret;
mod state;
mod view;

pub use crate::kind::Kind;
pub use crate::status_list::StatusListId;
pub use actors::ActorChain;
pub use claims::{Claims, ClaimsMismatch, Confirmation, NoClaims, PrivateClaims, RegisteredClaims};
pub use client_key::ClientKey;
pub use grant::{Expiry, GrantParts};
pub use grant::{Grant, LoginStamp};
pub use history::{ChangeKind, HistoryEntry};
pub use jwt_form::JwtForm;
pub use lenient::{LenientMetadata, MetadataLoss, MetadataLossKind};
pub use may_issue::{Allowed, MayIssue};
pub use metadata::{Device, Metadata};
pub use refresh_policy::{GracePeriod, PreviousAccessToken, RefreshPolicy};
pub use revocation::{Revocation, RevocationScope};
pub use secret::SecretUsed;
pub use state::{StateInputs, TokenState};
pub use view::TokenView;

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::bearer::Generation;
use crate::id::{FamilyId, TokenId};
use crate::names::NameSet;
use crate::text::{Audience, ClientId, Issuer, Scope, Subject};
use crate::time::{Timestamp, Ttl};

/// The record of a grant, without its secret.
///
/// A manager returns it. [`Token::view`] serializes it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Token {
    /// The public id.
    pub id: TokenId,
    /// The kind.
    pub kind: Kind,
    /// The subject: the user or the service that the token speaks for.
    pub subject: Option<Subject>,
    /// The issuer.
    pub issuer: Option<Issuer>,
    /// The services that the token is meant for.
    pub audiences: NameSet<Audience>,
    /// The scopes.
    pub scopes: NameSet<Scope>,
    /// The client that the token was issued to.
    pub client: Option<ClientId>,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// When the token becomes valid; `None` is when it was issued.
    pub not_before: Option<Timestamp>,
    /// When the token expires; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// After how long without a use the token expires.
    pub idle_timeout: Option<Ttl>,
    /// When the token expires at the latest, whatever renews it.
    pub absolute_expiry: Option<Timestamp>,
    /// The number of uses that are left; `None` is any number.
    pub uses_left: Option<u32>,
    /// When the token was last used, to the precision of the manager. Only uses that the manager
    /// records count.
    pub last_used: Option<Timestamp>,
    /// The family: all tokens that were minted from the same refresh token or session.
    pub family: Option<FamilyId>,
    /// The tokens that the token descends from, the oldest first. The root of a family is the last of its
    /// own ancestors; [`Token::parents`] leaves it out.
    pub ancestors: Vec<TokenId>,
    /// How often the secret was replaced.
    pub generation: Generation,
    /// When a refresh token was last rotated.
    pub rotated_at: Option<Timestamp>,
    /// Which of the secrets the token was found by.
    pub secret: SecretUsed,
    /// Until when the secret before the newest one is valid; `None` if there is none. Only a rotated API
    /// key has one.
    pub older_secret_until: Option<Timestamp>,
    /// The device, the application, labels and tags.
    pub metadata: Metadata,
    /// The claims.
    pub claims: Claims<PrivateClaims>,
    /// The form of a token that was issued as a JWT; `None` if it is opaque.
    pub jwt: Option<JwtForm>,
    /// The revocation, if the token was revoked.
    pub revocation: Option<Revocation>,
    /// Whether the store still has all data that it needs to decide about the token.
    pub integrity: RecordIntegrity,
}

/// Whether a store still has all data that it needs to decide about a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum RecordIntegrity {
    /// The store has all data.
    #[default]
    Sound,
    /// The store lost epochs that may have revoked the token. The token is refused for good.
    EpochsLost,
}

impl Token {
    /// Creates a token without further values: no subject, no scopes, no end.
    pub fn new(id: TokenId, kind: Kind, issued_at: Timestamp) -> Self {
        Self {
            id,
            kind,
            subject: None,
            issuer: None,
            audiences: NameSet::default(),
            scopes: NameSet::default(),
            client: None,
            issued_at,
            not_before: None,
            expires_at: None,
            idle_timeout: None,
            absolute_expiry: None,
            uses_left: None,
            last_used: None,
            family: None,
            ancestors: Vec::new(),
            generation: Generation::default(),
            rotated_at: None,
            secret: SecretUsed::Newest,
            older_secret_until: None,
            metadata: Metadata::default(),
            claims: Claims {
                registered: RegisteredClaims::default(),
                private: PrivateClaims::none(),
            },
            jwt: None,
            revocation: None,
            integrity: RecordIntegrity::Sound,
        }
    }

    /// Returns the claims, with those of the application read as a `T`.
    ///
    /// A token without claims of the application reads as `None` if `T` is an `Option`.
    ///
    /// # Errors
    /// If the application's claims do not read as a `T`.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<Claims<T>, ClaimsMismatch> {
        self.claims
            .private
            .read()
            .map(|private| Claims { registered: self.claims.registered.clone(), private })
    }

    /// Returns the values that the state of the token follows from.
    pub fn state_inputs(&self) -> StateInputs {
        StateInputs {
            revoked: self.revocation.is_some() || self.integrity == RecordIntegrity::EpochsLost,
            uses_left: self.uses_left,
            not_before: self.not_before,
            ends_at: self.ends_after(self.idle_since()),
        }
    }

    /// Returns when the token ends if `last_used` stays its last use, or `None` for never.
    pub fn ends_after(&self, last_used: Timestamp) -> Option<Timestamp> {
        earliest_end([self.expires_at, self.absolute_expiry], self.idle_timeout, last_used)
    }

    /// Returns the tokens that the token was derived from, the oldest first: its ancestors without itself.
    pub fn parents(&self) -> &[TokenId] {
        match self.ancestors.split_last() {
            Some((last, parents)) if *last == self.id => parents,
            _ => &self.ancestors,
        }
    }

    /// Returns the moment since which the token is idle: its last use or rotation or, without
    /// either, the start of its life.
    pub fn idle_since(&self) -> Timestamp {
        let start = self.not_before.map_or(self.issued_at, |start| start.max(self.issued_at));
        let used = self.last_used.max(self.rotated_at);
        used.map_or(start, |used| used.max(start))
    }

    /// Returns the state at `now`, without allowance for clocks that differ.
    pub fn state(&self, now: Timestamp) -> TokenState {
        self.state_inputs().state(now)
    }

    /// Returns the time until the token expires: zero if it has expired, `None` if it never does.
    ///
    /// An idle timeout does not count, since each use moves its end.
    pub fn expires_in(&self, now: Timestamp) -> Option<Duration> {
        let end = [self.expires_at, self.absolute_expiry].into_iter().flatten().min()?;
        Some(end.since(now).map_or(Duration::ZERO, Ttl::as_duration))
    }

    /// Returns [`expires_in`](Self::expires_in) in seconds, for the `expires_in` of RFC 6749 section
    /// 5.1 and the `Max-Age` of a cookie.
    ///
    /// A started second counts as a whole one. So a token of an hour says 3600 for the first second
    /// of its life, not 3599; the value is less than a second more than the time that is left.
    ///
    /// ```
    /// use keyfob::{Grant, Kind, MemoryStore, TokenManager, Ttl};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = TokenManager::new(MemoryStore::new()?);
    /// let grant = Grant::new(Kind::Access).subject("user123").ttl(Ttl::from_hours(1));
    /// let token = manager.issue(grant).await?.token;
    /// assert_eq!(token.expires_in_secs(token.issued_at), Some(3600));
    /// # Ok(())
    /// # }
    /// ```
    pub fn expires_in_secs(&self, now: Timestamp) -> Option<u64> {
        let left = self.expires_in(now)?;
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }
}

/// Returns the earliest of a token's ends and the end of its idle timeout after `last_used`.
pub fn earliest_end(
    ends: [Option<Timestamp>; 2],
    idle_timeout: Option<Ttl>,
    last_used: Timestamp,
) -> Option<Timestamp> {
    let idle_end = idle_timeout.map(|idle| last_used + idle);
    ends.into_iter().chain([idle_end]).flatten().min()
}
