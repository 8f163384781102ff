//! What to revoke, and the progress of it.

use std::collections::BTreeMap;

use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::text::{ClientId, Reason, Subject};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
#[cfg(feature = "schema")]
use crate::schema::{Bindings, Text, TokenIdText};
use crate::token::RevocationBody;

/// The body of `POST /v1/revoke`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeBody {
    /// What to revoke.
    pub target: RevokeTarget,
    /// The reason to record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub reason: Option<Reason>,
    /// Only counts the tokens that would be revoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What to revoke. All but a filter are revoked in one step, for any number of tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RevokeTarget {
    /// One token, and all tokens that were minted from it.
    Token(#[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))] TokenId),
    /// A family: its root token, and all tokens that were minted from it.
    Family(#[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))] FamilyId),
    /// All tokens of a subject.
    Subject(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] Subject),
    /// All tokens of a client.
    Client(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] ClientId),
    /// Every token of the store: `{"all": true}`.
    All(#[cfg_attr(feature = "schema", schemars(with = "crate::schema::True"))] Everything),
    /// All tokens that match a filter, page by page. The answer is a stream of [`RevokeProgress`].
    Filter(RevokeFilter),
}

/// The value of `all`: `true`, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Everything;

impl Serialize for Everything {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Everything {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self),
            false => Err(serde::de::Error::custom("all can only be true")),
        }
    }
}

/// A filter, with what a run over its matches needs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeFilter {
    /// The text of the filter, such as `app:shop tag:beta`. It may not be empty.
    pub filter: String,
    /// Values for the names `$NAME` in the filter. They are never parsed as a filter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Bindings"))]
    pub bind: BTreeMap<String, String>,
    /// Where to resume: the `resume` of the last line that was read. Pass that line's `filter` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// The maximum number of tokens to revoke per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 4_294_967_295u32)))]
    pub throttle: Option<u32>,
}

/// The answer to `POST /v1/revoke`, except for a filter without `dry_run`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevokeAnswer {
    /// What was done.
    pub outcome: RevokeOutcome,
    /// The revocation of a single token. If it was revoked already, that is the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationBody>,
    /// With `dry_run`, how many pending and active tokens would be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many tokens are listed under the subject or the client, in any state, up to 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<u64>,
    /// How many lanes it is done in, and which could not be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lanes: Option<LanesBody>,
}

impl RevokeAnswer {
    /// Creates an answer without further members.
    pub fn new(outcome: RevokeOutcome) -> Self {
        Self { outcome, revocation: None, count: None, listed: None, lanes: None }
    }
}

/// How a revocation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevokeOutcome {
    /// It is done.
    Revoked,
    /// The token was revoked before. Nothing was changed.
    AlreadyRevoked,
    /// It is done on the servers of the store that could be reached.
    PartlyRevoked,
    /// The tokens were only counted.
    Counted,
}

/// How many lanes of the store a revocation has reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LanesBody {
    /// In how many lanes it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u16>,
    /// How many lanes could not be reached.
    pub pending: usize,
    /// Those lanes.
    pub pending_lanes: Vec<u16>,
}

/// A line of the stream that answers a revocation by filter: one after each page, and a last one.
///
/// If the stream ends without a line whose `state` is `done`, the run is not complete. Send the
/// request again with the `filter` and the `resume` of the last line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevokeProgress {
    /// Whether there is more to come.
    pub state: ProgressState,
    /// How many tokens this run has revoked.
    pub revoked: u64,
    /// How many records it has read.
    pub examined: u64,
    /// How many records it could not read. They may match and be active.
    pub unreadable: u64,
    /// The lanes that could not be reached. Tokens in them may match and be active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_lanes: Vec<u16>,
    /// The filter with absolute times.
    pub filter: String,
    /// Where to resume. Null: at the start or, if `done`, nowhere.
    pub resume: Option<String>,
    /// Why the run failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<Problem>>,
}

/// Whether there is more to come in a stream of progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProgressState {
    /// A page is done, more follow.
    Running,
    /// All is done. This is the last line.
    Done,
    /// The run failed. This is the last line; `error` says why.
    Failed,
}
