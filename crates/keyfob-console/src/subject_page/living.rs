//! What is alive of a subject, by device.

use std::time::{Duration, Instant};

use keyfob_api::TokenBody;
use keyfob_client::{Client, ListQuery};
use keyfob_core::text::Subject;
use keyfob_core::{Filter, Timestamp};
use maud::{Markup, html};

use super::groups::{Group, Key, by_device, last_seen};
use crate::fields::link;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::{owner, text, time, token};

/// How many tokens a page has.
const ROWS: usize = 100;
/// How long tokens are looked for: there may be many that have ended, between those that are alive.
const PATIENCE: Duration = Duration::from_secs(1);

/// One page of tokens.
#[derive(Debug)]
pub(super) struct LivingPage {
    pub(super) tokens: Vec<TokenBody>,
    pub(super) next: Option<String>,
    /// Whether parts of the store could not be reached, or records could not be read.
    is_partial: bool,
}

/// Reads a page of what is alive.
pub(super) async fn page(
    api: &Client,
    alive: &Filter,
    mut cursor: Option<String>,
) -> Result<LivingPage, Trouble> {
    let begun = Instant::now();
    let filter = alive.to_string();
    let mut read = LivingPage { tokens: Vec::new(), next: None, is_partial: false };
    loop {
        let query = ListQuery::new(&filter).limit(ROWS - read.tokens.len()).after(cursor);
        let page = api.list(&query).await?;
        read.tokens.extend(page.tokens);
        read.is_partial |= !page.missing_lanes.is_empty() || page.unreadable > 0;
        cursor = page.next;
        if cursor.is_none() || read.tokens.len() >= ROWS || begun.elapsed() >= PATIENCE {
            read.next = cursor;
            return Ok(read);
        }
    }
}

/// Shows a page of what is alive.
pub(super) fn table(page: &LivingPage, visit: &Visit, subject: &Subject) -> Markup {
    let may_revoke = visit.may("keyfob:revoke");
    html! {
        @if page.is_partial {
            p.wrong role="alert" { "Parts of the store could not be read, so there may be more than is shown here." }
        }
        @if !page.tokens.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Devices and sessions" {
                table.devices {
                    thead {
                        tr {
                            @for title in ["Device or token", "Last used or issued", "Address", "Client", "Issued"] {
                                th scope="col" { (title) }
                            }
                        }
                    }
                    @for group in by_device(&page.tokens) { (rows(&group, visit.now, subject, may_revoke)) }
                }
            }
        }
        @if let Some(cursor) = &page.next {
            p {
                a.button rel="next" href=(link(&owner::subject_address(subject.as_str()), &[("cursor", cursor)])) {
                    @if page.tokens.len() < ROWS { "Search on" } @else { "Next page" }
                }
            }
        }
    }
}

fn rows(group: &Group<'_>, now: Timestamp, subject: &Subject, may_revoke: bool) -> Markup {
    let name = group.name();
    let id = match &group.key {
        Key::Id(id) if *id != name => Some(id),
        _ => None,
    };
    html! {
        tbody {
            tr.group {
                th scope="rowgroup" {
                    (text::short(&name, 60))
                    @if let Some(id) = id { " " span.quiet { (text::short(id, 40)) } }
                    @if may_revoke {
                        " "
                        a.button.small.danger href=(revoke(group, subject)) {
                            @if group.key == Key::Unknown { "Revoke these…" } @else { "Revoke device…" }
                            span.visually-hidden {
                                " " (text::short(&name, 60))
                                @if let Some(id) = id { " " (text::short(id, 40)) }
                            }
                        }
                    }
                }
                td { (time::ago(group.last_seen(), now)) }
                td { (ip_address(group.address())) }
                td {}
                td {}
            }
            @for token in &group.tokens { (row(token, now, may_revoke)) }
        }
    }
}

fn row(token: &TokenBody, now: Timestamp, may_revoke: bool) -> Markup {
    html! {
        tr data-state=(token.state.as_str()) {
            td.member {
                (token::state(token.state)) " " (token::kind(token.kind)) " " (token::id(token.id))
                @if may_revoke {
                    " "
                    a.button.small href={ (token::address(token.id)) "/revoke" } {
                        "Revoke…" span.visually-hidden { " " (token.id) }
                    }
                }
            }
            td { (time::ago(last_seen(token), now)) }
            td { (ip_address(token.metadata.device.ip)) }
            td {
                @if let Some(client) = &token.client {
                    (owner::client(client.as_str(), 40))
                } @else { span.quiet { "–" } }
            }
            td { (time::ago(token.issued_at, now)) }
        }
    }
}

fn ip_address(ip: Option<std::net::IpAddr>) -> Markup {
    match ip {
        Some(ip) => html! { span.id { (ip) } },
        None => html! { span.quiet { "–" } },
    }
}

/// Returns where the tokens of a device are revoked: by a filter if the device has an id, or one by one.
fn revoke(group: &Group<'_>, subject: &Subject) -> String {
    let by_id = match &group.key {
        Key::Id(id) => {
            let filter = Filter::new().subject(subject.clone()).device(id.as_str());
            filter.check().is_ok().then(|| filter.to_string())
        }
        Key::Agent(_) | Key::App(_) | Key::Unknown => None,
    };
    match by_id {
        Some(filter) => link("/console/revoke", &[("filter", &filter)]),
        None => {
            let ids: Vec<_> = group.tokens.iter().map(|token| token.id.to_string()).collect();
            let query: Vec<_> = ids.iter().map(|id| ("token", id.as_str())).collect();
            link("/console/revoke", &query)
        }
    }
}
