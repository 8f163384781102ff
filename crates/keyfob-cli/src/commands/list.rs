//! `list`: the tokens that match a filter, page by page.

use keyfob::Paging;

use super::walk::{note_the_cost, note_unreadable};
use crate::args::{ListArgs, Sort};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Form;

/// How many tokens go into one table on a terminal, whose columns are as wide as they need.
const TABLE: u64 = 100;

pub(super) async fn run(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let filter = context.filter(&args.filter)?;
    if args.all_pages || !filter.is_empty() {
        note_the_cost(&filter, context);
    }
    let largest = match context.output.form() {
        Form::Table { .. } => TABLE,
        Form::Json | Form::Plain => Paging::MAX_LIMIT as u64,
    };
    let mut left = if args.all_pages { u64::MAX } else { args.limit };
    let mut after = args.cursor.clone();
    loop {
        let paging = Paging::new(left.min(largest) as usize).after(after);
        let paging = match args.sort {
            Sort::Newest => paging,
            Sort::Expiring => paging.expiring_soonest(),
        };
        let page = context.manager.list(&filter, paging).await?;
        context.output.tokens(&page.tokens, context.manager.now())?;
        context.output.flush()?;
        note_unreadable(page.unreadable, context);
        left -= page.tokens.len() as u64;
        after = page.next;
        if after.is_none() || left == 0 {
            break;
        }
    }
    if let Some(next) = after {
        let sort = if args.sort == Sort::Expiring { " --sort expiring" } else { "" };
        // Written out, times that were relative stand still: the next page is of the same list.
        let filter = filter.to_string();
        let quoted = if filter.is_empty() { filter } else { format!(" {}", quote(&filter)) };
        let message = format!("there is more: keyfob list{sort} --cursor {next}{quoted}");
        context.output.note_cursor("more", message, next);
    }
    Ok(())
}

/// The text as one word of a POSIX shell.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
