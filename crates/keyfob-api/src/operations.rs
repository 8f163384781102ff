//! What operators ask: statistics, and the report of `doctor`.

use std::collections::BTreeMap;

use keyfob_core::time::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema::TimeText;

/// Numbers of tokens by state.
pub type CountsByState = BTreeMap<String, u64>;

/// The answer to `GET /v1/stats`, and the object of `keyfob stats --json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatsBody {
    /// Whether every token was read. If not, the numbers come from counters.
    pub exact: bool,
    /// How many tokens there are.
    pub total: u64,
    /// The tokens by state.
    pub by_state: CountsByState,
    /// The tokens by kind and state.
    pub by_kind: BTreeMap<String, CountsByState>,
    /// The tokens by client and state: those with the most tokens first.
    pub by_client: Vec<ClientStats>,
    /// For how many tokens it is estimated whether they have expired or become valid by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsure: Option<u64>,
    /// The lanes of the store that could not be reached. Their tokens are not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_lanes: Vec<u16>,
}

/// The tokens of one client by state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientStats {
    /// The client. Null: tokens without a client, or a client whose name is not available.
    pub client: Option<String>,
    /// Identifies a client whose name is not available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The tokens.
    pub counts: CountsByState,
}

/// The answer to `GET /v1/doctor`, and the object of `keyfob doctor --json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DoctorBody {
    /// Whether no finding is a fault.
    pub ok: bool,
    /// The store.
    pub store: String,
    /// The time of the store.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub store_time: Timestamp,
    /// The time of the node that answers.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub node_time: Timestamp,
    /// The max staleness of the server that answers, in milliseconds: for how long after a revocation it may
    /// still accept a token. Only a server has one, and older ones do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_staleness_ms: Option<u64>,
    /// What was found: faults first.
    pub findings: Vec<FindingBody>,
}

/// One finding of `doctor`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingBody {
    /// `fault`, `warning` or `good`.
    pub severity: String,
    /// What was checked.
    pub what: String,
    /// What it means, and what to do.
    pub advice: String,
}
