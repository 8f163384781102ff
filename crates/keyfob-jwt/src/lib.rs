//! Signed JWTs that keyfob reads and writes.
//!
//! | module | what |
//! |---|---|
//! | [`jws`] | a signed JWT taken apart (RFC 7515) |
//! | [`key`] | public keys as JWKs, their thumbprints and signatures (RFC 7517, RFC 7638) |
//! | [`key_set`] | the public keys of an issuer, and whether one of them signed a JWT |
//! | [`signing`] | private keys, derived from a seed |
//! | [`dpop`] | proofs of possession (RFC 9449) |
//! | [`client_assertion`] | assertions by which clients authenticate (RFC 7523) |
//! | [`access_token`] | access tokens (RFC 9068) |
//! | [`status_list`] | which tokens are revoked, as one signed bitmap (Token Status List) |
//! | `fuzzing` | the properties of the parsers for any input |
//!
//! Everything here is a function of values: the time is an argument, and nothing is remembered. The caller
//! remembers which proofs were used, and fetches keys and lists.
//!
//! # What is accepted
//! The algorithm is chosen from a [fixed list](key::Algorithm), all of which are asymmetric, and has to fit the
//! key. So there is no `none`, and no public key is ever taken for the secret of an HMAC. A header with `crit`
//! is refused (RFC 7515 section 4.1.11), as is a key with a private part. All lengths are bounded.
//!
//! ```
//! use keyfob_core::time::Timestamp;
//! use keyfob_jwt::dpop::{ProofPolicy, ProofRequest, TargetUri, verify};
//!
//! # let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
//! let uri: TargetUri = "https://server.example.com/token".parse()?;
//! let request = ProofRequest { method: "POST", uri: &uri, access_token: None };
//! let now = Timestamp::from_secs(1_562_262_620);
//! let proof = verify(proof, &request, &ProofPolicy::default(), now)?;
//! assert_eq!(proof.key.thumbprint(), &"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod access_token;
pub mod client_assertion;
pub mod dpop;
#[doc(hidden)]
pub mod fuzzing;
pub mod jws;
pub mod key;
pub mod key_set;
pub mod signing;
pub mod status_list;
