//! The writes of all store methods and their answers.

use keyfob::store::{
    Advance, Advanced, Consume, Consumed, Insert, Inserted, Replace, Replaced, Revoke, Revoked,
};

/// A write of any store method.
#[derive(Clone, Debug)]
pub enum Write {
    /// An insert.
    Insert(Insert),
    /// A replacement.
    Replace(Replace),
    /// A consume.
    Consume(Consume),
    /// A revocation.
    Revoke(Revoke),
    /// An advance.
    Advance(Advance),
}

/// The answer to a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteAnswer {
    /// The answer to an insert.
    Inserted(Inserted),
    /// The answer to a replacement.
    Replaced(Replaced),
    /// The answer to a consume.
    Consumed(Consumed),
    /// The answer to a revocation.
    Revoked(Revoked),
    /// The answer to an advance.
    Advanced(Advanced),
}

impl WriteAnswer {
    /// Returns whether the operation took effect.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Inserted(inserted) => matches!(inserted, Inserted::Stored(_)),
            Self::Replaced(replaced) => matches!(replaced, Replaced::Stored(_)),
            Self::Consumed(consumed) => matches!(consumed, Consumed::Left(_)),
            Self::Revoked(revoked) => !matches!(revoked, Revoked::Missing),
            Self::Advanced(_) => true,
        }
    }

    /// Returns whether this write changed something.
    pub fn is_change(&self) -> bool {
        self.is_done() && !matches!(self, Self::Revoked(Revoked::Before(_)))
    }
}
