//! Why something was refused, inside of an answer.

use serde::{Deserialize, Serialize};

/// A demand that is not met, or another reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusalBody {
    /// The stable code.
    pub code: String,
    /// The refusal in words.
    pub message: String,
}
