//! Security event tokens (RFC 8417): which events are signals for other services, and what the tokens say.
//!
//! The signals are those of CAEP 1.0, a profile of Shared Signals (SSF 1.0): `session-revoked`, and
//! `credential-change` for API keys. The claims are signed elsewhere.
//!
//! | event | signal | subject (RFC 9493) |
//! |---|---|---|
//! | a token was revoked, or its reuse was detected | `session-revoked` | the token, with its user |
//! | an API key was revoked | `credential-change`, `revoke` | the same |
//! | an API key got a new secret | `credential-change`, `update` | the same |
//! | everything of a subject was revoked | `session-revoked` | `iss_sub`: the user |
//! | everything of a family was revoked | `session-revoked` | `opaque`: the id of the family |
//! | everything of a client was revoked | `session-revoked` | `complex`: the application |
//! | every token was revoked | `session-revoked` | `complex`: the tenant, which is the issuer |

use keyfob_core::event::{EpochOf, Event, EventKind};
use keyfob_core::id::TokenId;
use keyfob_core::text::Subject;
use keyfob_core::time::Timestamp;
use keyfob_core::token::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

/// The type in the header (RFC 8417 section 2.3).
pub const TYPE: &str = "secevent+jwt";
/// The media type of a request that pushes one (RFC 8935 section 2.1).
pub const MEDIA_TYPE: &str = "application/secevent+jwt";
/// The URI of the signal that sessions were revoked (CAEP 1.0 section 3.1).
pub const SESSION_REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// The URI of the signal that a credential was changed or revoked (CAEP 1.0 section 3.3).
pub const CREDENTIAL_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/credential-change";
/// The URI of the event that tests a stream (SSF 1.0, Verification).
pub const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
/// The URI of the event that says that the status of a stream was changed (SSF 1.0, Stream Updated Event).
pub const STREAM_UPDATED: &str =
    "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";
/// The signals that a stream may have.
pub const SIGNALS: [&str; 2] = [SESSION_REVOKED, CREDENTIAL_CHANGE];
/// The `credential_type` of an API key. CAEP has no name for them, and allows others.
pub const API_KEY: &str = "api_key";
/// How much of an answer is read.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// How much of an error in an answer is kept.
pub(crate) const MAX_ERROR_CHARS: usize = 200;

/// Who sends tokens to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stream<'a> {
    /// The issuer, which also names its users in `iss_sub`.
    pub issuer: &'a str,
    /// The receiver.
    pub audience: &'a str,
}

/// What is known about a token beside its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenDetails {
    /// Its kind.
    pub kind: Kind,
    /// Its subject.
    pub subject: Option<Subject>,
}

impl Stream<'_> {
    /// Returns the claims of the token about an event. `None`: the event is no signal for others.
    ///
    /// Without the details of a token that was revoked, it is taken for a session: a receiver that ends what it has for
    /// the id of the token is right.
    pub fn claims(
        &self,
        event: &Event,
        token: Option<&TokenDetails>,
        now: Timestamp,
    ) -> Option<Value> {
        let (uri, subject) = match &event.what {
            EventKind::Revoked { token: id } => match token.map(|token| token.kind) {
                Some(Kind::ApiKey) => (CREDENTIAL_CHANGE, self.token(*id, token)),
                _ => (SESSION_REVOKED, self.token(*id, token)),
            },
            EventKind::ReuseDetected { token: id, .. } => (SESSION_REVOKED, self.token(*id, token)),
            EventKind::SecretReplaced { token: id, .. } => {
                (CREDENTIAL_CHANGE, self.token(*id, token))
            }
            EventKind::EpochAdvanced { of } => (SESSION_REVOKED, self.epoch(of)),
            _ => return None,
        };
        let mut signal = json!({
            "event_timestamp": event.at.as_secs(),
            "initiating_entity": initiator(event, token),
        });
        if uri == CREDENTIAL_CHANGE {
            let is_update = matches!(event.what, EventKind::SecretReplaced { .. });
            signal["credential_type"] = json!(API_KEY);
            signal["change_type"] = json!(if is_update { "update" } else { "revoke" });
        }
        if let Some(reason) = &event.reason {
            signal["reason_admin"] = json!({ "en": reason.to_string() });
        }
        Some(self.envelope(&event.id.to_string(), subject, uri, signal, now))
    }

    /// Returns the claims of an event that tests the stream. `id` is that of the event, `stream` that of the stream,
    /// `state` what the receiver named.
    pub fn verification(
        &self,
        id: &str,
        stream: &str,
        state: Option<&str>,
        now: Timestamp,
    ) -> Value {
        let signal = state.map_or_else(|| json!({}), |state| json!({ "state": state }));
        self.about_stream(id, stream, VERIFICATION, signal, now)
    }

    /// Returns the claims of an event that says that the status of the stream was changed, and why.
    pub fn updated(
        &self,
        id: &str,
        stream: &str,
        (status, reason): (&str, Option<&str>),
        now: Timestamp,
    ) -> Value {
        let mut signal = json!({ "status": status });
        if let Some(reason) = reason {
            signal["reason"] = json!(reason);
        }
        self.about_stream(id, stream, STREAM_UPDATED, signal, now)
    }

    fn about_stream(
        &self,
        id: &str,
        stream: &str,
        uri: &str,
        signal: Value,
        now: Timestamp,
    ) -> Value {
        let subject = json!({ "format": "opaque", "id": stream });
        self.envelope(id, subject, uri, signal, now)
    }

    fn envelope(&self, id: &str, sub_id: Value, uri: &str, signal: Value, now: Timestamp) -> Value {
        json!({
            "iss": self.issuer,
            "jti": id,
            "iat": now.as_secs(),
            "aud": self.audience,
            "sub_id": sub_id,
            "events": { uri: signal },
        })
    }

    /// Returns the subject that a token is. With its user alone it would mean all sessions of that user.
    fn token(&self, id: TokenId, details: Option<&TokenDetails>) -> Value {
        let session = json!({ "format": "opaque", "id": id.to_string() });
        match details.and_then(|details| details.subject.as_ref()) {
            None => session,
            Some(user) => {
                json!({ "format": "complex", "session": session, "user": self.user(user) })
            }
        }
    }

    fn user(&self, subject: &Subject) -> Value {
        json!({ "format": "iss_sub", "iss": self.issuer, "sub": subject.to_string() })
    }

    fn epoch(&self, of: &EpochOf) -> Value {
        match of {
            EpochOf::Subject(subject) => self.user(subject),
            EpochOf::Family(family) => json!({ "format": "opaque", "id": family.to_string() }),
            EpochOf::Client(client) => json!({
                "format": "complex",
                "application": { "format": "opaque", "id": client.to_string() },
            }),
            EpochOf::All => json!({
                "format": "complex",
                "tenant": { "format": "uri", "uri": self.issuer },
            }),
        }
    }
}

/// Returns whether an event may be a signal: those that [`Stream::claims`] has claims for.
pub fn is_signal(event: &Event) -> bool {
    needs_token(event).is_some() || matches!(event.what, EventKind::EpochAdvanced { .. })
}

/// Returns the token whose details [`Stream::claims`] needs, if it needs some.
pub fn needs_token(event: &Event) -> Option<TokenId> {
    let is_about_one = matches!(
        event.what,
        EventKind::Revoked { .. }
            | EventKind::ReuseDetected { .. }
            | EventKind::SecretReplaced { .. }
    );
    event.token().filter(|_| is_about_one)
}

/// Returns the signal that some claims have.
pub fn signal_of(claims: &Value) -> Option<&str> {
    Some(claims.get("events")?.as_object()?.keys().next()?)
}

/// Returns who caused an event, in the words of CAEP (section 2).
fn initiator(event: &Event, token: Option<&TokenDetails>) -> &'static str {
    let subject = match &event.what {
        EventKind::EpochAdvanced { of: EpochOf::Subject(subject) } => Some(subject),
        EventKind::ReuseDetected { .. } => return "policy",
        _ => token.and_then(|token| token.subject.as_ref()),
    };
    match (&event.by, subject) {
        (None, _) => "system",
        (Some(actor), Some(subject)) if actor.as_str() == subject.as_str() => "user",
        (Some(_), _) => "admin",
    }
}

/// Reads the error that a receiver answers with (RFC 8935 section 2.3). `None` if the body has none.
pub fn rejection(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Rejection {
        err: String,
        #[serde(default)]
        description: String,
    }
    let Rejection { err, description } = serde_json::from_slice(body).ok()?;
    rejection_of(&err, &description)
}

/// Returns the error of a receiver as it is kept. `None` if it is empty.
pub fn rejection_of(err: &str, description: &str) -> Option<String> {
    let text =
        if description.is_empty() { err.to_owned() } else { format!("{err}: {description}") };
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().take(MAX_ERROR_CHARS).map(visible).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
