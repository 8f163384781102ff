//! The secrets of an API key: the newest, whose digest is the record's own, and for a while the one
//! before.

use minicbor::{Decode, Encode};

use super::fields::digest;
use keyfob_core::bearer::BearerDigest;
use keyfob_core::rotation::SecretOverlap;
use keyfob_core::time::Timestamp;

/// What a record keeps about the secrets of a key, beside the digest of the newest. The numbers are
/// the format.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Secrets {
    /// Whether the newest has been used. Until then, the next rotation replaces it.
    #[n(0)]
    pub(crate) is_used: bool,
    #[n(1)]
    pub(crate) older: Option<OlderSecret>,
}

/// A secret that stays valid until its overlap ends.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct OlderSecret {
    #[cbor(n(0), with = "digest")]
    pub(crate) digest: BearerDigest,
    /// When its overlap ends.
    #[n(1)]
    pub(crate) until: Timestamp,
}

impl Secrets {
    /// The secrets of a new key: one that was never used.
    pub(crate) const fn first() -> Self {
        Self { is_used: false, older: None }
    }

    /// Returns what the record keeps when a new secret has been drawn. `newest` is the digest of the
    /// secret before.
    ///
    /// At most two secrets are valid at a time. A newest secret that was never used is replaced, so
    /// that a rotation that went wrong does not lock out the clients that use the older one.
    pub(crate) fn after(
        secrets: Option<&Self>,
        newest: BearerDigest,
        now: Timestamp,
        overlap: SecretOverlap,
    ) -> Self {
        let kept = match secrets {
            Some(Self { is_used: false, older }) => {
                older.as_ref().filter(|older| now < older.until).map(|older| older.digest)
            }
            _ => Some(newest),
        };
        let older = kept.zip(overlap.length());
        let older = older.map(|(digest, length)| OlderSecret { digest, until: now + length });
        Self { is_used: false, older }
    }

    /// Returns the older secret, while it is valid.
    pub(crate) fn live_older(&self, now: Timestamp) -> Option<&OlderSecret> {
        self.older.as_ref().filter(|older| now < older.until)
    }
}
