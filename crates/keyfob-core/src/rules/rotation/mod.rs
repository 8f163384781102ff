//! Ratchet rotation: what a presented refresh token means for its family, decided by pure code.
//!
//! A refresh token rotates in place: the id stays, and the generation goes up. Every generation can
//! be proven from the record in constant space, see [`ratchet`](crate::bearer::ratchet). So the
//! decision follows from the record, the proof and the time alone, and is tested without a store:
//!
//! | presented | result |
//! |---|---|
//! | the present generation | **rotated**: the next pair |
//! | the previous one, within the grace period, by the same presenter | **replayed**: the same pair again |
//! | the previous one by another presenter, or an older one that was retired within the grace period | **refused in window**, without effect |
//! | one that was retired longer than a grace period ago, or one that a holder forged | **reuse detected**: the family ends |
//! | a generation that the record has not reached | **ahead of store**: the store lost a write. Refused; the family stays |
//! | any, once the token is revoked or expired | **family ended** |
//! | no generation of this family | unknown: refused without effect |
//!
//! The grace period is also called the window of the family.
//!
//! Each case can be found afterwards. A case that changes something is an event, which is written in
//! the same step as the change, and an entry in the token's history. A case that changes nothing is
//! an observation. Observations have a feed of their own, so that a flood of them cannot push a
//! revocation out:
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
//! Within one grace period, a thief and an honest client that hold the same bearer token cannot be
//! told apart, unless the token is bound to a client that authenticates, to a device or to a key.

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

/// The part of a refresh token's record that is about rotation. The numbers are the stored format.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Rotation {
    /// When the present generation was reached; `None` for the first.
    #[n(0)]
    pub at: Option<Timestamp>,
    /// Who presented the previous generation.
    #[n(1)]
    pub presented_by: Option<Presenter>,
    /// When the generations before the previous one were retired.
    #[n(2)]
    pub retirements: Option<Retirements>,
    /// The access token that the present generation came with.
    #[n(3)]
    pub access: Option<TokenId>,
    /// The policy of the grant, if it has one.
    #[n(4)]
    pub policy: Option<RefreshPolicy>,
    /// By how much a rotation extends the expiry, if it does.
    #[n(5)]
    pub renewal: Option<Ttl>,
    /// The last generation that was presented before the record reached it, once it was reported.
    #[n(6)]
    pub reported_ahead: Option<u32>,
}

/// The presenter of a refresh token: a keyed digest of client, device and confirmation key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Presenter(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl Rotation {
    /// Returns the rotation after `retired` is replaced by the next generation at `now`.
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

    /// Returns the time by which a decision is made: `now`, or the last rotation if that is later.
    ///
    /// So a clock that went back does not undo a rotation. Until the clock has caught up, a
    /// generation that was retired ahead of it counts as retired a moment ago.
    pub fn decision_time(&self, now: Timestamp) -> Timestamp {
        self.at.map_or(now, |at| at.max(now))
    }
}
