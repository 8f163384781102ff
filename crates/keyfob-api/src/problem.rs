//! Errors of the API.

use serde::{Deserialize, Serialize};

/// An error (RFC 9457), as `application/problem+json`. `code` is stable; the texts are not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Problem {
    /// A URI of the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of error in a few words.
    pub title: String,
    /// The status of HTTP.
    pub status: u16,
    /// What is wrong, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The stable code: that of the library where the error comes from it.
    pub code: String,
    /// The id of the request, also in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// Creates an error of the type `about:blank`, whose title is that of the status.
    pub fn new(status: u16, title: impl Into<String>, code: impl Into<String>) -> Self {
        let (kind, title) = ("about:blank".to_owned(), title.into());
        Self { kind, title, status, detail: None, code: code.into(), request_id: None }
    }

    /// Sets what is wrong.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Sets the id of the request.
    #[must_use]
    pub fn request_id(self, id: impl Into<String>) -> Self {
        Self { request_id: Some(id.into()), ..self }
    }
}
