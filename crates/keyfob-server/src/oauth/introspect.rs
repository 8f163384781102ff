//! Introspection (RFC 7662): is a token active, and what does it allow?
//!
//! The answer `{"active":false}` has no reason, whatever the reason is. A caller with audiences of its
//! own sees the tokens that are meant for one of them. A refresh token is active only for the client
//! that it was issued to: a resource server never takes one for an access token. If the store cannot
//! tell, the answer is an error and never `active`.

use http::StatusCode;
use keyfob::cache::ActiveToken;
use keyfob::validation::KeyBinding;
use keyfob::{Error, Kind, Presentation, ValidationChain};

use super::claims_view::ClaimsView;
use super::forms::TOKEN;
use crate::access::caller::Caller;
use crate::call::Call;
use crate::jwt::signed_answer;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// The answer about a token that is not active, or that the caller may not see.
const INACTIVE: &[u8] = br#"{"active":false}"#;

/// Answers an introspection.
pub(crate) async fn handle(call: Call) -> Answer {
    // `token_type_hint` only speeds up a search (RFC 7662 section 2.1), and there is none.
    let answer = introspect(&call, call.required(&TOKEN)?).await?;
    match signed_answer::wanted(&call) {
        Some(keys) => signed_answer::sign(&call, keys, &answer),
        None => Ok(json::of_bytes(StatusCode::OK, answer)),
    }
}

/// Introspects one bearer token. Returns the answer as JSON.
///
/// # Errors
/// If the store cannot tell.
pub(crate) async fn introspect(call: &Call, bearer: &str) -> Result<Vec<u8>, Failure> {
    let caller = call.caller()?;
    // The answer names the key that a token is bound to, and the caller checks the proof.
    let chain = ValidationChain::new().key(KeyBinding::Unchecked);
    let bearer = &*call.shared.bearer(bearer);
    let shown = call.manager().validate_with(Presentation::new(bearer), &chain, |token| {
        if is_visible(caller, token) { shown(token) } else { Ok(INACTIVE.to_vec()) }
    });
    match shown.await {
        Ok(shown) => shown,
        Err(Error::Refused(_)) => Ok(INACTIVE.to_vec()),
        Err(error) if call.shared.is_disguised(&error) => Ok(INACTIVE.to_vec()),
        Err(error) => Err(error.into()),
    }
}

fn shown(token: &ActiveToken<'_>) -> Result<Vec<u8>, Failure> {
    let view = ClaimsView::of(token).map_err(Error::from)?;
    json::bytes(&view)
}

fn is_visible(caller: &Caller, token: &ActiveToken<'_>) -> bool {
    let own = caller.token();
    let is_own = own.client.as_ref().is_some_and(|client| token.client() == Some(client.as_str()));
    let is_meant = || {
        own.audiences.is_empty()
            || token.audiences().any(|audience| own.audiences.contains(audience))
    };
    is_own || (token.kind() != Kind::Refresh && is_meant())
}
