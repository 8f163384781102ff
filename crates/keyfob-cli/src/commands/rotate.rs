//! `rotate`: gives an API key a new secret.

use keyfob::RotateRequest;

use crate::args::RotateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &RotateArgs, context: &mut Context) -> Result<(), Failure> {
    let mut request = RotateRequest::new().overlap(args.overlap.into());
    if let Some(actor) = &args.by {
        request = request.by(actor.clone());
    }
    let issued = context.manager.rotate(args.id, request).await?;
    super::issue::show(&issued, context)
}
