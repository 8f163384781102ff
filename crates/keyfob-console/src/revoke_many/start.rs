//! Where nothing is named yet: the ways to name it.

use maud::{Markup, html};

use super::target::Wrong;
use crate::reply::{Page, Reply};
use crate::shell::Section;
use crate::token_list::filter_box;

/// Asks what to revoke. `wrong` is what was named, and is no target.
pub(super) fn reply(wrong: Option<&Wrong>) -> Reply {
    let status = if wrong.is_some() { 400 } else { 200 };
    let filter = match wrong {
        Some(Wrong::Filter { text, .. }) => text.as_str(),
        _ => "",
    };
    let body = html! {
        h1 { "Revoke" }
        @match wrong {
            Some(Wrong::Filter { text, error }) => (filter_box::pointed(text, error)),
            Some(Wrong::Value(detail)) => p.wrong role="alert" { (detail) },
            None => {},
        }
        p { "Name what is to be revoked. The next page counts it, and nothing is revoked before you confirm." }
        div.split {
            (form("All that match a filter", "filter", "app:shop tag:beta", filter))
            (form("Everything of a subject", "subject", "", ""))
            (form("Everything of a client", "client", "", ""))
        }
    };
    Page::new(Section::Tokens, "Revoke", body).status(status).into()
}

fn form(title: &str, name: &str, example: &str, value: &str) -> Markup {
    html! {
        form.card method="get" action="/console/revoke" {
            div.field {
                label for=(name) { (title) }
                input id=(name) type="text" name=(name) value=(value) placeholder=(example) required autocomplete="off"
                    autocapitalize="off" spellcheck="false" data-complete[name == "filter"];
            }
            button type="submit" { "Count" }
        }
    }
}
