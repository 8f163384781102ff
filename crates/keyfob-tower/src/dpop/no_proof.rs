//! Why a request has no proof that counts.

use keyfob_jwt::dpop::BadProof;

/// Why a request has no proof that counts.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoProof {
    /// There is more than one header, or it is not text.
    #[error("the request needs exactly one DPoP header")]
    Header,
    /// The proof is not valid for the request.
    #[error(transparent)]
    Bad(#[from] BadProof),
    /// The proof lacks a nonce of this service, or has an old one.
    #[error("the proof needs the nonce of the header DPoP-Nonce")]
    Nonce,
    /// The proof was used before.
    #[error("the proof was used before")]
    Used,
    /// The store of used proofs cannot tell.
    #[error("it cannot be decided now whether the proof was used before")]
    Undecided,
}

impl NoProof {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header => "proof_header",
            Self::Bad(bad) => bad.code(),
            Self::Nonce => "use_dpop_nonce",
            Self::Used => "proof_used",
            Self::Undecided => "proof_undecided",
        }
    }
}
