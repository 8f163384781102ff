//! The associated data of sealed bytes. Bytes open only as what they were sealed as: a record under
//! another id, an event as a note, or anything of another namespace does not open. A record opens only
//! beside the clear fields that it was sealed with.

use super::record_binding::BoundFields;
use keyfob_core::envelope::{FORMAT, RECORD_FORMAT};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::Namespace;
use keyfob_store::{DocumentName, EpochScope, MarkScope};
use sha2::{Digest, Sha256};

/// The kind and the identity of sealed bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AssociatedData {
    /// The record of a token.
    Record(TokenId),
    /// An event of a lane.
    Event(Lane),
    /// An observation of a lane.
    Observation(Lane),
    /// The note of a revocation within a lane.
    Note(Lane),
    /// The note of a revocation over all lanes.
    NoteEverywhere,
    /// A document of the service: the digest of its name.
    Document([u8; 16]),
}

/// What the bytes are about, as it goes into the seal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The first byte of the envelope.
    pub(super) format: u8,
    /// The namespace and the identity of the bytes.
    pub(super) identity: [u8; IDENTITY],
    /// What a store keeps beside the bytes.
    pub(super) fields: BoundFields,
}

pub(super) const IDENTITY: usize = NAMESPACE + 1 + 16;
const NAMESPACE: usize = 16;

/// The part of the context that identifies the namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark([u8; NAMESPACE]);

impl Mark {
    pub(super) fn of(namespace: &Namespace) -> Self {
        Self(namespace.fingerprint())
    }
}

impl AssociatedData {
    /// Returns the identity of the note of an advance of this scope.
    pub fn note_of(scope: EpochScope) -> Self {
        match scope {
            EpochScope::Lane(lane, _) => Self::Note(lane),
            EpochScope::EveryLane(_) | EpochScope::All => Self::NoteEverywhere,
        }
    }

    /// Returns the identity of the note that revoked a record of `lane`.
    pub fn note_through(through: MarkScope, lane: Lane) -> Self {
        match through {
            MarkScope::Token | MarkScope::Ancestor(_) | MarkScope::Subject => Self::Note(lane),
            MarkScope::Client | MarkScope::All => Self::NoteEverywhere,
        }
    }

    /// Returns the identity of the event of an advance of this scope.
    pub fn event_of(scope: EpochScope) -> Self {
        match scope {
            EpochScope::Lane(lane, _) => Self::Event(lane),
            // An advance over all lanes writes its event into the first lane.
            EpochScope::EveryLane(_) | EpochScope::All => Self::Event(Lane::default()),
        }
    }

    /// Returns the identity of a document of this name.
    pub fn document(name: &DocumentName) -> Self {
        let digest = Sha256::digest(name.as_str().as_bytes());
        Self::Document(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Returns the context of a record that is bound to its clear fields.
    pub(super) fn bound(id: TokenId, mark: Mark, fields: BoundFields) -> Context {
        Context { format: RECORD_FORMAT, fields, ..Self::Record(id).within(mark) }
    }

    /// Returns the context of bytes that are bound to nothing beside them.
    pub(super) fn within(self, Mark(mark): Mark) -> Context {
        let mut identity = [0; IDENTITY];
        let (of_namespace, rest) = identity.split_at_mut(NAMESPACE);
        of_namespace.copy_from_slice(&mark);
        let mut put = |purpose, subject: &[u8]| {
            let bytes = std::iter::once(&purpose).chain(subject);
            rest.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        };
        match self {
            Self::Record(id) => put(b'r', id.as_bytes()),
            Self::Event(lane) => put(b'e', &lane.number().to_be_bytes()),
            Self::Observation(lane) => put(b'o', &lane.number().to_be_bytes()),
            Self::Note(lane) => put(b'n', &lane.number().to_be_bytes()),
            Self::NoteEverywhere => put(b'N', &[]),
            Self::Document(name) => put(b'd', &name),
        }
        Context { format: FORMAT, identity, fields: BoundFields::none() }
    }
}
