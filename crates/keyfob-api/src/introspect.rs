//! Introspection of many tokens at once (RFC 7662 has it for one).

use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// The body of `POST /v1/introspect`: at most 1,000 bearers. The answer is an array in the same order,
/// each member as RFC 7662 section 2.2 has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IntrospectBody {
    /// The bearers.
    #[cfg_attr(feature = "schema", schemars(length(max = 1_000)))]
    pub tokens: Vec<SecretText>,
}
