//! The claim of an idempotency key, as a store keeps it.

use keyfob_core::time::Timestamp;
use minicbor::{Decode, Encode};

/// What the first attempt of a request stores, so that the next ones repeat it. The numbers are the
/// format.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Claim {
    /// A digest of the request.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) request: [u8; 32],
    /// What the tokens are drawn from, with secrets of the requester.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) salt: [u8; 32],
    /// When the first attempt was made.
    #[n(2)]
    pub(crate) at: Timestamp,
}
