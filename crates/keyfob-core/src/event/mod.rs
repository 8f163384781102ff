//! Events and observations.
//!
//! An event is a change, and is written in the same step as the change. An observation changes
//! nothing, such as a refusal. Observations have a feed of their own, so that a flood of refusals
//! cannot push a revocation out.

mod cloud;

pub use cloud::CloudEvent;

use std::net::IpAddr;

use minicbor::{Decode, Encode};

use crate::id::{FamilyId, TokenId};
use crate::operation::OperationId;
use crate::text::{Actor, ClientId, DeviceId, Reason, Subject};
use crate::time::Timestamp;
use crate::token::Kind;

/// A change that happened.
///
/// It serializes as its [`CloudEvent`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct Event {
    /// The id, which stays the same if the event is delivered again.
    #[n(0)]
    pub id: EventId,
    /// When the change happened, by the clock of the node that made it.
    #[n(1)]
    pub at: Timestamp,
    /// Who made the change, if that was given.
    #[n(2)]
    pub by: Option<Actor>,
    /// The reason, if one was given.
    #[n(3)]
    pub reason: Option<Reason>,
    /// The kind of change, with its details.
    #[n(4)]
    pub what: EventKind,
}

/// The id of an event: the operation that caused it, and its position among the events of that
/// operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId {
    operation: OperationId,
    position: u16,
}

/// A kind of change, with its details.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub enum EventKind {
    /// A token was issued.
    #[n(0)]
    Issued {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The kind of the token.
        #[n(1)]
        kind: Kind,
        /// The subject of the token.
        #[n(2)]
        subject: Option<Subject>,
        /// The client of the token.
        #[n(3)]
        client: Option<ClientId>,
        /// The family of the token.
        #[n(4)]
        family: Option<FamilyId>,
        /// The device that the token was issued to, as the application names it.
        #[n(5)]
        device: Option<DeviceId>,
        /// The client address that the token was issued to.
        #[n(6)]
        ip: Option<IpAddr>,
    },
    /// A token's metadata was updated.
    #[n(1)]
    MetadataUpdated {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// One token was revoked, and with it all tokens that descend from it.
    #[n(2)]
    Revoked {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// All tokens that an epoch covers were revoked.
    #[n(3)]
    EpochAdvanced {
        /// The tokens that the epoch covers.
        #[n(0)]
        of: EpochOf,
    },
    /// A refresh token was rotated.
    #[n(4)]
    Rotated {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The generation that was reached.
        #[n(1)]
        generation: u32,
        /// The access token that came with it.
        #[n(2)]
        access: TokenId,
    },
    /// A refresh token was presented that was exchanged before, and its family was ended.
    #[n(5)]
    ReuseDetected {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The generation that was presented.
        #[n(1)]
        presented: u32,
        /// The generation that its family had reached.
        #[n(2)]
        generation: u32,
        /// Whether a holder of another generation forged the token.
        #[n(3)]
        is_forged: bool,
    },
    /// An API key was given a new secret.
    #[n(6)]
    SecretReplaced {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The generation of the new secret.
        #[n(1)]
        generation: u32,
        /// When the older secret ends; `None` if there is no older secret.
        #[n(2)]
        older_until: Option<Timestamp>,
    },
    /// A refresh token was presented with a generation that its record has not reached: the store has
    /// lost a rotation. It was refused, and its family stays. Reported once for each generation.
    #[n(7)]
    AheadOfStore {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The generation that was presented.
        #[n(1)]
        presented: u32,
        /// The generation in the store.
        #[n(2)]
        generation: u32,
    },
    /// An operator accepted the tokens again that were refused since the store was found to have lost its
    /// last writes.
    #[n(8)]
    RollbackAccepted {
        /// What was written from then on was lost.
        #[n(0)]
        since: Timestamp,
        /// When the loss was found. Tokens that are older were refused.
        #[n(1)]
        noticed: Timestamp,
        /// In how many lanes.
        #[n(2)]
        lanes: u16,
    },
}

/// The tokens that an epoch covers.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum EpochOf {
    /// All tokens of a subject.
    #[n(0)]
    Subject(#[n(0)] Subject),
    /// All tokens of a client.
    #[n(1)]
    Client(#[n(0)] ClientId),
    /// All tokens of a family.
    #[n(2)]
    Family(#[n(0)] FamilyId),
    /// Every token.
    #[n(3)]
    All,
}

/// Something that a node saw and that changed nothing.
///
/// It serializes as its [`CloudEvent`] without `id`, `source`, `specversion` and
/// `datacontenttype`, which the feed adds.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct Observation {
    /// When it was seen, by the clock of the node that saw it.
    #[n(0)]
    pub at: Timestamp,
    /// The kind of observation, with its details.
    #[n(1)]
    pub what: ObservationKind,
    /// The number of observations of the kind that were left out since the last one, to limit the
    /// rate.
    #[n(2)]
    pub left_out: u64,
}

/// A kind of observation, with its details.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub enum ObservationKind {
    /// A bearer token was refused.
    #[n(0)]
    Refused {
        /// The token, if the bearer token proved to belong to one.
        #[n(0)]
        token: Option<TokenId>,
        /// The stable code of the refusal.
        #[n(1)]
        code: String,
    },
    /// A bearer token was presented that had expired.
    #[n(1)]
    Expired {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// A token was used. Only some uses are reported.
    #[n(2)]
    Used {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// The record of a token is not trusted: it was damaged, moved or swapped, or its key is missing.
    /// The bearer token was refused.
    #[n(3)]
    Unverifiable {
        /// The token that the bearer token names. It is not proven that the bearer token belongs to it.
        #[n(0)]
        token: TokenId,
        /// The stable code of the error.
        #[n(1)]
        code: String,
    },
    /// A refresh token was presented again within its grace period, and got the same answer again.
    #[n(4)]
    Replayed {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// An API key was used with the older of its secrets. Only some such uses are reported.
    #[n(5)]
    OlderSecretUsed {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
}

impl Observation {
    /// Creates an observation, with the number of its kind that were left out before it.
    pub const fn new(at: Timestamp, what: ObservationKind, left_out: u64) -> Self {
        Self { at, what, left_out }
    }
}

impl Event {
    /// Creates an event of an operation, at its position among the events of that operation.
    pub fn new(operation: OperationId, position: usize, at: Timestamp, what: EventKind) -> Self {
        let id = EventId { operation, position: position as u16 };
        Self { id, at, by: None, reason: None, what }
    }

    /// Returns the event with its author.
    #[must_use]
    pub fn by(self, by: Option<Actor>) -> Self {
        Self { by, ..self }
    }

    /// Returns the event with its reason.
    #[must_use]
    pub fn reason(self, reason: Option<Reason>) -> Self {
        Self { reason, ..self }
    }

    /// Returns the token that the event is about, if it is about one.
    pub fn token(&self) -> Option<TokenId> {
        match &self.what {
            EventKind::Issued { token, .. }
            | EventKind::MetadataUpdated { token }
            | EventKind::Revoked { token }
            | EventKind::Rotated { token, .. }
            | EventKind::ReuseDetected { token, .. }
            | EventKind::SecretReplaced { token, .. }
            | EventKind::AheadOfStore { token, .. } => Some(*token),
            EventKind::EpochAdvanced { .. } | EventKind::RollbackAccepted { .. } => None,
        }
    }
}

impl EventKind {
    /// Returns the name of the event on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "keyfob.token.issued",
            Self::MetadataUpdated { .. } => "keyfob.token.metadata_updated",
            Self::Revoked { .. } => "keyfob.token.revoked",
            Self::EpochAdvanced { .. } => "keyfob.epoch.advanced",
            Self::Rotated { .. } => "keyfob.token.rotated",
            Self::ReuseDetected { .. } => "keyfob.token.reuse_detected",
            Self::SecretReplaced { .. } => "keyfob.token.secret_replaced",
            Self::AheadOfStore { .. } => "keyfob.token.ahead_of_store",
            Self::RollbackAccepted { .. } => "keyfob.store.rollback_accepted",
        }
    }
}

impl ObservationKind {
    /// Returns the name of the observation on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "keyfob.token.refused",
            Self::Expired { .. } => "keyfob.token.expired",
            Self::Used { .. } => "keyfob.token.used",
            Self::Unverifiable { .. } => "keyfob.token.untrue",
            Self::Replayed { .. } => "keyfob.token.replayed",
            Self::OlderSecretUsed { .. } => "keyfob.token.older_secret_used",
        }
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.operation, self.position)
    }
}

impl std::fmt::Debug for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<C> Encode<C> for EventId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let mut bytes = [0; 18];
        bytes[..16].copy_from_slice(self.operation.as_bytes());
        bytes[16..].copy_from_slice(&self.position.to_be_bytes());
        encoder.bytes(&bytes)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for EventId {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        let bytes = decoder.bytes()?;
        let (operation, position) = bytes
            .split_first_chunk::<16>()
            .and_then(|(operation, rest)| Some((operation, <[u8; 2]>::try_from(rest).ok()?)))
            .ok_or_else(|| minicbor::decode::Error::message("an event id has 18 bytes"))?;
        let operation = OperationId::from_bytes(*operation);
        Ok(Self { operation, position: u16::from_be_bytes(position) })
    }
}
