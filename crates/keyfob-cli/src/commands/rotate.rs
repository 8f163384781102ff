//! `rotate`: gives an API key a new secret.

use crate::args::RotateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &RotateArgs, context: &mut Context) -> Result<(), Failure> {
    let issued = context.backend.rotate(args.id, &args.overlap, args.by.as_ref()).await?;
    super::issue::show(&issued, context)
}
