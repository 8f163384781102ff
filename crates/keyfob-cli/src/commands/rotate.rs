//! `rotate`: gives an API key a new secret.

use keyfob::RotateRequest;

use super::issue;
use crate::args::RotateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &RotateArgs, context: &mut Context) -> Result<(), Failure> {
    let mut request = RotateRequest::new().overlap(args.overlap.into());
    if let Some(actor) = &args.by {
        request = request.by(actor.clone());
    }
    let issued = context.manager.rotate(args.id, request).await?;
    let now = context.now();
    // The key is not revoked: its previous secret may be in use.
    issue::show(&issued, &mut context.output, now).map_err(|failure| {
        let hint = format!("run keyfob rotate {} again: the lost secret then ends", args.id);
        issue::output_lost(failure, &issued, hint)
    })
}
