//! `revoke --dry-run`: counts the tokens that would be revoked.

use super::report::RevokeReport;
use super::sweep;
use crate::args::{RevokeArgs, Target};
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(
    target: &Target,
    args: &RevokeArgs,
    context: &mut Context,
) -> Result<(), Failure> {
    let count = match target {
        Target::Matching(text) => {
            let filter = sweep::filter(text, args, context.now())?;
            let sweep = context.backend.sweep(filter, &args.note(), None, None)?;
            sweep.dry_run().await?
        }
        target => context.backend.count_revocable(&target.in_one_step()?, &args.note()).await?,
    };
    let line = format!("{count} pending or active tokens would be revoked");
    let report = RevokeReport { count: Some(count), ..RevokeReport::new(target, "counted") };
    report.write(&line, context)
}
