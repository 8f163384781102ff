//! Bearers that were found where they should not be, such as in a repository.

use keyfob_core::text::Reason;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema::Text;
use crate::secret::SecretText;
use crate::token::TokenBody;

/// The body of `POST /v1/leaks`: at most 1,000 texts that a scanner found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaksBody {
    /// The texts. What is no bearer of this service is forgotten.
    #[cfg_attr(feature = "schema", schemars(length(max = 1_000)))]
    pub tokens: Vec<SecretText>,
    /// The reason to record, such as where they were found. Default: `leaked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub reason: Option<Reason>,
}

/// What became of one text. `T` is a token as it is written: a [`TokenBody`], or a view of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeakBody<T = TokenBody> {
    /// What was done.
    pub outcome: LeakOutcome,
    /// The token, unless the text is no bearer of this service. It says whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<T>,
}

/// What was done about a text that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeakOutcome {
    /// Its token is revoked now, with all that was minted from it.
    Revoked,
    /// Its token was revoked before.
    AlreadyRevoked,
    /// It is the secret that an API key had before its last rotation, and opens nothing any more. The key stays.
    Replaced,
    /// It is no bearer of this service, or its record is no longer kept.
    NotOurs,
}

impl LeakOutcome {
    /// Returns the outcome as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::AlreadyRevoked => "already_revoked",
            Self::Replaced => "replaced",
            Self::NotOurs => "not_ours",
        }
    }
}

/// A text that GitHub's secret scanning found, in the format of its partner programme.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GithubLeak {
    /// The text.
    pub token: SecretText,
    /// The name under which GitHub knows the pattern.
    pub r#type: String,
    /// Where it was found.
    #[serde(default)]
    pub url: Option<String>,
    /// In what it was found, such as `commit`.
    #[serde(default)]
    pub source: Option<String>,
}

/// What GitHub learns about a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GithubVerdict {
    /// The SHA-256 digest of the text, in base64.
    pub token_hash: String,
    /// The name of the pattern, as it came.
    pub token_type: String,
    /// Whether the text is a bearer of this service.
    pub label: GithubLabel,
}

/// Whether a text is a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GithubLabel {
    /// It is.
    TruePositive,
    /// It is not.
    FalsePositive,
}
