//! The keys that seal a store, and the progress of sealing it again.

use std::collections::BTreeMap;

use keyfob_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::revoke::ProgressState;
#[cfg(feature = "schema")]
use crate::schema::TimeText;

/// The answer to `GET /v1/keys`: the keys that seal the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeysBody {
    /// The keys of the server's ring, the oldest first. With `count`, also those that are not in it and
    /// under which records are stored.
    pub keys: Vec<KeyBody>,
}

/// A key that seals records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyBody {
    /// The version of the key. 0 stands for records that are not sealed.
    pub version: u16,
    /// What it is used for.
    pub state: KeyUse,
    /// When it was created, if it is a key.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub created: Option<Timestamp>,
    /// The version of the key of the index under which its records are found.
    pub terms: Option<u16>,
    /// With `count`, how many records are sealed under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

/// What a key is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyUse {
    /// It seals, and opens.
    Active,
    /// It opens: a key for later, or one whose records are being sealed again.
    Reading,
    /// It opens what is left under it. The store refuses new records under it.
    Retired,
    /// It is not in the ring, and records are stored under it.
    Missing,
}

impl KeyUse {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reading => "reading",
            Self::Retired => "retired",
            Self::Missing => "missing",
        }
    }
}

/// The body of `POST /v1/keys/reseal`: `{}` for a run from the start.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResealBody {
    /// Where to resume: the `resume` of the last line that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// A line of the stream that answers `POST /v1/keys/reseal`: one after each page, and a last one.
///
/// If the stream ends without a line whose `state` is `done`, the run is not complete. Send the request
/// again with the `resume` of the last line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResealProgress {
    /// Whether there is more to come.
    pub state: ProgressState,
    /// How many records this run has sealed again.
    pub resealed: u64,
    /// How many records it has read.
    pub examined: u64,
    /// How many records it could not open. They stay as they are.
    pub unreadable: u64,
    /// How many of the records that it has read are now under each key.
    pub under: BTreeMap<u16, u64>,
    /// Where to resume. Null: at the start or, if `done`, nowhere.
    pub resume: Option<String>,
    /// Why the run failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<Problem>>,
}

/// The body of `POST /v1/keys/retire`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetireKeyBody {
    /// The version of the key.
    pub version: u16,
}

/// The answer to `POST /v1/keys/retire`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetiredKeyBody {
    /// The version of the key. The store refuses records under it, and under older ones.
    pub version: u16,
}
