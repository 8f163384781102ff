//! Shows an issued token with its bearer, once.

use std::io;

use keyfob::TokenId;
use keyfob_api::IssuedBody;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::or_never;

/// Shows a token with its bearer, once.
pub(in crate::commands) fn show(issued: &IssuedBody, context: &mut Context) -> Result<(), Failure> {
    let output = &mut context.output;
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
    written
        .and_then(|()| output.flush())
        .map_err(|failure| output_lost(failure, issued.token.id))?;
    note_once(output, "the bearer is shown only this once. Give it to its owner");
    Ok(())
}

/// Returns the failure for a bearer that could not be written. A closed pipe also
/// counts: the bearer is lost.
pub(in crate::commands) fn output_lost(failure: Failure, id: TokenId) -> Failure {
    let error = match failure {
        Failure::Output(error) => error,
        other => io::Error::other(other),
    };
    Failure::BearerLost { id, error }
}

pub(in crate::commands) fn note_once(output: &Output, message: &str) {
    output.note("shown_once", message);
}
