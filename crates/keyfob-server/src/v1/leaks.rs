//! `POST /v1/leaks`: texts that a scanner found.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use keyfob::token::TokenView;
use keyfob::{Leaked, RevokeRequest, Token};
use keyfob_api::{LeakBody, LeaksBody, SecretText};

use super::input::{body, check_items};
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// How many texts of one request are looked up at the same time.
const MAX_CONCURRENT: usize = 16;

/// Answers `POST /v1/leaks`, in the order of the request.
pub(crate) async fn handle(call: Call) -> Answer {
    let LeaksBody { tokens, reason } = body(&call)?;
    check_items("texts", tokens.len())?;
    let request = reason.map_or_else(|| RevokeRequest::reason("leaked"), RevokeRequest::from);
    let request = request.by(call.caller()?.actor()?);
    let (call, request) = (&call, &request);
    let found = stream::iter(tokens).map(|text: SecretText| async move {
        let leaked = {
            let found = call.shared.bearer(text.expose().trim());
            call.manager().revoke_leaked(&found, request.clone()).await
        };
        leaked.map_err(Failure::from)
    });
    let found: Vec<Leaked> = found.buffered(MAX_CONCURRENT).try_collect().await?;
    let answers: Vec<_> = found.iter().map(|leaked| answer(call, leaked)).collect();
    json::ok(&answers)
}

fn answer<'a>(call: &Call, leaked: &'a Leaked) -> LeakBody<TokenView<'a>> {
    let (outcome, token) = bodies::leak_outcome(leaked);
    // A caller with audiences revokes what was leaked, and learns whose it is only where it may look.
    let may_see = |token: &&Token| call.caller().is_ok_and(|caller| caller.may_see(token));
    let token = token.filter(may_see).map(|token| token.view(call.manager().now()));
    LeakBody { outcome, token }
}
