//! Shows an issued token with its bearer, once. A token whose bearer cannot be written is of no use, and is
//! revoked if nothing else depends on it.

use std::io;

use keyfob::token::TokenView;
use keyfob::values::Actor;
use keyfob::{Issued, Timestamp};
use keyfob_api::IssuedBody;

use super::lost;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::token_text::or_never;

/// Returns a token with its bearer, as JSON shows it.
pub(in crate::commands) fn body(issued: &Issued, now: Timestamp) -> IssuedBody<TokenView<'_>> {
    IssuedBody::new(issued.token.view(now), issued.bearer.expose())
}

/// Shows a new token with its bearer, once. Revokes the token if its bearer cannot be written.
pub(in crate::commands) async fn show_new(
    issued: &Issued,
    by: Option<&Actor>,
    context: &mut Context,
) -> Result<(), Failure> {
    match show(issued, &mut context.output, context.manager.now()) {
        Ok(()) => Ok(()),
        Err(failure) => Err(revoke_lost(issued, failure, by, context).await),
    }
}

/// Revokes a token whose bearer could not be written. Returns the failure that names it.
pub(in crate::commands) async fn revoke_lost(
    issued: &Issued,
    failure: Failure,
    by: Option<&Actor>,
    context: &Context,
) -> Failure {
    lost::revoke(vec![issued.token.id], failure, by, &context.manager).await
}

/// Shows a token with its bearer, once.
pub(in crate::commands) fn show(
    issued: &Issued,
    output: &mut Output,
    now: Timestamp,
) -> Result<(), Failure> {
    let written = if output.is_json() {
        write_object(issued, now, output)
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

/// Writes a token with its bearer as one object.
pub(super) fn write_object(
    issued: &Issued,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    output.object(&body(issued, now))
}

/// Returns the failure for a bearer that could not be written, of a token that stays. A closed pipe also
/// counts: the bearer is lost.
pub(in crate::commands) fn output_lost(failure: Failure, issued: &Issued, hint: String) -> Failure {
    let error = match failure {
        Failure::Output(error) => error,
        other => io::Error::other(other),
    };
    Failure::BearerLost { id: issued.token.id, error, hint }
}

pub(in crate::commands) fn note_once(output: &Output, message: &str) {
    output.note("shown_once", message);
}
