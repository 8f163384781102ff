//! Walking over all that a filter matches, page by page, with progress.

use keyfob::{Filter, Paging, Token};

use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Progress;

/// Hands every match to `each`.
pub(super) async fn walk(
    filter: &Filter,
    context: &Context,
    mut each: impl FnMut(&Token),
) -> Result<(), Failure> {
    let progress = Progress::counting("records looked at");
    let (mut looked_at, mut unreadable) = (0, 0);
    let mut after = None;
    loop {
        let paging = Paging::new(Paging::MAX_LIMIT).after(after);
        let page = context.manager.list(filter, paging).await?;
        page.tokens.iter().for_each(&mut each);
        looked_at += page.examined;
        unreadable += page.unreadable;
        progress.at(looked_at);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    drop(progress);
    note_unreadable(unreadable, context);
    Ok(())
}

/// Says that not all could be read.
pub(super) fn note_unreadable(records: u64, context: &Context) {
    if records > 0 {
        let message = format!("{records} records cannot be read: the log names them");
        context.output.note("unreadable", message);
    }
}

/// Says beforehand what a filter costs that the index is of no help to.
pub(super) fn note_the_cost(filter: &Filter, context: &Context) {
    if !filter.uses_index() {
        let message = "this looks at every token of the store: an id, family, subject, client, \
                       device, app, tag or label in the filter would narrow it";
        context.output.note("full_walk", message);
    }
}
