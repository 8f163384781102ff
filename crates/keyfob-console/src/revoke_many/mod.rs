//! Revoking many tokens: all that match a filter, everything of a subject or a client, or some by name.
//!
//! First a page says how many tokens it would end, shows some, and asks for a reason and a word. After the
//! run, another page counts again.

mod confirm;
mod found;
mod reach;
mod result;
mod run;
mod start;
mod target;
mod tell;
mod tokens_table;

pub(crate) use result::show as done;
pub(crate) use run::submit;
pub(crate) use target::Target;

use confirm::Typed;

use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::visit::Visit;
use maud::html;

/// Shows what would be revoked, or asks for it.
pub(crate) async fn show(visit: Visit) -> Answer {
    if !visit.may("keyfob:revoke") {
        return Ok(not_allowed());
    }
    Ok(match Target::read(&visit.query, visit.now) {
        Ok(Some(target)) => confirm::reply(visit, target, Typed::default()),
        Ok(None) => start::reply(None),
        Err(wrong) => start::reply(Some(&wrong)),
    })
}

fn not_allowed() -> Reply {
    let body = html! {
        h1 { "Revoke" }
        p.wrong role="alert" {
            "Your key may not revoke: it has not the scope " code { "keyfob:revoke" } ". Ask a colleague, or sign in \
             with another key."
        }
    };
    Page::new(Section::Tokens, "Revoke", body).status(403).into()
}
