//! What a caller may read: everything, or the tokens that are meant for its own audiences.

use http::StatusCode;
use keyfob::token::TokenView;
use keyfob::{Issued, Timestamp, Token, TokenId};
use keyfob_api::IssuedBody;

use super::input::not_found;
use crate::access::caller::Caller;
use crate::call::Call;
use crate::respond::failure::Failure;

/// Returns a token that the caller may read. Another one is answered as if it did not exist.
pub(super) async fn readable(call: &Call, id: TokenId) -> Result<Token, Failure> {
    let token = call.manager().get(id).await?;
    if call.caller()?.may_see(&token) { Ok(token) } else { Err(not_found(id)) }
}

/// Refuses a caller that is confined to its audiences, where an answer is about all tokens.
pub(crate) fn check_unconfined(caller: &Caller) -> Result<(), Failure> {
    if caller.token().audiences.is_empty() {
        return Ok(());
    }
    let detail = "this is about all tokens, and the key is confined to its audiences: use a key without audiences";
    Err(Failure {
        code: "confined_to_audiences".into(),
        ..Failure::new(StatusCode::FORBIDDEN, "unauthorized_client", detail)
    })
}

/// Returns the body of a token with its bearer token.
pub(super) fn issued_body(issued: &Issued, now: Timestamp) -> IssuedBody<TokenView<'_>> {
    IssuedBody::new(issued.token.view(now), issued.bearer.expose())
}
