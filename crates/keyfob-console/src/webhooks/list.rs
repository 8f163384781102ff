//! All webhooks, and how to add one.

use keyfob_api::webhook::{WebhookBody, WebhookMethod};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::address;
use super::state::Delivery;
use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::{facts, text, time};

/// The command that adds a webhook, to complete.
const ADD: &str = "keyfob webhook add https://shop.example/hooks --type keyfob.token.revoked";

/// Shows the list.
pub(crate) async fn show(visit: Visit) -> Answer {
    let webhooks = visit.api.webhooks().await?;
    let body = html! {
        h1 { "Webhooks" }
        @if webhooks.is_empty() {
            (none())
        } @else {
            p { "Events are sent to these receivers as they happen." }
            (table(&webhooks, visit.now))
            p { "Add another one:" }
            (copyable(ADD))
        }
    };
    let call = ApiCall::get("/v1/webhooks").command(["webhook", "list"]);
    Ok(Page::new(Section::Webhooks, "Webhooks", body).call(call).into())
}

fn table(webhooks: &[WebhookBody], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Webhooks" {
            table {
                thead {
                    tr {
                        th scope="col" { "Receiver" }
                        th scope="col" { "Events" }
                        th scope="col" { "State" }
                        th scope="col" { "Last delivery" }
                        th scope="col" { "Last error" }
                    }
                }
                tbody { @for webhook in webhooks { (row(webhook, now)) } }
            }
        }
    }
}

fn row(webhook: &WebhookBody, now: Timestamp) -> Markup {
    let state = &webhook.state;
    html! {
        tr {
            th scope="row" {
                a href=(address(&webhook.id)) { (text::short(&webhook.url, 80)) }
                @if webhook.method == WebhookMethod::Poll { " " span.quiet { "polled" } }
                @if let Some(owner) = &webhook.owner { " " span.quiet { "by " (text::short(owner, 80)) } }
                @if !webhook.description.is_empty() {
                    br; span.quiet { (text::short(&webhook.description, 80)) }
                }
            }
            td {
                (facts::names(webhook.types.iter().map(String::as_str), "all"))
                @if !webhook.filter.is_empty() {
                    br; span.quiet { "about " (text::short(&webhook.filter, 80)) }
                }
            }
            td {
                (Delivery::of(webhook).show())
                @if let Some(why) = &webhook.disabled_because { " " (text::short(why, 80)) }
                @if state.trimmed_at.is_some() { br; span.wrong { "events were lost" } }
            }
            td { (time::ago_or(state.delivered_at, now, "none yet")) }
            td.wide {
                @match (&state.last_error, state.failed_at) {
                    (Some(error), Some(at)) => { (text::short(error, 120)) " " span.quiet { (time::ago(at, now)) } }
                    _ => span.quiet { "none" },
                }
            }
        }
    }
}

/// Says what webhooks are and how to begin, where there are none.
fn none() -> Markup {
    html! {
        section.card aria-labelledby="none" {
            h2 #none { "There are no webhooks yet" }
            p {
                "A webhook has the server send events to a receiver of yours: each change of a token, as it happens, signed, \
                 and again until the receiver has taken it."
            }
            p { "Add one. The answer has the secret for the receiver, and shows it once:" }
            (copyable(ADD))
            p.quiet { "Without " code { "--type" } ", all events are sent. " code { "--filter" } " takes those about some tokens." }
        }
    }
}
