//! The identity and the deadline of one write to a store.

use super::random::{self, Random, RandomUnavailable};
use super::time::{Timestamp, Ttl};

/// The identity of one write. A write that is sent again keeps it.
///
/// A store gives the same id the same answer, and does nothing after the deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The id.
    pub id: OperationId,
    /// When the write may no longer have an effect, by the clock of the node that began it. A store
    /// with a clock of its own converts it.
    pub deadline: Timestamp,
}

/// The id of an operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId([u8; 16]);

impl Operation {
    /// How long after its start a write may still have an effect.
    pub const WINDOW: Ttl = Ttl::from_secs(30);

    /// Begins an operation.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn begin(now: Timestamp, random: &dyn Random) -> Result<Self, RandomUnavailable> {
        Ok(Self { id: OperationId(random::array(random)?), deadline: now + Self::WINDOW })
    }
}

impl OperationId {
    /// The number of bytes of an id.
    pub const BYTES: usize = 16;

    /// Creates an id from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for OperationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "op_{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::fmt::Debug for OperationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for OperationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
