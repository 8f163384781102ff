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
    let missing = for_each_match(&filter, context, |_| count += 1).await?;
    if context.output.is_json() {
        let mut report = json!({ "count": count });
        if !missing.is_empty() {
            report["missing_lanes"] = json!(missing);
        }
        context.output.object(&report)?;
    } else {
        context.output.line(count)?;
    }
    missing.check()
}
