//! Pages of events.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One page of events: the answer to `GET /v1/events`, unless a stream of server-sent events is asked
/// for.
///
/// `T` is the event as it is written: an [`EventBody`], or the event itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventsPageBody<T = EventBody> {
    /// The events, in order.
    pub events: Vec<T>,
    /// The cursor after the last event, to pass as `after`. It is valid also if there are no events.
    pub cursor: String,
    /// Whether more events are stored.
    pub more: bool,
    /// Whether events were deleted before they were read. Rebuild what is derived from events.
    pub trimmed: bool,
}

/// An event: CloudEvents 1.0 in JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventBody {
    /// The version of CloudEvents: 1.0.
    pub specversion: String,
    /// The id. An event that is read twice has the same id.
    pub id: String,
    /// The source: `/keyfob`.
    pub source: String,
    /// The type, such as `keyfob.token.revoked`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub time: String,
    /// The id of the token, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `application/json`.
    pub datacontenttype: String,
    /// What else is known about it.
    pub data: Map<String, Value>,
    /// The cursor after this event.
    #[serde(default, rename = "keyfobcursor", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
