//! What the grants have in common: the scope that is asked for, and the answer.

use keyfob::{Issued, Scope, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::call::Call;
use crate::oauth::claims_view::token_type;
use crate::oauth::forms::SCOPE;
use crate::respond::failure::Failure;

/// The answer to a grant (RFC 6749 section 5.1).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenResponse")]
pub(crate) struct TokenAnswer<'a> {
    /// The bearer token.
    pub(super) access_token: &'a str,
    /// `Bearer`; `DPoP` for a token that is bound to the key of a proof.
    pub(super) token_type: &'static str,
    /// The type of the token, for a token exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issued_token_type: Option<&'static str>,
    /// For how many seconds the token is valid. Missing: it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_in: Option<u64>,
    /// The next refresh token, for the grant `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<&'a str>,
    /// The scopes of the token, separated by spaces.
    pub(super) scope: String,
}

impl<'a> TokenAnswer<'a> {
    pub(super) fn of(issued: &'a Issued, now: Timestamp) -> Self {
        Self {
            access_token: issued.bearer.expose(),
            token_type: token_type(issued.token.claims.registered.confirmation.as_ref()),
            issued_token_type: None,
            expires_in: issued.token.expires_at.map(|end| seconds_between(now, end)),
            refresh_token: None,
            scope: issued.token.scopes.to_string(),
        }
    }
}

/// Whole seconds, rounded down: a client must not use a token after its end.
fn seconds_between(now: Timestamp, end: Timestamp) -> u64 {
    end.as_millis().saturating_sub(now.as_millis()) / 1_000
}

/// Reads the parameter `scope` (RFC 6749 section 3.3).
pub(super) fn scopes(call: &Call) -> Result<Vec<Scope>, Failure> {
    let text = call.optional(&SCOPE).unwrap_or_default();
    text.split(' ').filter(|name| !name.is_empty()).map(|name| Ok(Scope::new(name)?)).collect()
}
