//! What is read: pages of tokens, counts, the history of a token.

use keyfob_core::text::{Actor, Reason};
use keyfob_core::time::Timestamp;
use keyfob_core::token::{ChangeKind, HistoryEntry};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema::{Text, TimeText};
use crate::token::TokenBody;

/// One page of tokens: the answer to `GET /v1/tokens`.
///
/// `T` is the token as it is written: a [`TokenBody`], or a view of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenPageBody<T = TokenBody> {
    /// The tokens, in order. A page may be short or empty and still not be the last.
    pub tokens: Vec<T>,
    /// The cursor of the next page. Null: this is the last page. It belongs to `filter` and the order.
    pub next: Option<String>,
    /// The filter with absolute times. Pass it with the cursor, so that all pages are of one list.
    pub filter: String,
    /// How many records were read.
    pub examined: u64,
    /// How many records could not be read. The server's log names them.
    pub unreadable: u64,
    /// The lanes of the store that could not be reached. Their tokens are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_lanes: Vec<u16>,
}

/// The answer to `GET /v1/tokens/count`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CountBody {
    /// How many tokens match.
    pub count: u64,
    /// The lanes of the store that could not be reached. Their tokens are not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_lanes: Vec<u16>,
}

/// The answer to `GET /v1/tokens/{id}/history`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryBody<T = HistoryEntryBody> {
    /// The last eight changes and the revocation, the oldest first.
    pub changes: Vec<T>,
}

/// One change of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HistoryEntryBody {
    /// When it happened.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub at: Timestamp,
    /// The kind of change, such as `issued` or `revoked`.
    pub what: String,
    /// Who did it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub by: Option<Actor>,
    /// The reason, if one was given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub reason: Option<Reason>,
    /// For a revocation: what was revoked. Otherwise null.
    pub through: Option<String>,
}

impl From<&HistoryEntry> for HistoryEntryBody {
    fn from(entry: &HistoryEntry) -> Self {
        let through = match entry.what {
            ChangeKind::Revoked(through) => Some(through.as_str().to_owned()),
            _ => None,
        };
        Self {
            at: entry.at,
            what: entry.what.as_str().to_owned(),
            by: entry.by.clone(),
            reason: entry.reason.clone(),
            through,
        }
    }
}
