//! `show`: shows one token in full.

use crate::args::ShowArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &ShowArgs, context: &mut Context) -> Result<(), Failure> {
    let token = context.backend.get(args.id).await?;
    context.output.token(&token)
}
