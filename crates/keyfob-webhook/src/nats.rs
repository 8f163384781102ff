//! Events as messages in NATS: their subjects, and what JetStream answers.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The header by which JetStream knows a message that it has already.
pub const MESSAGE_ID_HEADER: &str = "Nats-Msg-Id";

/// What comes before the type of an event in its subject: `keyfob`, or tokens with dots between them.
///
/// ```
/// use keyfob_webhook::nats::SubjectPrefix;
///
/// let prefix: SubjectPrefix = "prod.keyfob".parse()?;
/// assert_eq!(prefix.subject("keyfob.token.revoked"), "prod.keyfob.token.revoked");
/// assert_eq!(prefix.message_id("op-1"), "prod.keyfob/op-1");
/// // Only names: no wildcards, and no subjects of the server itself.
/// assert!("keyfob.>".parse::<SubjectPrefix>().is_err());
/// assert!("$JS.API".parse::<SubjectPrefix>().is_err());
/// # Ok::<(), keyfob_webhook::nats::InvalidSubject>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SubjectPrefix(String);

/// Why a text is no prefix of subjects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidSubject {
    /// It is too long.
    #[error("the subject is too long: at most {} bytes", SubjectPrefix::MAX_LEN)]
    TooLong,
    /// It has other characters, or an empty part.
    #[error(
        "it is not a subject: write letters, digits, - and _, with dots between, such as keyfob"
    )]
    NotASubject,
}

/// What the types of all events begin with.
const TYPES: &str = "keyfob.";

impl SubjectPrefix {
    /// The maximum length in bytes.
    pub const MAX_LEN: usize = 128;

    /// Returns the prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the subject of events of a type: the prefix, and the type without its `keyfob.`.
    pub fn subject(&self, kind: &str) -> String {
        format!("{}.{}", self.0, kind.strip_prefix(TYPES).unwrap_or(kind))
    }

    /// Returns the id by which JetStream drops a repeat of an event. A stream may take several prefixes, and
    /// drops by id alone, so the prefix is a part of it.
    pub fn message_id(&self, event: &str) -> String {
        format!("{}/{event}", self.0)
    }

    /// Returns whether all subjects of this prefix are below another, or it is the same.
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl Default for SubjectPrefix {
    fn default() -> Self {
        Self("keyfob".to_owned())
    }
}

impl fmt::Display for SubjectPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SubjectPrefix {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidSubject::TooLong);
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_name);
        // Inboxes are where answers come to, so nothing is published there.
        if !text.split('.').all(is_token) || text.starts_with("_INBOX") {
            return Err(InvalidSubject::NotASubject);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The maximum number of characters that are kept of an error of JetStream.
const MAX_ERROR: usize = 256;

/// The maximum length in bytes of what [`acknowledged`] says.
pub(crate) const MAX_REASON: usize = 4 * MAX_ERROR + 64;

/// Reads the answer of JetStream to a message.
///
/// # Errors
/// Why no stream has the message.
pub fn acknowledged(answer: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Acknowledgement<'a> {
        #[serde(borrow, default)]
        error: Option<ApiError<'a>>,
        #[serde(borrow, default)]
        stream: Cow<'a, str>,
        #[serde(default)]
        seq: u64,
    }
    #[derive(Deserialize)]
    struct ApiError<'a> {
        #[serde(default)]
        code: u16,
        #[serde(borrow, default)]
        description: Cow<'a, str>,
    }
    let read: Result<Acknowledgement<'_>, _> = serde_json::from_slice(answer);
    match read {
        Ok(Acknowledgement { error: Some(ApiError { code, description }), .. }) => {
            let description: String =
                description.chars().filter(|letter| !letter.is_control()).take(MAX_ERROR).collect();
            Err(format!("JetStream refuses the message: {description} ({code})"))
        }
        Ok(Acknowledgement { stream, seq, .. }) if !stream.is_empty() && seq > 0 => Ok(()),
        _ => Err(
            "the answer is no acknowledgement of JetStream: does a service reply on the subject?"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_names_only() {
        let long = "x".repeat(129);
        for (text, why) in [
            ("", InvalidSubject::NotASubject),
            (".", InvalidSubject::NotASubject),
            ("a.", InvalidSubject::NotASubject),
            ("a..b", InvalidSubject::NotASubject),
            ("a b", InvalidSubject::NotASubject),
            ("a\r\nPUB x 0", InvalidSubject::NotASubject),
            ("*", InvalidSubject::NotASubject),
            ("a.>", InvalidSubject::NotASubject),
            ("$SYS.x", InvalidSubject::NotASubject),
            ("_INBOX.x", InvalidSubject::NotASubject),
            ("ä", InvalidSubject::NotASubject),
            (&*long, InvalidSubject::TooLong),
        ] {
            assert_eq!(text.parse::<SubjectPrefix>(), Err(why), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_below_one_whose_names_it_begins_with() {
        let is_below = |text: &str| {
            let prefix: SubjectPrefix = text.parse().unwrap();
            prefix.is_below(&"a.b".parse().unwrap())
        };
        assert!(is_below("a.b") && is_below("a.b.c"));
        assert!(!is_below("a") && !is_below("a.bc") && !is_below("x.a.b"));
    }

    #[test]
    fn only_an_acknowledgement_with_stream_and_sequence_counts() {
        acknowledged(br#"{"stream":"S","seq":7}"#).unwrap();
        acknowledged(br#"{"stream":"S","seq":7,"duplicate":true,"domain":"hub"}"#).unwrap();
        let error = acknowledged(
            br#"{"error":{"code":503,"err_code":10077,"description":"maximum\n messages \"x\" exceeded"},"stream":"S","seq":0}"#,
        );
        assert_eq!(
            error.unwrap_err(),
            "JetStream refuses the message: maximum messages \"x\" exceeded (503)"
        );
        for answer in ["", "OK", "{}", "[]", r#"{"stream":"S"}"#, r#"{"seq":1}"#] {
            let error = acknowledged(answer.as_bytes()).unwrap_err();
            assert!(error.contains("no acknowledgement"), "{answer}: {error}");
        }
    }
}
