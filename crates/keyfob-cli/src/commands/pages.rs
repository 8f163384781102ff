//! Reads all tokens that match a filter, page by page, with progress.

use std::collections::BTreeSet;

use keyfob::store::{Lane, StoreError};
use keyfob::{Filter, Paging};
use keyfob_api::TokenBody;
use serde::Serialize;

use crate::backend::PageRequest;
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Progress;

/// Calls `each` with every matching token. Returns the lanes that could not be reached.
pub(super) async fn for_each_match(
    filter: &Filter,
    context: &Context,
    mut each: impl FnMut(&TokenBody),
) -> Result<MissingLanes, Failure> {
    let progress = Progress::counting("records examined");
    let (mut examined, mut unreadable) = (0, 0);
    let (mut after, mut missing) = (None, MissingLanes::default());
    loop {
        let request = PageRequest { limit: Paging::MAX_LIMIT, after, expiring_soonest: false };
        let page = context.backend.list(filter, request).await?;
        page.tokens.iter().for_each(&mut each);
        examined += page.examined;
        unreadable += page.unreadable;
        missing.add(page.missing_lanes);
        progress.set(examined);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    drop(progress);
    note_unreadable(unreadable, context);
    Ok(missing)
}

/// The lanes of the store that could not be reached.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct MissingLanes(BTreeSet<u16>);

impl MissingLanes {
    pub(super) fn add(&mut self, lanes: impl IntoIterator<Item = u16>) {
        self.0.extend(lanes);
    }

    pub(super) fn numbers(self) -> Vec<u16> {
        self.0.into_iter().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails if lanes are missing, after the output that lacks what they hold.
    pub(super) fn check(self) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        let lanes = self.0.into_iter().map(Lane::new).collect();
        Err(StoreError::LanesUnreachable { lanes }.into())
    }
}

/// Notes that some records cannot be read.
pub(super) fn note_unreadable(records: u64, context: &Context) {
    if records > 0 {
        let message = format!("{records} records cannot be read. The log names them");
        context.output.note("unreadable", message);
    }
}

/// Notes that the filter uses no index and so reads the whole store.
pub(super) fn note_full_scan(filter: &Filter, context: &Context) {
    if !filter.uses_index() {
        let message = "this reads every token of the store. To narrow it, filter by id, family, \
                       subject, client, device, app, tag or label";
        context.output.note("full_walk", message);
    }
}
