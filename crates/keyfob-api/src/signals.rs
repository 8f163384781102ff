//! Shared Signals (SSF 1.0): streams of security event tokens that a receiver manages, and polls (RFC 8936).
//!
//! Unlike other requests, these ignore members that they do not know: the standards may get new ones.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::secret::SecretText;

/// The delivery method by which a receiver is pushed tokens (RFC 8935).
pub const PUSH: &str = "urn:ietf:rfc:8935";
/// The delivery method by which a receiver polls for tokens (RFC 8936).
pub const POLL: &str = "urn:ietf:rfc:8936";

/// How tokens come to a receiver (SSF 1.0 section 6.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamDelivery {
    /// `urn:ietf:rfc:8935`: they are pushed. `urn:ietf:rfc:8936`: the receiver polls.
    pub method: String,
    /// Where tokens are pushed to, which the receiver says; or where it polls, which the service says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The header `Authorization` of each push. It is not shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_header: Option<SecretText>,
}

/// The body of `POST /ssf/streams`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateStreamBody {
    /// How tokens come. Default: the receiver polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<StreamDelivery>,
    /// The signals that the receiver wants, as URIs. Unknown ones are kept, and not delivered. Default: all that there
    /// are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_requested: Option<Vec<String>>,
    /// What the stream is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The body of `PATCH` and `PUT /ssf/streams`. What the service says may be repeated, as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeStreamBody {
    /// The stream.
    pub stream_id: String,
    /// How tokens come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<StreamDelivery>,
    /// The signals that the receiver wants, as URIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_requested: Option<Vec<String>>,
    /// What the stream is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<Value>,
    /// The signals that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_supported: Option<Vec<String>>,
    /// The signals of the stream, before the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_delivered: Option<Vec<String>>,
    /// The time between two verifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_verification_interval: Option<u64>,
}

/// A stream as its receiver sees it (SSF 1.0 section 8.1.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamBody {
    /// Its id.
    pub stream_id: String,
    /// The issuer of its tokens.
    pub iss: String,
    /// The audience of its tokens.
    pub aud: String,
    /// How tokens come.
    pub delivery: StreamDelivery,
    /// The signals that there are.
    pub events_supported: Vec<String>,
    /// The signals that the receiver wants. None: all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_requested: Option<Vec<String>>,
    /// The signals that the stream has.
    pub events_delivered: Vec<String>,
    /// How many seconds have to pass between two verifications.
    pub min_verification_interval: u64,
    /// What the stream is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Whether a stream transmits (SSF 1.0 section 8.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StreamStatus {
    /// It does.
    Enabled,
    /// It does not. It continues later where it stopped.
    Paused,
    /// It does not. What happens meanwhile is never transmitted.
    Disabled,
}

impl StreamStatus {
    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// The status of a stream: the body of `POST /ssf/status`, and the answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamStatusBody {
    /// The stream.
    pub stream_id: String,
    /// Whether it transmits.
    pub status: StreamStatus,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST /ssf/verify`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyStreamBody {
    /// The stream.
    pub stream_id: String,
    /// A text that the event repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The body of `POST /ssf/subjects/add` and `POST /ssf/subjects/remove`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamSubjectBody {
    /// The stream.
    pub stream_id: String,
    /// The subject, as `sub_id` of a token has it (RFC 9493).
    pub subject: serde_json::Map<String, Value>,
}

/// A poll (RFC 8936 section 2.2): what the receiver has, and what it wants.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PollBody {
    /// The maximum number of tokens. 0: none, only acknowledge. Default: 100, which is the maximum too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_events: Option<u32>,
    /// Whether to answer at once also if there are no tokens. Otherwise the answer waits for one, for a while.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "std::ops::Not::not")]
    pub return_immediately: bool,
    /// The ids (`jti`) of tokens that the receiver has.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ack: Vec<String>,
    /// The ids of tokens that the receiver does not accept, and why.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub set_errs: BTreeMap<String, SetErrorBody>,
}

/// Reads null as nothing, which some receivers write for an empty list.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why a receiver does not accept a token (RFC 8936 section 2.6).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetErrorBody {
    /// The code, such as `invalid_key`.
    pub err: String,
    /// What is wrong.
    #[serde(default)]
    pub description: String,
}

/// The answer to a poll (RFC 8936 section 2.3).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PollAnswer {
    /// The tokens by their ids, the oldest first. Each comes again until it is acknowledged, or its error is reported.
    pub sets: Sets,
    /// Whether there are more right now.
    #[serde(default)]
    pub more_available: bool,
}

/// Security event tokens by their ids: a JSON object whose members are in the order of the stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sets(pub Vec<(String, String)>);

impl Serialize for Sets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, token)| (id, token)))
    }
}

impl<'de> Deserialize<'de> for Sets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Sets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tokens")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Sets, A::Error> {
                let mut sets = Vec::new();
                while let Some(member) = object.next_entry()? {
                    sets.push(member);
                }
                Ok(Sets(sets))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Sets {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sets".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stay_in_their_order() {
        let text = r#"{"sets":{"b":"2","a":"1"},"moreAvailable":true}"#;
        let answer: PollAnswer = serde_json::from_str(text).unwrap();
        let of = |id: &str, token: &str| (id.to_owned(), token.to_owned());
        assert_eq!(answer.sets.0, [of("b", "2"), of("a", "1")]);
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
    }

    #[test]
    fn a_poll_has_the_names_of_the_standard_and_may_be_empty() {
        assert_eq!(serde_json::from_str::<PollBody>("{}").unwrap(), PollBody::default());
        let nothing = r#"{"maxEvents":null,"returnImmediately":null,"ack":null,"setErrs":null}"#;
        assert_eq!(serde_json::from_str::<PollBody>(nothing).unwrap(), PollBody::default());
        let text = r#"{"maxEvents":0,"returnImmediately":true,"ack":["a"],"setErrs":{"b":{"err":"invalid_key"}},"x":1}"#;
        let body: PollBody = serde_json::from_str(text).unwrap();
        assert_eq!((body.max_events, body.return_immediately), (Some(0), true));
        assert_eq!((body.ack.len(), body.set_errs["b"].err.as_str()), (1, "invalid_key"));
        assert!(serde_json::from_str::<PollBody>(r#"{"maxEvents":-1}"#).is_err());
    }
}
