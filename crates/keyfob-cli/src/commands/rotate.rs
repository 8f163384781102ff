//! `rotate`: gives an API key a new secret.

use super::issue;
use crate::args::RotateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &RotateArgs, context: &mut Context) -> Result<(), Failure> {
    let issued = context.backend.rotate(args.id, &args.overlap, args.by.as_ref()).await?;
    // The key is not revoked: its previous secret may be in use.
    issue::show(&issued, &mut context.output).map_err(|failure| {
        let hint = format!("run keyfob rotate {} again: the lost secret then ends", args.id);
        issue::output_lost(failure, args.id, hint)
    })
}
