//! Who acts for a subject: the `act` claim of RFC 8693 section 4.1.

use minicbor::{Decode, Encode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::invalid::{InvalidReason, InvalidValue};
use crate::text::Subject;

/// Who acts for a subject now, and for whom each of them acts: a chain of at most
/// [`ActorChain::MOST`]. For authorization only the first counts; the others say how it came about.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct ActorChain(#[n(0)] Vec<Subject>);

impl ActorChain {
    /// The longest chain.
    pub const MOST: usize = 8;

    /// The chain in which `actor` acts for whoever acted before.
    ///
    /// # Errors
    /// When it is too long.
    pub fn after(before: Option<&Self>, actor: Subject) -> Result<Self, InvalidValue> {
        let before = before.map_or(&[][..], |before| &before.0);
        if before.len() >= Self::MOST {
            return Err(InvalidValue::new(
                "chain of actors",
                InvalidReason::TooMany { most: Self::MOST },
            ));
        }
        Ok(Self(std::iter::once(actor).chain(before.iter().cloned()).collect()))
    }

    /// Who acts now.
    pub fn actor(&self) -> Option<&Subject> {
        self.0.first()
    }

    /// All of the chain, whoever acts now first.
    pub fn chain(&self) -> &[Subject] {
        &self.0
    }
}

impl Serialize for ActorChain {
    /// `{"sub":"now","act":{"sub":"before"}}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested(&self.0).serialize(serializer)
    }
}

struct Nested<'a>(&'a [Subject]);

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((actor, before)) = self.0.split_first() {
            map.serialize_entry("sub", actor)?;
            if !before.is_empty() {
                map.serialize_entry("act", &Nested(before))?;
            }
        }
        map.end()
    }
}
