//! Webhooks: subscriptions, their state, and dead letters.

use keyfob_core::time::{Timestamp, Ttl};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema::{TimeText, TtlText};
use crate::secret::SecretText;

/// In which form events are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// Each event as the JSON of `GET /v1/events`, signed by Standard Webhooks.
    #[default]
    CloudEvents,
    /// Revocations and new secrets as security event tokens (RFC 8417) with the signals of CAEP, pushed by RFC 8935.
    Set,
}

impl WebhookFormat {
    /// Returns whether it is the default.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How events come to the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WebhookMethod {
    /// The service sends them.
    #[default]
    Push,
    /// The receiver polls (RFC 8936).
    Poll,
}

/// The body of `POST /v1/webhooks`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookBody {
    /// Where to send events: a URL with `https`. `http` is for networks that the operator allows. Or `nats:` and a subject:
    /// events are published to the NATS server of the service, under this subject and their type.
    pub url: String,
    /// Which events: types such as `keyfob.token.revoked`, or the starts of some, such as `keyfob.token.`.
    /// Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Events about which tokens: a filter as `GET /v1/tokens` takes it, such as `kind:api-key tag:beta`. Conditions that
    /// depend on the time at which they are looked at are refused: `state`, `now`, and distances such as `-7d`.
    /// Empty: all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// In which form. It stays as it is for as long as the webhook exists.
    #[serde(default, skip_serializing_if = "WebhookFormat::is_default")]
    pub format: WebhookFormat,
    /// The audience of security event tokens. Default: the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// The body of `PATCH /v1/webhooks/{webhook}`. What is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhookBody {
    /// Where to send events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Events about which tokens. Empty: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether events are sent. While they are not, the position stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The body of `POST /v1/webhooks/{webhook}/rotate`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateWebhookBody {
    /// For how long the older secrets sign too. Default: a day.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Ttl>,
}

/// A subscription, without its secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookBody {
    /// Its id.
    pub id: String,
    /// Where events are sent; or the path at which the receiver polls.
    pub url: String,
    /// How events come to the receiver.
    #[serde(default)]
    pub method: WebhookMethod,
    /// The client that manages it as a stream of Shared Signals, or the id of its key; null: an administrator does.
    #[serde(default)]
    pub owner: Option<String>,
    /// Which events; empty: all.
    pub types: Vec<String>,
    /// Events about which tokens; empty: all.
    #[serde(default)]
    pub filter: String,
    /// What it is for.
    pub description: String,
    /// In which form events are sent.
    #[serde(default)]
    pub format: WebhookFormat,
    /// The audience of security event tokens; null: the URL.
    #[serde(default)]
    pub audience: Option<String>,
    /// Whether events are sent.
    pub enabled: bool,
    /// Why the service has disabled it, if it has.
    pub disabled_because: Option<String>,
    /// When it was created.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub created: Timestamp,
    /// The number of secrets that sign: two while one replaces the other.
    pub secrets: usize,
    /// How far deliveries have come.
    pub state: WebhookState,
}

/// How far the deliveries of a subscription have come. The replica that delivers writes it every few seconds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookState {
    /// The cursor in `/v1/events` up to which everything was delivered, or became a dead letter.
    pub cursor: String,
    /// When the oldest event happened that waits; null: none was known to wait when this was written.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    #[serde(default)]
    pub waiting_since: Option<Timestamp>,
    /// When a delivery last succeeded.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub delivered_at: Option<Timestamp>,
    /// When a delivery last failed.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub failed_at: Option<Timestamp>,
    /// Why it failed.
    pub last_error: Option<String>,
    /// When events were found to be lost, because the log no longer reached back to them.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub trimmed_at: Option<Timestamp>,
}

/// A subscription and a new secret, which is shown once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookSecretBody {
    /// The subscription.
    pub webhook: WebhookBody,
    /// The secret, for the receiver.
    pub secret: SecretText,
}

/// The answer to `GET /v1/webhooks`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhooksBody {
    /// All subscriptions.
    pub webhooks: Vec<WebhookBody>,
}

/// What came of an attempt to deliver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryBody {
    /// Whether the receiver has it.
    pub delivered: bool,
    /// The status that it answered with, if it answered. NATS answers with none.
    pub status: Option<u16>,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// Whether it waits until the receiver polls.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

/// A delivery that was given up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetterBody {
    /// The name of the letter, for its path.
    pub id: String,
    /// The event, as it would have been sent: of a security event token the claims.
    pub event: serde_json::Map<String, serde_json::Value>,
    /// The number of attempts.
    pub attempts: u32,
    /// When it was given up.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub at: Timestamp,
    /// Why the last attempt failed.
    pub error: String,
}

/// The answer to `GET /v1/webhooks/{webhook}/dead-letters`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLettersBody {
    /// Some of them, in the order of their ids.
    pub dead_letters: Vec<DeadLetterBody>,
    /// Pass this as `after` for the next page. Null: there are no more.
    pub next: Option<String>,
}
