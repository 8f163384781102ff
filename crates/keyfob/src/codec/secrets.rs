//! The secrets of an API key: the newest, whose digest is the record's own, and for a while the one
//! before.

use minicbor::{Decode, Encode};

use super::record::digest;
use crate::bearer::BearerDigest;
use crate::rotation::SecretOverlap;
use crate::time::Timestamp;

/// What a record keeps of them beside the digest of the newest. The numbers are the format.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Secrets {
    /// Whether the newest has been used. Until then, it is what the next rotation replaces.
    #[n(0)]
    pub(crate) is_used: bool,
    #[n(1)]
    pub(crate) older: Option<OlderSecret>,
}

/// A secret that is good for some time yet.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct OlderSecret {
    #[cbor(n(0), with = "digest")]
    pub(crate) digest: BearerDigest,
    /// When its overlap ends.
    #[n(1)]
    pub(crate) until: Timestamp,
}

impl Secrets {
    /// Those of a new key: one, which nobody has used.
    pub(crate) const fn first() -> Self {
        Self { is_used: false, older: None }
    }

    /// What is kept once a new secret is drawn. `newest` is the digest of the one before.
    ///
    /// At most two are live: a newest that was never used gives way, so that whoever still uses the
    /// older one is not locked out by a rotation that went wrong.
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

    /// The older one, while it is good.
    pub(crate) fn live_older(&self, now: Timestamp) -> Option<&OlderSecret> {
        self.older.as_ref().filter(|older| now < older.until)
    }
}
