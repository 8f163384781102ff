//! `POST /v1/leaks`: texts that a scanner found.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use keyfob::token::TokenView;
use keyfob::{Leaked, RevokeRequest, Token};
use keyfob_api::{LeakBody, LeakOutcome, LeaksBody, MAX_ITEMS, SecretText};

use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// How many texts of one request are looked up at the same time.
const MAX_CONCURRENT: usize = 16;

/// Answers `POST /v1/leaks`, in the order of the request.
pub(crate) async fn handle(call: Call) -> Answer {
    let body = keyfob_api::json::parse_object(&call.body);
    let LeaksBody { tokens, reason } =
        body.map_err(|invalid| Failure::bad(invalid.code(), invalid.to_string()))?;
    if tokens.len() > MAX_ITEMS {
        let detail = format!("there are too many texts: at most {MAX_ITEMS}");
        return Err(Failure::bad("too_many_items", detail));
    }
    let request = reason.map_or_else(|| RevokeRequest::reason("leaked"), RevokeRequest::from);
    let request = request.by(call.caller()?.actor()?);
    let (call, request) = (&call, &request);
    let found = stream::iter(tokens).map(|text: SecretText| async move {
        let leaked = call.manager().revoke_leaked(text.expose(), request.clone()).await;
        leaked.map_err(Failure::from)
    });
    let found: Vec<Leaked> = found.buffered(MAX_CONCURRENT).try_collect().await?;
    let answers: Vec<_> = found.iter().map(|leaked| answer(call, leaked)).collect();
    json::ok(&answers)
}

fn answer<'a>(call: &Call, leaked: &'a Leaked) -> LeakBody<TokenView<'a>> {
    let (outcome, token) = outcome_of(leaked);
    // A caller with audiences revokes what was leaked, and learns whose it is only where it may look.
    let may_see = |token: &&Token| call.caller().is_ok_and(|caller| caller.may_see(token));
    let token = token.filter(may_see).map(|token| token.view(call.manager().now()));
    LeakBody { outcome, token }
}

/// Returns what was done, and the token.
pub fn outcome_of(leaked: &Leaked) -> (LeakOutcome, Option<&Token>) {
    match leaked {
        Leaked::NotOurs => (LeakOutcome::NotOurs, None),
        Leaked::Revoked(token) => (LeakOutcome::Revoked, Some(token)),
        Leaked::AlreadyRevoked(token) => (LeakOutcome::AlreadyRevoked, Some(token)),
        Leaked::Replaced(token) => (LeakOutcome::Replaced, Some(token)),
    }
}
