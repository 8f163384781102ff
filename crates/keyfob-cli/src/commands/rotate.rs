//! `rotate`: a new secret for an API key.

use crate::args::RotateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &RotateArgs, context: &mut Context) -> Result<(), Failure> {
    let overlap = args.overlap.into();
    let issued = context.manager.rotate(args.id, overlap, args.by.clone()).await?;
    super::issue::show(&issued, context)
}
