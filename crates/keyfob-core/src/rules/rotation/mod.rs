//! Ratchet rotation: what a presented refresh token means for its family, decided by pure code.
//!
//! A refresh token rotates in place. The id stays, the generation goes up, and every generation can
//! be proven from the record in constant space; see [`ratchet`](crate::ratchet). So what is to be
//! done follows from the record, the proof and the time alone, and is tested without a store:
//!
//! | what is presented | what happens |
//! |---|---|
//! | the present generation | **rotated**: the next pair |
//! | the one before, within its window, by the same presenter | **replayed**: the same pair again |
//! | the same by another presenter, or an older one retired less than a window ago | **refused in window**, without effect |
//! | any retired longer than a window ago, or one that a holder made up | **reuse detected**: the family ends |
//! | a generation that the record has yet to reach | **ahead of store**: the store lost a write. Refused; the family stays |
//! | anything, once the token is revoked or its time is over | **family ended** |
//! | no generation of this family at all | unknown: nothing happens |
//!
//! Each can be found by its case afterwards. What changes something is an event, written in the same
//! step, and stands in the history of the token; what changes nothing is an observation, in a feed of
//! its own, so that a flood of it cannot push a revocation out:
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
//! Inside one window, a thief and an honest client that both hold the same bearer cannot be told
//! apart, unless the token is bound to a client that authenticates, to a device or to a key.

mod decide;
mod overlap;
mod refused;
mod trail;

pub use crate::token::{GracePeriod, PreviousAccessToken, RefreshPolicy};
pub use decide::{Cause, Decision, Held, decide};
pub use overlap::SecretOverlap;
pub use refused::{RefreshCase, RefreshRefused};
pub use trail::Trail;

use minicbor::{Decode, Encode};

use crate::bearer::Generation;
use crate::id::TokenId;
use crate::time::{Timestamp, Ttl};

/// What a record keeps of the rotation of a refresh token. The numbers are the format.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Rotation {
    /// When the present generation was reached; `None` for the first.
    #[n(0)]
    pub at: Option<Timestamp>,
    /// Who presented the one before.
    #[n(1)]
    pub shown_by: Option<Presenter>,
    /// When those before it were retired.
    #[n(2)]
    pub trail: Option<Trail>,
    /// The access token that the present generation came with.
    #[n(3)]
    pub access: Option<TokenId>,
    /// What the grant said of rotation, if it did.
    #[n(4)]
    pub policy: Option<RefreshPolicy>,
    /// By how much a rotation moves the expiry on, where it does.
    #[n(5)]
    pub renewal: Option<Ttl>,
    /// The last generation that was presented before the record had reached it, once that was told.
    #[n(6)]
    pub ahead: Option<u32>,
}

/// Who presents a refresh token: a keyed digest of client, device and proof key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Presenter(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl Rotation {
    /// The rotation once `retired` has given way to the next generation at `now`.
    pub fn after(
        &self,
        retired: Generation,
        shown_by: Presenter,
        access: TokenId,
        now: Timestamp,
        window: GracePeriod,
    ) -> Self {
        let trail = self.trail.clone().unwrap_or_default();
        Self {
            at: Some(now),
            shown_by: Some(shown_by),
            trail: Some(trail.after(retired, now, window)),
            access: Some(access),
            ..self.clone()
        }
    }

    /// The time by which a decision is made: a clock that went back does not undo a rotation. Until
    /// it has caught up, what was retired ahead of it counts as retired a moment ago.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        self.at.map_or(now, |at| at.max(now))
    }
}
