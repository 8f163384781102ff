//! DPoP: a proof, in a request, that the client has a private key (RFC 9449).
//!
//! | module | what |
//! |---|---|
//! | `proof` | what a proof has to say, and whether it says that |
//! | `uri` | the address of a request, in the form in which two are compared |
//! | `nonce` | values that a server asks clients to put into their proofs |
//! | `signer` | the side of the client |
//!
//! [`verify`] makes the checks of section 4.3 that depend on the proof and the request alone. Two remain for the
//! caller: that the key is the one of the access token, and that no proof is taken twice, by its
//! [`Proof::id`].

mod nonce;
mod proof;
mod signer;
mod uri;

pub use nonce::Nonces;
pub use proof::{BadProof, Proof, ProofPolicy, ProofRequest, verify};
pub use signer::{NoRandom, ProofKey};
pub use uri::{InvalidUri, TargetUri};
