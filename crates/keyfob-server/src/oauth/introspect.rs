//! Introspection (RFC 7662): is a token active, and what does it allow?
//!
//! The answer `{"active":false}` has no reason, whatever the reason is. A caller with audiences of its
//! own sees the tokens that are meant for one of them. A refresh token is active only for the client
//! that it was issued to: a resource server never takes one for an access token. If the store cannot
//! tell, the answer is an error and never `active`.

use keyfob::{Error, Kind, Presentation, Token, ValidationChain};
use serde::{Serialize, Serializer};

use super::claims_view::ClaimsView;
use super::forms::TOKEN;
use crate::access::caller::Caller;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// The answer about one token.
#[derive(Debug)]
pub(crate) enum Introspected {
    Active(Box<Token>),
    Inactive,
}

impl Serialize for Introspected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inactive {
            active: bool,
        }
        match self {
            Self::Active(token) => ClaimsView(token).serialize(serializer),
            Self::Inactive => Inactive { active: false }.serialize(serializer),
        }
    }
}

/// Answers an introspection.
pub(crate) async fn handle(call: Call) -> Answer {
    // `token_type_hint` only speeds up a search (RFC 7662 section 2.1), and there is none.
    json::ok(&introspect(&call, call.required(&TOKEN)?).await?)
}

/// Introspects one bearer token.
///
/// # Errors
/// If the store cannot tell.
pub(crate) async fn introspect(call: &Call, bearer: &str) -> Result<Introspected, Failure> {
    let caller = call.caller()?;
    match call.manager().validate(Presentation::new(bearer), &ValidationChain::new()).await {
        Ok(token) if is_visible(caller, &token) => Ok(Introspected::Active(Box::new(token))),
        Ok(_) | Err(Error::Refused(_)) => Ok(Introspected::Inactive),
        Err(error) => Err(error.into()),
    }
}

fn is_visible(caller: &Caller, token: &Token) -> bool {
    let is_own = caller.is_client_of(token);
    is_own || (token.kind != Kind::Refresh && caller.may_see(token))
}
