//! All clients: those that have an API key, and those that tokens were issued to.

use std::collections::BTreeMap;

use futures_util::future::join;
use keyfob_api::{StatsBody, TokenBody};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::read::{self, Keys, alive};
use crate::fields::link;
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::{owner, time};

/// How many keys are read.
const MAX_KEYS: usize = 5_000;
/// How many clients are shown.
const MAX_SHOWN: usize = 500;

/// What is known of one client.
#[derive(Debug, Default)]
struct Row {
    keys: usize,
    living_keys: usize,
    /// Keys whose older secret still works.
    overlaps: usize,
    last_used: Option<Timestamp>,
    /// When the next of its keys expires.
    expires: Option<Timestamp>,
    /// How many tokens are alive, if that is known.
    tokens: Option<u64>,
}

/// Shows all clients. The table follows when it has been read.
pub(crate) async fn show(visit: Visit) -> Answer {
    let body = html! {
        h1 { "Clients" }
        (find())
        (page::rest_here())
    };
    let keys = link("/v1/tokens", &[("filter", "kind:api-key")]);
    let page = Page::new(Section::Clients, "Clients", body)
        .call(ApiCall::get(keys).command(["client", "list"]))
        .call(ApiCall::get("/v1/stats").command(["stats"]));
    Ok(Reply::with_rest(page, async move { found(&visit).await }))
}

async fn found(visit: &Visit) -> Result<Markup, Trouble> {
    let (keys, stats) = join(read::keys(&visit.api, None, MAX_KEYS), visit.api.stats()).await;
    let Keys { keys, is_whole } = keys?;
    let stats = match stats.map_err(Trouble::from) {
        Ok(stats) => Some(stats),
        Err(Trouble::SignedOut) => return Err(Trouble::SignedOut),
        // A key that is confined to its audiences reads no statistics.
        Err(_) => None,
    };
    let rows = rows(&keys, stats.as_ref());
    Ok(html! {
        @if rows.is_empty() {
            p { "There is no client yet. Add one that may only read:" }
            (copyable("keyfob client add NAME --scope keyfob:read"))
        } @else {
            (table(&rows, is_whole, visit.now))
            (bounds(rows.len(), is_whole, stats.as_ref()))
        }
    })
}

fn rows(keys: &[TokenBody], stats: Option<&StatsBody>) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for key in keys {
        let Some(client) = &key.client else { continue };
        let row = rows.entry(client.to_string()).or_default();
        let is_alive = !key.state.is_final();
        row.keys += 1;
        row.last_used = row.last_used.max(key.last_used);
        if is_alive {
            row.living_keys += 1;
            row.overlaps += usize::from(key.older_secret_until.is_some());
            row.expires = [row.expires, key.expires_at].into_iter().flatten().min();
        }
    }
    for counted in stats.into_iter().flat_map(|stats| &stats.by_client) {
        if let Some(client) = &counted.client {
            rows.entry(client.clone()).or_default().tokens = Some(alive(counted));
        }
    }
    rows
}

fn find() -> Markup {
    html! {
        form.filter.narrow method="get" action="/console/find/client" role="search" aria-label="Find a client" {
            label.visually-hidden for="client" { "Client: the whole of its id" }
            input #client type="text" name="client" placeholder="client" required autocomplete="off"
                autocapitalize="off" spellcheck="false" maxlength="256";
            button type="submit" { "Open" }
        }
    }
}

fn table(rows: &BTreeMap<String, Row>, is_whole: bool, now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Clients" {
            table {
                thead {
                    tr {
                        th scope="col" { "Client" }
                        th.number scope="col" { "Living tokens" }
                        th.number scope="col" { "API keys" }
                        th scope="col" { "Secrets" }
                        th scope="col" { "Keys last used" }
                        th scope="col" { "Next key expires" }
                    }
                }
                tbody { @for (client, row) in rows.iter().take(MAX_SHOWN) { (one(client, row, is_whole, now)) } }
            }
        }
    }
}

fn one(client: &str, row: &Row, is_whole: bool, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" { (owner::client(client, 60)) }
            td.number { @match row.tokens { Some(tokens) => (tokens), None => span.quiet { "–" } } }
            td.number {
                @if row.keys == 0 && !is_whole { span.quiet { "–" } } @else { (row.living_keys) }
                @if row.keys > row.living_keys { span.quiet { " of " (row.keys) } }
            }
            td {
                @if row.overlaps > 0 { span.state data-state="pending" { span aria-hidden="true" { "◔ " } "two work" } }
                @else if row.living_keys > 0 { "one" }
                @else { span.quiet { "–" } }
            }
            td { (time::ago_or(row.last_used, now, "–")) }
            td {
                @if row.living_keys > 0 { (time::ago_or(row.expires, now, "never")) } @else { span.quiet { "–" } }
            }
        }
    }
}

/// Says what is not in the table.
fn bounds(count: usize, is_whole: bool, stats: Option<&StatsBody>) -> Markup {
    let nameless = |stats: &StatsBody| -> u64 {
        stats.by_client.iter().filter(|it| it.client.is_none()).map(alive).sum()
    };
    html! {
        @if count > MAX_SHOWN { p { "These are the first " (MAX_SHOWN) " of " (count) " clients. Open another by its id." } }
        @if !is_whole { p.quiet {
                "There are too many tokens to look through all. Keys that were issued otherwise than by "
                code { "keyfob client add" } " may be missing."
            } }
        @match stats {
            Some(stats) if nameless(stats) > 0 => {
                p.quiet {
                    "Living tokens without a client, or with one whose name is not known here: " (nameless(stats)) "."
                }
            }
            Some(_) => {}
            None => p.quiet { "How many tokens there are is not known: your key may not read statistics." },
        }
    }
}
