//! The token endpoint (RFC 6749 section 3.2).
//!
//! | grant | module | what it does |
//! |---|---|---|
//! | `refresh_token` | `refresh` | exchanges a refresh token for the next pair |
//! | `client_credentials` | `client_credentials` | derives an access token from the API key of the client |
//! | token exchange (RFC 8693) | `exchange` | derives a narrower token from a token of somebody else |
//!
//! The services that a token is for decide its form (`form`): opaque, or a JWT.
//!
//! A client that sends a proof of possession (`proof`) gets tokens that are bound to its key.

pub(crate) mod answer;
mod client_credentials;
mod exchange;
mod form;
mod proof;
mod refresh;

use keyfob_tower::dpop::{Dpop, NONCE, PROOF};

use super::forms::GRANT_TYPE;
use super::grant_type::GrantType;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

/// Answers a request for tokens.
pub(crate) async fn handle(call: Call) -> Answer {
    let mut answer = grant(&call).await?;
    let has_proof = call.parts.headers.contains_key(PROOF);
    if let Some(nonce) = call.shared.dpop.as_ref().filter(|_| has_proof).and_then(Dpop::nonce) {
        // The next request needs no refusal first (RFC 9449 section 8.2).
        answer.headers_mut().insert(NONCE, nonce);
    }
    Ok(answer)
}

async fn grant(call: &Call) -> Answer {
    let named = call.required(&GRANT_TYPE)?;
    match GrantType::ALL.into_iter().find(|grant| grant.as_str() == named) {
        Some(GrantType::RefreshToken) => refresh::handle(call).await,
        Some(GrantType::ClientCredentials) => client_credentials::handle(call).await,
        Some(GrantType::TokenExchange) => exchange::handle(call).await,
        None => {
            let detail = "this grant type is not supported: the metadata names those that are";
            Err(Failure::oauth("unsupported_grant_type", detail))
        }
    }
}
