//! `count`: counts the tokens that match a filter.

use serde_json::json;

use super::pages::{for_each_match, note_full_scan};
use crate::args::CountArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &CountArgs, context: &mut Context) -> Result<(), Failure> {
    let filter = context.filter(&args.filter, &args.bind)?;
    note_full_scan(&filter, context);
    let mut count = 0u64;
    for_each_match(&filter, context, |_| count += 1).await?;
    if context.output.is_json() {
        return context.output.object(&json!({ "count": count }));
    }
    context.output.line(count)
}
