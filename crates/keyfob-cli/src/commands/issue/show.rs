//! Shows an issued token with its bearer, once. A token whose bearer cannot be written is of no use, and is
//! revoked if nothing else depends on it.

use std::io;

use keyfob::TokenId;
use keyfob::values::Actor;
use keyfob_api::IssuedBody;

use super::lost;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::token_text::or_never;

/// Shows a new token with its bearer, once. Revokes the token if its bearer cannot be written.
pub(in crate::commands) async fn show_new(
    issued: &IssuedBody,
    by: Option<&Actor>,
    context: &mut Context,
) -> Result<(), Failure> {
    match show(issued, &mut context.output) {
        Ok(()) => Ok(()),
        Err(failure) => Err(revoke_lost(issued.token.id, failure, by, context).await),
    }
}

/// Revokes a token whose bearer could not be written. Returns the failure that names it.
pub(in crate::commands) async fn revoke_lost(
    id: TokenId,
    failure: Failure,
    by: Option<&Actor>,
    context: &Context,
) -> Failure {
    lost::revoke(vec![id], failure, by, &context.backend).await
}

/// Shows a token with its bearer, once.
pub(in crate::commands) fn show(issued: &IssuedBody, output: &mut Output) -> Result<(), Failure> {
    let written = if output.is_json() {
        output.object(issued)
    } else {
        output.fields(&[
            ("id", issued.token.id.to_string()),
            ("kind", issued.token.kind.to_string()),
            ("expires", or_never(issued.token.expires_at)),
            ("bearer", issued.bearer.expose().to_owned()),
        ])
    };
    written.and_then(|()| output.flush())?;
    note_once(output, "the bearer is shown only this once. Give it to its owner");
    Ok(())
}

/// Returns the failure for a bearer that could not be written, of a token that stays. A closed pipe also
/// counts: the bearer is lost.
pub(in crate::commands) fn output_lost(failure: Failure, id: TokenId, hint: String) -> Failure {
    let error = match failure {
        Failure::Output(error) => error,
        other => io::Error::other(other),
    };
    Failure::BearerLost { id, error, hint }
}

pub(in crate::commands) fn note_once(output: &Output, message: &str) {
    output.note("shown_once", message);
}
