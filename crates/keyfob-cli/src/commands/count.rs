//! `count`: how many tokens match a filter.

use serde_json::json;

use super::walk::{note_the_cost, walk};
use crate::args::CountArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &CountArgs, context: &mut Context) -> Result<(), Failure> {
    let filter = context.filter(&args.filter)?;
    note_the_cost(&filter, context);
    let mut count = 0u64;
    walk(&filter, context, |_| count += 1).await?;
    if context.output.is_json() {
        return context.output.object(&json!({ "count": count }));
    }
    context.output.line(count)
}
