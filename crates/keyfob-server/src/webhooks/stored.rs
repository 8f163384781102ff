//! Subscriptions, positions and dead letters, as documents of the store.

use keyfob::store::{Cursor, Document, DocumentName, DocumentVersion};
use keyfob::values::Timestamp;
use keyfob_api::signals::StreamStatus;
use keyfob_api::webhook::{WebhookFormat, WebhookMethod};
use keyfob_webhook::secret::Secret;
use keyfob_webhook::set::SIGNALS;
use keyfob_webhook::subject::{self, Subject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filter::TokenFilter;
use crate::event_types::is_wanted;

/// Why a stream does not transmit that an administrator has disabled.
const BY_ADMINISTRATOR: &str = "an administrator has disabled it";

/// A subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subscription {
    /// Where events are sent. Empty: the receiver polls.
    pub(super) url: String,
    #[serde(default)]
    pub(super) method: WebhookMethod,
    /// What its receiver manages, if one does.
    #[serde(default)]
    pub(super) stream: Option<StreamSettings>,
    pub(super) types: Vec<String>,
    /// Events about which tokens.
    #[serde(default)]
    pub(super) filter: TokenFilter,
    pub(super) description: String,
    #[serde(default)]
    pub(super) format: WebhookFormat,
    #[serde(default)]
    pub(super) audience: Option<String>,
    pub(super) enabled: bool,
    /// Who has disabled it.
    #[serde(default)]
    pub(super) disabled_by: Option<DisabledBy>,
    pub(super) disabled_because: Option<String>,
    pub(super) created: Timestamp,
    pub(super) secrets: Vec<StoredSecret>,
}

/// Who has disabled a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DisabledBy {
    /// An administrator. The receiver of a stream cannot change that.
    Administrator,
    /// The receiver of the stream.
    Receiver,
    /// The service, because the receiver is gone.
    Service,
}

/// What the receiver of a stream manages (SSF 1.0).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StreamSettings {
    /// The client that manages it, or the id of its key.
    pub(super) owner: String,
    /// The signals that it wants. `None`: all that there are.
    pub(super) requested: Option<Vec<String>>,
    /// The header `Authorization` of each push.
    pub(super) authorization: Option<SecretHeader>,
    /// Why the stream has the status that it has, as the receiver says.
    pub(super) reason: Option<String>,
    /// Whether what happens is dropped while the stream is not enabled.
    pub(super) discards: bool,
    /// When a verification was last asked for.
    pub(super) verified_at: Option<Timestamp>,
    /// The subjects that the receiver does not want to hear of.
    pub(super) removed: Vec<Subject>,
}

/// The value of a header that is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SecretHeader(pub(super) String);

impl std::fmt::Debug for SecretHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHeader([redacted])")
    }
}

/// A secret, and until when it signs. The newest has no end.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredSecret {
    pub(super) secret: String,
    pub(super) until: Option<Timestamp>,
}

impl std::fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

/// How far deliveries have come, and which replica delivers until when.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) cursor: String,
    /// Of a receiver that polls: the ids of events after the cursor that it has acknowledged.
    #[serde(default)]
    pub(super) acknowledged: Vec<String>,
    /// When the oldest event happened that waits.
    #[serde(default)]
    pub(super) waiting_since: Option<Timestamp>,
    pub(super) owner: String,
    pub(super) lease_until: Timestamp,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) failed_at: Option<Timestamp>,
    pub(super) last_error: Option<String>,
    pub(super) trimmed_at: Option<Timestamp>,
}

/// A delivery that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DeadLetter {
    /// The id of the event.
    pub(super) message: String,
    /// What would have been sent.
    pub(super) event: String,
    pub(super) attempts: u32,
    pub(super) at: Timestamp,
    pub(super) error: String,
}

/// A message about a stream itself, or one that is sent again: it is in no log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Notice {
    /// The id of the message.
    pub(super) message: String,
    /// What is sent.
    pub(super) event: String,
    pub(super) at: Timestamp,
}

/// A value with the version of its document.
#[derive(Clone, Debug)]
pub(super) struct Versioned<T> {
    pub(super) version: DocumentVersion,
    pub(super) value: T,
}

impl<T: DeserializeOwned> Versioned<T> {
    /// Reads the content of a document. `None`: it is damaged, or of a newer version.
    pub(super) fn read(document: &Document) -> Option<Self> {
        match serde_json::from_slice(&document.body) {
            Ok(value) => Some(Self { version: document.version, value }),
            Err(error) => {
                tracing::error!(document = %document.name, %error, "a document cannot be read");
                None
            }
        }
    }
}

/// Returns the content of a document.
pub(super) fn body<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

impl Subscription {
    /// Returns the secrets that sign now.
    pub(super) fn secrets(&self, now: Timestamp) -> Vec<Secret> {
        let valid = self.secrets.iter().filter(|secret| secret.until.is_none_or(|end| now < end));
        valid.filter_map(|secret| secret.secret.parse().ok()).collect()
    }

    /// Returns the audience of security event tokens.
    pub(super) fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or(&self.url)
    }

    /// Returns whether a signal with these claims is wanted.
    pub(super) fn wants_signal(&self, signal: &str, claims: &Value) -> bool {
        let Some(stream) = &self.stream else { return true };
        let is_requested = |wanted: &Vec<String>| wanted.iter().any(|wanted| wanted == signal);
        let about = claims.get("sub_id").and_then(Value::as_object);
        stream.requested.as_ref().is_none_or(is_requested)
            && !about.is_some_and(|about| subject::is_removed(&stream.removed, about))
    }

    /// Returns the signals that are delivered.
    pub(super) fn signals(&self) -> Vec<String> {
        let requested = self.stream.as_ref().and_then(|stream| stream.requested.as_ref());
        let is_requested = |signal: &&&str| {
            requested.is_none_or(|wanted| wanted.iter().any(|wanted| wanted == **signal))
        };
        SIGNALS.iter().filter(is_requested).map(|signal| (*signal).to_owned()).collect()
    }

    /// Returns the status as a stream, and why.
    pub(super) fn status(&self) -> (StreamStatus, Option<String>) {
        let (discards, reason) = match &self.stream {
            Some(stream) => (stream.discards, stream.reason.clone()),
            None => (false, None),
        };
        let status = match (self.enabled, discards) {
            (true, _) => StreamStatus::Enabled,
            (false, true) => StreamStatus::Disabled,
            (false, false) => StreamStatus::Paused,
        };
        let by_administrator =
            self.is_disabled_by_administrator().then(|| BY_ADMINISTRATOR.to_owned());
        (status, by_administrator.or_else(|| self.disabled_because.clone()).or(reason))
    }

    /// Has messages sent to `url`. Another receiver does not get the `Authorization` header of the one before.
    pub(super) fn set_url(&mut self, url: String) {
        if url != self.url
            && let Some(stream) = &mut self.stream
        {
            stream.authorization = None;
        }
        self.url = url;
    }

    /// Returns whether only an administrator may enable it.
    pub(super) fn is_disabled_by_administrator(&self) -> bool {
        !self.enabled && self.disabled_by == Some(DisabledBy::Administrator)
    }

    /// Returns whether events of a type are wanted.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| is_wanted(wanted, kind))
    }
}

impl Position {
    pub(super) fn cursor(&self) -> Cursor {
        self.cursor.parse().unwrap_or_else(|_| Cursor::start())
    }
}

/// The id of a subscription: text that may be a part of the name of a document.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct WebhookId(String);

impl WebhookId {
    pub(super) fn of(bytes: [u8; 10]) -> Self {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("wh-{digits}"))
    }

    /// Reads an id. `None` if the text is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("wh-")?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (digits.len() == 20 && digits.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id without what ids of subscriptions begin with.
    pub(super) fn digits(&self) -> &str {
        self.0.trim_start_matches("wh-")
    }

    pub(super) fn subscription(&self) -> Option<DocumentName> {
        subscriptions()?.child(&self.0).ok()
    }

    pub(super) fn position(&self) -> Option<DocumentName> {
        format!("webhook/position/{}", self.0).parse().ok()
    }

    pub(super) fn dead_letters(&self) -> Option<DocumentName> {
        format!("webhook/dead/{}", self.0).parse().ok()
    }

    pub(super) fn notices(&self) -> Option<DocumentName> {
        format!("webhook/notice/{}", self.0).parse().ok()
    }

    /// Returns the name of a notice with this message.
    pub(super) fn notice(&self, message: &str) -> Option<DocumentName> {
        self.notices()?.child(&letter_of(message)).ok()
    }

    /// Returns the name of the dead letter of an event.
    pub(super) fn dead_letter(&self, letter: &str) -> Option<DocumentName> {
        self.dead_letters()?.child(letter).ok()
    }
}

/// Returns the name of the dead letter of a message, within its subscription.
pub(super) fn letter_of(message: &str) -> String {
    let part = |byte: char| if byte.is_ascii_alphanumeric() { byte } else { '-' };
    message.to_ascii_lowercase().chars().map(part).collect()
}

/// Returns the folder of all subscriptions.
pub(super) fn subscriptions() -> Option<DocumentName> {
    "webhook/subscription".parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_of_an_older_version_wants_events_about_all_tokens() {
        let older = serde_json::json!({
            "url": "https://shop.example",
            "types": [],
            "description": "",
            "enabled": true,
            "disabled_because": null,
            "created": Timestamp::default(),
            "secrets": [],
        });
        let read: Subscription = serde_json::from_value(older).unwrap();
        assert!(read.filter.is_empty());
    }
}
