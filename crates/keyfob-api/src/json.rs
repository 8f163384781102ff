//! Reading a body: JSON whose errors contain no value.

use serde::de::DeserializeOwned;

/// Why a text is not the body that was expected. It names members and places, never a value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJson(String);

impl InvalidJson {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        "invalid_json"
    }
}

/// Reads a body. White space around it is ignored.
///
/// # Errors
/// If the text is not JSON, or not such a body.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, InvalidJson> {
    serde_json::from_slice(body).map_err(|error| InvalidJson(describe(&error)))
}

/// Describes the error in serde's words, without the value that serde quotes. Most bodies are one
/// line, so the number of the first line is left out.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string().replace(" at line 1 column ", " at column ");
    match text.rsplit_once(", expected ") {
        Some((quoting, expected)) if quoting.starts_with("invalid ") => {
            format!("expected {expected}")
        }
        _ => text,
    }
}
