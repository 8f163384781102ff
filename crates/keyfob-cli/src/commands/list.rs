//! `list`: lists the tokens that match a filter, page by page.

use keyfob::Paging;

use super::pages::{MissingLanes, note_full_scan, note_unreadable};
use crate::args::{ListArgs, Sort};
use crate::backend::PageRequest;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Form, shell_quoted};

/// The maximum number of tokens in one table. The widest value sets the width of a column, so a table
/// is built as a whole.
const MAX_TABLE_ROWS: u64 = 100;

pub(super) async fn run(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let filter = context.filter(&args.filter, &args.bind)?;
    if args.all_pages || !filter.is_empty() {
        note_full_scan(&filter, context);
    }
    let max_page = match context.output.form() {
        Form::Table { .. } => MAX_TABLE_ROWS,
        Form::Json | Form::Plain => Paging::MAX_LIMIT as u64,
    };
    let mut left = if args.all_pages { u64::MAX } else { args.limit };
    let mut after = args.cursor.clone();
    let mut missing = MissingLanes::default();
    loop {
        let page = PageRequest {
            limit: left.min(max_page) as usize,
            after,
            expiring_soonest: args.sort == Sort::Expiring,
        };
        let page = context.backend.list(&filter, page).await?;
        context.output.tokens(&page.tokens, context.backend.now())?;
        context.output.flush()?;
        note_unreadable(page.unreadable, context);
        missing.add(page.missing_lanes);
        left -= page.tokens.len() as u64;
        after = page.next;
        if after.is_none() || left == 0 {
            break;
        }
    }
    if let Some(next) = after {
        let sort = if args.sort == Sort::Expiring { " --sort expiring" } else { "" };
        // The text of the filter has absolute times, so the next page belongs to the same list.
        let filter = filter.to_string();
        let quoted = if filter.is_empty() { filter } else { format!(" {}", shell_quoted(&filter)) };
        let message = format!("more tokens follow: keyfob list{sort} --cursor {next}{quoted}");
        context.output.note_cursor("more", message, next);
    }
    missing.check()
}
