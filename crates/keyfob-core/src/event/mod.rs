//! Events: what happened, written in the same step as the change. And observations: what was only
//! seen, in a feed of its own, so that a flood of refusals cannot push a revocation out.

mod cloud;

pub use cloud::CloudEvent;

use std::net::IpAddr;

use minicbor::{Decode, Encode};

use crate::id::{FamilyId, TokenId};
use crate::operation::OperationId;
use crate::text::{Actor, ClientId, DeviceId, Reason, Subject};
use crate::time::Timestamp;
use crate::token::Kind;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct Event {
    /// Which event this is: it stays the same however often it is delivered.
    #[n(0)]
    pub id: EventId,
    /// When, by the clock of the node that did it.
    #[n(1)]
    pub at: Timestamp,
    /// Who did it.
    #[n(2)]
    pub by: Option<Actor>,
    /// Why.
    #[n(3)]
    pub reason: Option<Reason>,
    /// What happened.
    #[n(4)]
    pub what: EventKind,
}

/// The identity of an event: the operation that caused it and its place among those it caused.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId {
    operation: OperationId,
    place: u16,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub enum EventKind {
    /// A token was issued.
    #[n(0)]
    Issued {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// Its kind.
        #[n(1)]
        kind: Kind,
        /// Its subject.
        #[n(2)]
        subject: Option<Subject>,
        /// Its client.
        #[n(3)]
        client: Option<ClientId>,
        /// Its family.
        #[n(4)]
        family: Option<FamilyId>,
        /// The device that it was issued to, as the application calls it.
        #[n(5)]
        device: Option<DeviceId>,
        /// The address that it was issued to.
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
    /// One token was revoked, and with it all that descends from it.
    #[n(2)]
    Revoked {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// Everything that an epoch covers was revoked.
    #[n(3)]
    EpochAdvanced {
        /// What it covers.
        #[n(0)]
        of: EpochOf,
    },
    /// A refresh token was rotated.
    #[n(4)]
    Rotated {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The generation that it reached.
        #[n(1)]
        generation: u32,
        /// The access token that came with it.
        #[n(2)]
        access: TokenId,
    },
    /// A refresh token was presented that had been exchanged before, and its family was ended.
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
        /// Whether it was made up by a holder of another.
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
        /// When the older one ends; `None` if there is none any more.
        #[n(2)]
        older_until: Option<Timestamp>,
    },
    /// A refresh token was presented of a generation that its record has yet to reach: the store has
    /// lost a rotation. It was refused, and its family goes on. Told once for each generation.
    #[n(7)]
    AheadOfStore {
        /// The token.
        #[n(0)]
        token: TokenId,
        /// The generation that was presented.
        #[n(1)]
        presented: u32,
        /// The generation that the store knows of.
        #[n(2)]
        generation: u32,
    },
}

/// What an epoch covers.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum EpochOf {
    /// Everything of a subject.
    #[n(0)]
    Subject(#[n(0)] Subject),
    /// Everything of a client.
    #[n(1)]
    Client(#[n(0)] ClientId),
    /// A family.
    #[n(2)]
    Family(#[n(0)] FamilyId),
    /// Every token.
    #[n(3)]
    All,
}

/// Something that was seen.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct Observation {
    /// When, by the clock of the node that saw it.
    #[n(0)]
    pub at: Timestamp,
    /// What was seen.
    #[n(1)]
    pub what: ObservationKind,
    /// How many more of the kind were left out since the last one, to bound the rate.
    #[n(2)]
    pub left_out: u64,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub enum ObservationKind {
    /// A bearer was refused.
    #[n(0)]
    Refused {
        /// The token, if the bearer proved to be one's.
        #[n(0)]
        token: Option<TokenId>,
        /// The stable code of the refusal.
        #[n(1)]
        code: String,
    },
    /// A token was found to be expired.
    #[n(1)]
    Expired {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// A token was used; only some uses are told.
    #[n(2)]
    Used {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// What is stored of a token is not believed: it was damaged, moved or swapped, or its key is
    /// missing. Whoever presented a bearer was not let in.
    #[n(3)]
    Unverifiable {
        /// The token that the bearer names. Nothing could prove that it is the bearer's.
        #[n(0)]
        token: TokenId,
        /// The stable code of the error.
        #[n(1)]
        code: String,
    },
    /// A refresh token was presented again within its window, and got the answer that it got
    /// before.
    #[n(4)]
    Replayed {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
    /// An API key was used by the older of its secrets; not all such uses are told.
    #[n(5)]
    OlderSecretUsed {
        /// The token.
        #[n(0)]
        token: TokenId,
    },
}

impl Observation {
    /// Returns an observation, with how many of its kind were left out before it.
    pub const fn new(at: Timestamp, what: ObservationKind, left_out: u64) -> Self {
        Self { at, what, left_out }
    }
}

impl Event {
    /// Returns an event of an operation, at its position among the operation's events.
    pub fn new(operation: OperationId, place: usize, at: Timestamp, what: EventKind) -> Self {
        let id = EventId { operation, place: place as u16 };
        Self { id, at, by: None, reason: None, what }
    }

    /// Returns the event with who did it, if that is known.
    #[must_use]
    pub fn by(self, by: Option<Actor>) -> Self {
        Self { by, ..self }
    }

    /// Returns the event with why it was done, if that was said.
    #[must_use]
    pub fn because(self, reason: Option<Reason>) -> Self {
        Self { reason, ..self }
    }

    /// The token that the event is about, if it is about one.
    pub fn token(&self) -> Option<TokenId> {
        match &self.what {
            EventKind::Issued { token, .. }
            | EventKind::MetadataUpdated { token }
            | EventKind::Revoked { token }
            | EventKind::Rotated { token, .. }
            | EventKind::ReuseDetected { token, .. }
            | EventKind::SecretReplaced { token, .. }
            | EventKind::AheadOfStore { token, .. } => Some(*token),
            EventKind::EpochAdvanced { .. } => None,
        }
    }
}

impl EventKind {
    /// The name of the event on the wire.
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
        }
    }
}

impl ObservationKind {
    /// The name of the observation on the wire.
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
        write!(f, "{}.{}", self.operation, self.place)
    }
}

impl std::fmt::Debug for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
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
        bytes[16..].copy_from_slice(&self.place.to_be_bytes());
        encoder.bytes(&bytes)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for EventId {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        let bytes = decoder.bytes()?;
        let (operation, place) = bytes
            .split_first_chunk::<16>()
            .and_then(|(operation, rest)| Some((operation, <[u8; 2]>::try_from(rest).ok()?)))
            .ok_or_else(|| minicbor::decode::Error::message("an event id has 18 bytes"))?;
        let operation = OperationId::from_bytes(*operation);
        Ok(Self { operation, place: u16::from_be_bytes(place) })
    }
}
