//! The rows of the list, sent as they are found.
//!
//! A page of the API may be short, or even empty, and still not be the last: for a filter without an index the store
//! reads records that do not match. So rows are asked for until the page is full, or until the reader
//! has waited long enough.

use std::time::{Duration, Instant};

use futures_util::{Stream, stream};
use keyfob_api::TokenPageBody;
use keyfob_client::{Client, ListQuery};
use keyfob_core::{Timestamp, Ttl};
use maud::{Markup, html};

use super::wanted::Wanted;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::{alert, text};

/// How many rows a page has.
const ROWS: usize = 50;
/// How long a page of the API may look for rows. What was found until then is shown.
const PIECE: Ttl = Ttl::saturating_from_millis(20);
/// How long rows are looked for before the reader is asked whether to continue.
const PATIENCE: Duration = Duration::from_secs(3);

struct Search {
    api: Client,
    now: Timestamp,
    wanted: Wanted,
    begun: Instant,
    found: usize,
    examined: u64,
    is_over: bool,
}

/// Returns the rows, piece by piece, and after them what follows.
pub(super) fn stream(visit: Visit, wanted: Wanted) -> impl Stream<Item = Markup> + Send {
    let Visit { api, now, .. } = visit;
    let search =
        Search { api, now, wanted, begun: Instant::now(), found: 0, examined: 0, is_over: false };
    stream::unfold(search, |mut search| async move {
        if search.is_over {
            return None;
        }
        Some((search.next().await, search))
    })
}

impl Search {
    async fn next(&mut self) -> Markup {
        // What was found before is sent first.
        tokio::task::yield_now().await;
        let query = ListQuery::new(&self.wanted.filter)
            .order(self.wanted.order)
            .limit(ROWS - self.found)
            .max_time(PIECE)
            .after(self.wanted.cursor.clone());
        let page = match self.api.list(&query).await {
            Ok(page) => page,
            Err(error) => {
                self.is_over = true;
                return self.failed(&Trouble::from(error));
            }
        };
        self.found += page.tokens.len();
        self.examined += page.examined;
        self.is_over =
            page.next.is_none() || self.found >= ROWS || self.begun.elapsed() >= PATIENCE;
        let rows = self.rows(&page);
        self.wanted.filter = page.filter.clone();
        self.wanted.cursor.clone_from(&page.next);
        html! { (rows) @if self.is_over { (self.end(&page)) } }
    }

    fn rows(&self, page: &TokenPageBody) -> Markup {
        html! {
            @for token in &page.tokens {
                tr data-state=(token.state.as_str()) {
                    @for column in &self.wanted.columns {
                        td data-column=(column.name()) { (column.cell(token, self.now)) }
                    }
                }
            }
        }
    }

    /// Says after the rows how it ended, and leads on.
    fn end(&self, page: &TokenPageBody) -> Markup {
        html! {
            tr.end {
                td colspan=(self.wanted.columns.len()) {
                    @if self.found == 0 && page.next.is_none() { (self.nothing()) }
                    @if !page.missing_lanes.is_empty() {
                        p.wrong {
                            "Parts of the store could not be reached, so tokens are missing here: lanes "
                            (format!("{:?}", page.missing_lanes)) "."
                        }
                    }
                    @if page.unreadable > 0 {
                        p.wrong { (text::counted(page.unreadable, "record")) " could not be read. The log of the server says which." }
                    }
                    @if let Some(cursor) = &page.next {
                        @if self.found == 0 {
                            p { "Nothing yet: " (text::counted(self.examined, "token")) " read, and there are more." }
                        }
                        a.button rel="next" href=(self.wanted.address("/console/tokens", &page.filter, cursor)) {
                            @if self.found < ROWS { "Search on" } @else { "Next page" }
                        }
                    } @else if self.found > 0 {
                        span.quiet { "These are all." }
                    }
                }
            }
        }
    }

    /// What to do when there is no token.
    fn nothing(&self) -> Markup {
        html! {
            @if self.wanted.filter.is_empty() {
                p { "There are no tokens yet. Issue one:" }
                (crate::widget::call::copyable("keyfob issue --subject alice --scope read --ttl 15m"))
            } @else {
                p {
                    "No token matches. Tokens that ended long ago are deleted. Remove a condition above, or look at "
                    a href="/console/tokens" { "all tokens" } "."
                }
            }
        }
    }

    fn failed(&self, trouble: &Trouble) -> Markup {
        html! {
            tr.end { td colspan=(self.wanted.columns.len()) {
                (alert::trouble(trouble))
            } }
        }
    }
}
