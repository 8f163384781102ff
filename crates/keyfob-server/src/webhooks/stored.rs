//! Subscriptions, positions and dead letters, as documents of the store.

use keyfob::store::{Cursor, Document, DocumentName, DocumentVersion};
use keyfob::values::Timestamp;
use keyfob_api::webhook::WebhookFormat;
use keyfob_webhook::secret::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::event_types::is_wanted;

/// A subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) url: String,
    pub(super) types: Vec<String>,
    pub(super) description: String,
    #[serde(default)]
    pub(super) format: WebhookFormat,
    #[serde(default)]
    pub(super) audience: Option<String>,
    pub(super) enabled: bool,
    pub(super) disabled_because: Option<String>,
    pub(super) created: Timestamp,
    pub(super) secrets: Vec<StoredSecret>,
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) cursor: String,
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

    pub(super) fn subscription(&self) -> Option<DocumentName> {
        subscriptions()?.child(&self.0).ok()
    }

    pub(super) fn position(&self) -> Option<DocumentName> {
        format!("webhook/position/{}", self.0).parse().ok()
    }

    pub(super) fn dead_letters(&self) -> Option<DocumentName> {
        format!("webhook/dead/{}", self.0).parse().ok()
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
