//! Ratchet rotation: what a presented refresh token means for its family, decided by pure code.
//!
//! A refresh token rotates in place: the id stays, and the generation goes up. Every generation can
//! be proven from the record in constant space, see [`ratchet`](crate::bearer::ratchet). The
//! decision depends only on the record, the proof and the time, so tests need no store:
//!
//! | presented | result |
//! |---|---|
//! | the current generation | **rotated**: the next pair |
//! | the previous one, within the grace period, by the same presenter | **replayed**: the same pair again |
//! | the previous one by another presenter, or an older one that was retired within the grace period | **refused in window**, without effect |
//! | a generation retired before the grace period, or a forged generation | **reuse detected**: the family ends |
//! | a generation that the record has not reached | **ahead of store**: the store lost a write. Refused; the family stays |
//! | any, once the token is revoked or expired | **family ended** |
//! | no generation of this family | unknown: refused without effect |
//!
//! Each case leaves a record. A case that changes something writes an event in the same step as the
//! change, and an entry in the token's history. A case that changes nothing is an observation.
//! Observations have a feed of their own, so that a flood of them cannot push a revocation out:
//!
//! | case | event | observation | history |
//! |---|---|---|---|
//! | rotated | `keyfob.token.rotated` | | `rotated` |
//! | replayed | | `keyfob.token.replayed` | |
//! | refused in window | | `keyfob.token.refused`, code `refused_in_window` | |
//! | reuse detected | `keyfob.token.reuse_detected`, `keyfob.token.revoked` | `keyfob.token.refused`, code `reuse_detected` | `revoked`, reason `reuse_detected` |
//! | ahead of store | `keyfob.token.ahead_of_store`, once for a generation; an error in the log each time | `keyfob.token.refused`, code `ahead_of_store` | `ahead_of_store` |
//! | family ended | `keyfob.token.revoked` when it ended, if it was revoked; at the last generation with reason `generations_exhausted` | `keyfob.token.refused`, code `family_ended` | `revoked` |
//!
//! Within one grace period, keyfob cannot distinguish a thief from an honest client that presents
//! the same bearer token, unless the token is bound to a client that authenticates, to a device or
//! to a key.

mod decide;
mod overlap;
mod refused;
mod retirements;

pub use crate::token::{GracePeriod, PreviousAccessToken, RefreshPolicy};
pub use decide::{Decision, EndCause, StoredFamily, decide};
pub use overlap::SecretOverlap;
pub use refused::{RefreshCase, RefreshRefused};
pub use retirements::Retirements;

use minicbor::{Decode, Encode};

use crate::bearer::Generation;
use crate::id::TokenId;
use crate::time::{Timestamp, Ttl};

/// The rotation state in the record of a refresh token. The numbers are the stored format.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Rotation {
    /// When the current generation was reached; `None` for the first.
    #[n(0)]
    pub at: Option<Timestamp>,
    /// Who presented the previous generation.
    #[n(1)]
    pub presented_by: Option<Presenter>,
    /// When the generations before the previous one were retired.
    #[n(2)]
    pub retirements: Option<Retirements>,
    /// The access token issued with the current generation.
    #[n(3)]
    pub access: Option<TokenId>,
    /// The policy of the grant, if it has one.
    #[n(4)]
    pub policy: Option<RefreshPolicy>,
    /// The extension of the expiry at each rotation, if any.
    #[n(5)]
    pub renewal: Option<Ttl>,
    /// The last generation that was reported as ahead of the store.
    #[n(6)]
    pub reported_ahead: Option<u32>,
}

/// The presenter of a refresh token: a keyed digest of client, device and confirmation key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Presenter(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl Rotation {
    /// Returns the state after a rotation at `now` that retires the generation `retired`.
    pub fn rotated(
        &self,
        retired: Generation,
        presented_by: Presenter,
        access: TokenId,
        now: Timestamp,
        grace_period: GracePeriod,
    ) -> Self {
        let retirements = self.retirements.clone().unwrap_or_default();
        Self {
            at: Some(now),
            presented_by: Some(presented_by),
            retirements: Some(retirements.with(retired, now, grace_period)),
            access: Some(access),
            ..self.clone()
        }
    }

    /// Returns the time to use for a decision: `now`, or the time of the last rotation if that is
    /// later.
    ///
    /// A clock that was set back therefore does not undo a rotation. Until the clock passes the
    /// last rotation, that rotation counts as just made.
    pub fn decision_time(&self, now: Timestamp) -> Timestamp {
        self.at.map_or(now, |at| at.max(now))
    }
}
