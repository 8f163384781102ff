//! What an edge asks a central server: a node that validates by itself and has no store.
//!
//! Records, observations and keys are bytes that only keyfob reads. Spans are in microseconds and times in
//! milliseconds since 1970, because they are compared and not shown.

use keyfob_core::id::TokenId;
use serde::{Deserialize, Serialize};

use crate::binary::Binary;
#[cfg(feature = "schema")]
use crate::schema::TokenIdText;

/// The answer to `GET /v1/edge`: what an edge has to know before it begins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeBody {
    /// The number of lanes of the namespace.
    pub lanes: u16,
    /// The key of the namespace: 32 bytes. It makes no token valid. Keep it secret all the same.
    pub key: Binary,
    /// Whether every id of the namespace has a code that shows where it was drawn.
    pub requires_id_macs: bool,
    /// What bearer tokens begin with.
    pub prefix: String,
    /// The time of the server.
    pub now_ms: u64,
}

/// A change in a journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgePosition {
    /// The journal: 8 bytes.
    pub journal: Binary,
    /// The number of the change.
    pub number: u64,
}

/// The body of `POST /v1/edge/beat`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EdgeBeatBody {
    /// Where the last beat ended. Without it, the answer comes at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<EdgePosition>,
    /// How long ago the edge had seen all changes.
    pub ago_us: u64,
    /// How long the answer may wait for a change: at most 5 seconds.
    pub hold_us: u64,
}

/// The answer to `POST /v1/edge/beat`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeBeatAnswer {
    /// The fingerprint of the namespace: 16 bytes.
    pub namespace: Binary,
    /// Where this beat ends.
    pub position: EdgePosition,
    /// Whether the changes are all of those after the position that was asked for.
    pub continuous: bool,
    /// The changes are all of those that were made so long before the answer.
    pub covers_us: u64,
    /// How long the answer was held back.
    pub held_us: u64,
    /// Changes of the time so long before the answer may be missing.
    pub age_us: u64,
    /// The lanes of which nothing is known.
    pub distrusted: Vec<u16>,
    /// The changes, the oldest first.
    pub changes: Vec<EdgeChange>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeChange {
    /// The lane.
    pub lane: u16,
    /// What changed in it.
    pub what: EdgeChanged,
}

/// What changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EdgeChanged {
    /// One record: 10 bytes of its id.
    Record(Binary),
    /// Every record that answers to this epoch: 8 bytes.
    Epoch(Binary),
    /// Everything in the lane.
    All,
}

/// The answer to `GET /v1/edge/records/{id}`: a record of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeRecordBody {
    /// The id of the token.
    #[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))]
    pub id: TokenId,
    /// The record. It has a digest of the secret, and not the secret.
    pub body: Binary,
    /// The version of the record.
    pub version: u32,
    /// The stamp of the record.
    pub stamp: u64,
    /// When the record may be forgotten.
    pub keep_until_ms: u64,
    /// How many uses are left, if they are limited.
    pub uses_left: Option<u32>,
    /// When the token was last used.
    pub last_used_ms: Option<u64>,
    /// The epochs that can revoke it.
    pub epochs: EdgeEpochs,
    /// Whether it is revoked.
    pub verdict: EdgeVerdict,
    /// When the latest of its epochs was advanced.
    pub last_advance_ms: Option<u64>,
}

/// The epochs that can revoke a record: 8 bytes each.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeEpochs {
    /// That of the subject.
    pub subject: Option<Binary>,
    /// That of the client.
    pub client: Option<Binary>,
    /// Those of the tokens that it descends from.
    pub ancestors: Vec<Binary>,
}

/// Whether a record is revoked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EdgeVerdict {
    /// It is not.
    Clear,
    /// It is.
    Revoked(EdgeMark),
    /// The store lost what may have revoked it.
    Damaged,
}

/// A revocation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeMark {
    /// What it came from.
    pub through: EdgeMarkScope,
    /// When.
    pub at_ms: u64,
    /// Reason and actor.
    pub note: Binary,
}

/// What a revocation came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EdgeMarkScope {
    /// The token itself.
    Token,
    /// The ancestor at this place.
    Ancestor(u8),
    /// Everything of the subject.
    Subject,
    /// Everything of the client.
    Client,
    /// Everything.
    All,
}

/// A write that may be sent again: within its deadline it has its effect once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeOperation {
    /// Its random id: 16 bytes.
    pub id: Binary,
    /// When it may no longer have an effect. The server takes 30 seconds from now at most.
    pub deadline_ms: u64,
}

/// The body of `POST /v1/edge/records/{id}/consume`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeConsumeBody {
    /// The write.
    pub operation: EdgeOperation,
}

/// The answer to `POST /v1/edge/records/{id}/consume`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum EdgeConsumed {
    /// One use was consumed.
    Consumed {
        /// How many are left.
        left: u32,
    },
    /// No use was left.
    Exhausted,
    /// The token is revoked or unknown, or its uses are not limited.
    Refused,
}

/// The body of `POST /v1/edge/records/{id}/first-use`: the newest secret of an API key was used for the
/// first time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeFirstUseBody {
    /// The write.
    pub operation: EdgeOperation,
    /// The version that was read.
    pub version: u32,
    /// The record with this change and no other.
    pub body: Binary,
}

/// The answer to `POST /v1/edge/records/{id}/first-use`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum EdgeReplaced {
    /// It is written.
    Stored {
        /// The version of the record now.
        version: u32,
    },
    /// The record has another version: read it again.
    Stale,
    /// The token is revoked.
    Ended,
    /// There is no such record.
    Missing,
}

/// The body of `POST /v1/edge/uses`: when tokens were last used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeUsesBody {
    /// At most 1,000.
    #[cfg_attr(feature = "schema", schemars(length(max = 1_000)))]
    pub uses: Vec<EdgeUse>,
}

/// When a token was last used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeUse {
    /// The token.
    #[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))]
    pub id: TokenId,
    /// When. A time in the future is taken as now.
    pub at_ms: u64,
    /// When the token ends now, if the use has moved that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
}

/// The body of `POST /v1/edge/observations`: what the edge has seen, such as refusals.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeObservationsBody {
    /// At most 1,000 observations.
    #[cfg_attr(feature = "schema", schemars(length(max = 1_000)))]
    pub observations: Vec<Binary>,
}

/// How many uses or observations were taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeTaken {
    /// The number.
    pub taken: usize,
}

/// The body of `POST /v1/edge/charges`: permits to take from rate limits, of all or of none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeChargesBody {
    /// The charges, each of another key.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub charges: Vec<EdgeCharge>,
}

/// Permits to take from one rate limit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdgeCharge {
    /// What is counted: a digest of 16 bytes.
    pub key: Binary,
    /// The rate: so many permits.
    pub permits: u32,
    /// In so many milliseconds.
    pub period_ms: u64,
    /// How many permits may be taken in one go.
    pub burst: u32,
    /// With room for fewer permits than this, it is refused.
    pub min_permits: u32,
    /// Up to this many permits are taken.
    pub max_permits: u32,
}

/// The answer to `POST /v1/edge/charges`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeCharged {
    /// Whether all were admitted. If not, nothing was charged.
    pub admitted: bool,
    /// The state of each key, in the order of the charges.
    pub levels: Vec<EdgeLevel>,
    /// When the limits began without a debt, if they are in the memory of the central server: what was used before is
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at_ms: Option<u64>,
}

/// The state of a rate limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EdgeLevel {
    /// How many permits were taken.
    pub taken: u32,
    /// The debt, in units of the meter.
    pub debt: u64,
    /// The time of the debt.
    pub at_ms: u64,
    /// The time by the clock of the limits.
    pub now_ms: u64,
}
