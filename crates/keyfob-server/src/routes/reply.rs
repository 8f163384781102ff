//! What a route answers when nothing fails, as data.

use keyfob_api::json;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::parameter::{Parameter, SchemaOf, schema_of};

/// An answer of a route.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What it is, in one sentence.
    pub(crate) about: &'static str,
    pub(crate) content: Content,
    /// The headers that this answer has, and others do not.
    pub(crate) headers: &'static [Parameter],
}

/// The content of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// None.
    Empty,
    /// JSON.
    Json(SchemaOf),
    /// JSON of a media type of its own.
    JsonAs(&'static str, SchemaOf),
    /// One JSON text on each line.
    JsonLines(SchemaOf),
    /// A text of this media type.
    Text(&'static str),
}

impl Content {
    /// Returns the media type.
    pub(crate) const fn media_type(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::JsonLines(_) => Some("application/x-ndjson"),
            Self::Text(media_type) | Self::JsonAs(media_type, _) => Some(media_type),
        }
    }
}

/// A body of JSON that a route takes: its schema, and an example.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonBody {
    pub(crate) schema: SchemaOf,
    pub(crate) example: &'static str,
    /// Whether a text is such a body.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test reads the example"))]
    pub(crate) is_body: fn(&str) -> bool,
}

impl JsonBody {
    /// Returns the body of the type `T`.
    pub(crate) fn of<T: JsonSchema + DeserializeOwned>(example: &'static str) -> Self {
        let is_body = |text: &str| json::parse::<T>(text.as_bytes()).is_ok();
        Self { schema: schema_of::<T>, example, is_body }
    }
}

/// One of the forms that a route takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormBody {
    /// The name of its schema.
    pub(crate) name: &'static str,
    /// What it is for, in one sentence.
    pub(crate) about: &'static str,
    pub(crate) parameters: &'static [Parameter],
}
