//! Sessions of people who use the service itself.

use keyfob_core::text::UserAgent;
use keyfob_core::time::Ttl;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema::{Text, TtlText};

/// The body of `POST /v1/sessions`: `{}` for the default.
///
/// The session is derived from the API key that authenticates the request. It has the `keyfob:` scopes
/// of the key, and it is revoked with the key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenSessionBody {
    /// The `User-Agent` that uses the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<512>>"))]
    pub user_agent: Option<UserAgent>,
    /// The session expires when it is unused for this long. Default: 15m; at most 12h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub idle: Option<Ttl>,
}
