//! Introspection of many tokens in one request, each answered as RFC 7662 section 2.2 says.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use keyfob_api::{IntrospectBody, SecretText};

use super::input::{body, check_items};
use crate::call::Call;
use crate::oauth::introspect::introspect;
use crate::respond::json::{self, Answer};

/// How many tokens of one request are looked up at the same time.
const MAX_CONCURRENT: usize = 64;

/// Answers `POST /v1/introspect`, in the order of the request.
pub(crate) async fn handle(call: Call) -> Answer {
    let IntrospectBody { tokens } = body(&call)?;
    check_items("tokens", tokens.len())?;
    let call = &call;
    let answers = stream::iter(tokens)
        .map(|token: SecretText| async move { introspect(call, token.expose()).await });
    let answers: Vec<Vec<u8>> = answers.buffered(MAX_CONCURRENT).try_collect().await?;
    let array = [b"[".as_slice(), &answers.join(&b','), b"]"].concat();
    Ok(json::of_bytes(StatusCode::OK, array))
}
