//! Introspection (RFC 7662): is a token active, and what does it allow?
//!
//! The answer `{"active":false}` has no reason, whatever the reason is. A caller with audiences of its
//! own sees the tokens that are meant for one of them. A refresh token is active only for the client
//! that it was issued to: a resource server never takes one for an access token. If the store cannot
//! tell, the answer is an error and never `active`.

use keyfob::{Error, Kind, Presentation, Token, ValidationChain};
use serde::Serialize;

use super::claims_view::ClaimsView;
use crate::access::caller::Caller;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// Answers an introspection.
pub(crate) async fn handle(call: Call) -> Answer {
    // `token_type_hint` only speeds up a search (RFC 7662 section 2.1), and there is none.
    let presented = Presentation::new(call.required("token")?);
    let caller = call.caller()?;
    match call.manager().validate(presented, &ValidationChain::new()).await {
        Ok(token) if is_visible(caller, &token) => json::ok(&ClaimsView(&token)),
        Ok(_) | Err(Error::Refused(_)) => json::ok(&Inactive { active: false }),
        Err(error) => Err(Failure::from(error)),
    }
}

fn is_visible(caller: &Caller, token: &Token) -> bool {
    let client = token.client.as_ref().map(|client| client.as_str());
    match token.kind {
        Kind::Refresh => caller.is_client_of(client),
        _ => {
            caller.may_see(token.audiences.iter().map(|audience| audience.as_str()))
                || caller.is_client_of(client)
        }
    }
}
