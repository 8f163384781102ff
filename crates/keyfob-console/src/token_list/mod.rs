//! The list of tokens that match a filter.

pub(crate) mod columns;
pub(crate) mod conditions;
mod export;
pub(crate) mod filter_box;
mod rows;
mod wanted;

pub(crate) use export::{csv, json_lines};

use keyfob_core::Filter;
use maud::{Markup, html};

use crate::fields::link;
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use columns::Column;
use wanted::Wanted;

/// Shows the list. Rows are sent as they are found.
pub(crate) async fn show(visit: Visit) -> Answer {
    let wanted = Wanted::of(&visit);
    if let Err(error) = Filter::parse(&wanted.filter, visit.now) {
        let body = html! { (heading()) (filter_box::form(&wanted, Some(&error))) };
        return Ok(Page::new(Section::Tokens, "Tokens", body).status(400).into());
    }
    let may_revoke = visit.may("keyfob:revoke");
    let body = html! {
        (heading())
        (filter_box::form(&wanted, None))
        (tools(&wanted, may_revoke))
        div.scroll tabindex="0" role="region" aria-label="Tokens" {
            table {
                thead { tr { @for column in &wanted.columns { th scope="col" { (column.title()) } } } }
                tbody { (page::rest_here()) }
            }
        }
    };
    let call = ApiCall::get(link(
        "/v1/tokens",
        &[("filter", &wanted.filter), ("order", wanted.order_text())],
    ));
    let call = call.command(["list", &wanted.filter].into_iter().filter(|word| !word.is_empty()));
    let page = Page::new(Section::Tokens, "Tokens", body).call(call);
    Ok(Reply::Stream(page, Box::pin(rows::stream(visit, wanted))))
}

fn heading() -> Markup {
    html! { h1 { "Tokens" } }
}

/// What can be done with all that match.
fn tools(wanted: &Wanted, may_revoke: bool) -> Markup {
    let filter = wanted.filter.as_str();
    let with_filter = |path: &str| link(path, &[("filter", filter)]);
    html! {
        div.tools {
            details.menu {
                summary.button { "Columns" }
                form method="get" action="/console/tokens" {
                    input type="hidden" name="filter" value=(filter);
                    input type="hidden" name="order" value=(wanted.order_text());
                    fieldset {
                        legend.visually-hidden { "Columns" }
                        @for column in Column::ALL {
                            label {
                                input type="checkbox" name="column" value=(column.name())
                                    checked[wanted.columns.contains(&column)];
                                " " (column.title())
                            }
                        }
                    }
                    button type="submit" { "Show" }
                }
            }
            a.button href=(with_filter("/console/tokens.csv")) { "CSV" }
            a.button href=(with_filter("/console/tokens.jsonl")) { "JSON lines" }
            @if may_revoke && !filter.is_empty() {
                a.button.danger href=(with_filter("/console/revoke")) { "Revoke all that match…" }
            }
        }
    }
}
