//! The parties that act for a subject: the `act` claim of RFC 8693 section 4.1.

use minicbor::{Decode, Encode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::text::Subject;

/// The chain of parties that act for a subject: at most [`ActorChain::MAX_LEN`].
///
/// The first acts now, for the second, and so on. Authorization depends on the first only (RFC 8693
/// section 4.1). The others are a record of how the delegation happened.
///
/// ```
/// use keyfob::Subject;
/// use keyfob::token::ActorChain;
///
/// let service = ActorChain::new(Subject::new("service")?, None)?;
/// let agent = ActorChain::new(Subject::new("agent")?, Some(&service))?;
/// assert!(agent.actor().is_some_and(|actor| actor == "agent"));
/// assert_eq!(agent.chain().len(), 2);
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct ActorChain(#[n(0)] Vec<Subject>);

impl ActorChain {
    /// The maximum number of actors.
    pub const MAX_LEN: usize = 8;

    /// Creates the chain in which `actor` acts for the first actor of `previous` or, without one,
    /// for the subject.
    ///
    /// # Errors
    /// If the chain would be longer than [`ActorChain::MAX_LEN`].
    pub fn new(actor: Subject, previous: Option<&Self>) -> Result<Self, InvalidValue> {
        let previous = previous.map_or(&[][..], |previous| &previous.0);
        if previous.len() >= Self::MAX_LEN {
            let reason = InvalidReason::TooMany { max: Self::MAX_LEN };
            return Err(InvalidValue::new(Field::Actors, reason));
        }
        Ok(Self(std::iter::once(actor).chain(previous.iter().cloned()).collect()))
    }

    /// Returns the actor that acts now.
    pub fn actor(&self) -> Option<&Subject> {
        self.0.first()
    }

    /// Returns all actors, the one that acts now first.
    pub fn chain(&self) -> &[Subject] {
        &self.0
    }
}

impl Serialize for ActorChain {
    /// Writes `{"sub":"now","act":{"sub":"before"}}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested(&self.0).serialize(serializer)
    }
}

/// The rest of a chain, as the object that RFC 8693 nests.
struct Nested<'a>(&'a [Subject]);

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((actor, previous)) = self.0.split_first() {
            map.serialize_entry("sub", actor)?;
            if !previous.is_empty() {
                map.serialize_entry("act", &Nested(previous))?;
            }
        }
        map.end()
    }
}
