//! Some tokens, as somebody wants to see them who revokes them.

use keyfob_api::TokenBody;
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::target::Target;
use crate::token_list::columns::{self, Column};
use crate::widget::{device, owner, text, time, token};

/// How many characters of a text a cell shows.
const CELL_CHARS: usize = 40;

/// Shows tokens in a table, with their labels and tags if the target names some.
pub(super) fn show(tokens: &[TokenBody], target: &Target, now: Timestamp) -> Markup {
    let has_labels = matches!(target, Target::Filter(filter) if columns::names_labels(filter));
    html! {
        div.scroll tabindex="0" role="region" aria-label="Tokens" {
            table {
                thead {
                    tr {
                        @for title in ["State", "Kind", "Token", "Subject", "Client", "Device", "Last used", "Issued"] {
                            th scope="col" { (title) }
                        }
                        @if has_labels { th scope="col" { (Column::Labels.title()) } }
                    }
                }
                tbody { @for token in tokens { (row(token, has_labels, now)) } }
            }
        }
    }
}

fn row(token: &TokenBody, has_labels: bool, now: Timestamp) -> Markup {
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
            @if has_labels { td { (Column::Labels.cell(token, now)) } }
        }
    }
}

fn none() -> Markup {
    html! { span.quiet { "–" } }
}
