//! Shows an issued token with its bearer, once.

use std::io;

use keyfob::token::TokenView;
use keyfob::{Issued, Timestamp};
use keyfob_api::IssuedBody;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::token_text::or_never;

/// Returns a token with its bearer, as JSON shows it.
pub(in crate::commands) fn body(issued: &Issued, now: Timestamp) -> IssuedBody<TokenView<'_>> {
    IssuedBody::new(issued.token.view(now), issued.bearer.expose())
}

/// Shows a token with its bearer, once.
pub(in crate::commands) fn show(issued: &Issued, context: &mut Context) -> Result<(), Failure> {
    let now = context.now();
    let output = &mut context.output;
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
    written.and_then(|()| output.flush()).map_err(|failure| output_lost(failure, issued))?;
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

/// Returns the failure for a bearer that could not be written. A closed pipe also
/// counts: the bearer is lost.
pub(in crate::commands) fn output_lost(failure: Failure, issued: &Issued) -> Failure {
    let error = match failure {
        Failure::Output(error) => error,
        other => io::Error::other(other),
    };
    Failure::BearerLost { id: issued.token.id, error }
}

pub(in crate::commands) fn note_once(output: &Output, message: &str) {
    output.note("shown_once", message);
}
