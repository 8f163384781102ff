//! Some tokens, as somebody wants to see them who revokes them.

use keyfob_api::TokenBody;
use keyfob_core::Timestamp;
use maud::{Markup, html};

use crate::widget::{device, owner, text, time, token};

/// How many characters of a text a cell shows.
const CELL_CHARS: usize = 40;

/// Shows tokens in a table.
pub(super) fn show(tokens: &[TokenBody], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Tokens" {
            table {
                thead {
                    tr {
                        @for title in ["State", "Kind", "Token", "Subject", "Client", "Device", "Last used", "Issued"] {
                            th scope="col" { (title) }
                        }
                    }
                }
                tbody { @for token in tokens { (row(token, now)) } }
            }
        }
    }
}

fn row(token: &TokenBody, now: Timestamp) -> Markup {
    let device = &token.metadata.device;
    let id = device.id.as_ref().map(|id| id.as_str());
    let device = device::name(device);
    html! {
        tr data-state=(token.state.as_str()) {
            td { (token::state(token.state)) }
            td { (token::kind(token.kind)) }
            td { (token::id(token.id)) }
            td {
                @if let Some(subject) = &token.subject {
                    (owner::subject(subject.as_str(), CELL_CHARS))
                } @else { (none()) }
            }
            td {
                @if let Some(client) = &token.client {
                    (owner::client(client.as_str(), CELL_CHARS))
                } @else { (none()) }
            }
            td.wide {
                @match (device.as_deref(), id) {
                    (Some(name), _) => (text::short(name, CELL_CHARS)),
                    (None, Some(id)) => (text::short(id, CELL_CHARS)),
                    (None, None) => (none()),
                }
            }
            td { (time::ago_or(token.last_used, now, "–")) }
            td { (time::ago(token.issued_at, now)) }
        }
    }
}

fn none() -> Markup {
    html! { span.quiet { "–" } }
}
