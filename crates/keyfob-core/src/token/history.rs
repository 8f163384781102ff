//! The history of one token, from its record alone.

use minicbor::{Decode, Encode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::RevocationScope;
use crate::text::{Actor, Reason};
use crate::time::Timestamp;

/// One change of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub by: Option<Actor>,
    /// The reason, if one was given.
    pub reason: Option<Reason>,
    /// The kind of change.
    pub what: ChangeKind,
}

/// A kind of change of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The token was issued.
    #[n(0)]
    Issued,
    /// Its metadata was updated.
    #[n(1)]
    MetadataUpdated,
    /// The token was revoked, with this scope.
    #[n(2)]
    Revoked(#[n(0)] RevocationScope),
    /// A refresh token was rotated.
    #[n(3)]
    Rotated,
    /// An API key was given a new secret.
    #[n(4)]
    SecretReplaced,
    /// A refresh token proved a rotation that the store has lost.
    #[n(5)]
    AheadOfStore,
}

impl HistoryEntry {
    /// Creates an entry without an author and a reason.
    pub const fn new(at: Timestamp, what: ChangeKind) -> Self {
        Self { at, by: None, reason: None, what }
    }
}

impl ChangeKind {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::MetadataUpdated => "metadata_updated",
            Self::Revoked(_) => "revoked",
            Self::Rotated => "rotated",
            Self::SecretReplaced => "secret_replaced",
            Self::AheadOfStore => "ahead_of_store",
        }
    }
}

impl Serialize for HistoryEntry {
    /// Writes `{"at","what","by","reason","through"}`. `through` is null except for a revocation.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let through = match self.what {
            ChangeKind::Revoked(through) => Some(through.as_str()),
            ChangeKind::Issued
            | ChangeKind::MetadataUpdated
            | ChangeKind::Rotated
            | ChangeKind::SecretReplaced
            | ChangeKind::AheadOfStore => None,
        };
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("what", self.what.as_str())?;
        map.serialize_entry("by", &self.by)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("through", &through)?;
        map.end()
    }
}
