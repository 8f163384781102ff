//! Changing the device, the application, labels and tags of a token.
//!
//! The form carries what the person saw, so that only their changes are sent, and a change that somebody
//! else made meanwhile is not overwritten without a look at it.

use keyfob_api::TokenBody;
use keyfob_core::TokenId;
use maud::{Markup, html};

use super::changes::{Draft, LABELS, LINES, SEEN, TAGS};
use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::field::{self, Field, Wrong};
use crate::widget::token;

/// The form in the page of a token, folded away.
pub(super) fn in_place(visit: &Visit, about: &TokenBody) -> Markup {
    let may_change = visit.may("keyfob:issue") && !about.state.is_final();
    html! {
        @if may_change {
            details.edit {
                summary.button { "Change…" }
                (form(about.id, &Draft::of(&about.metadata), &[]))
            }
        }
    }
}

/// Changes the metadata. Whatever goes wrong, the form comes back with what was typed.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let id: TokenId = visit.named("id")?;
    let draft = Draft::read(&visit.form);
    let changes = match draft.changes() {
        Ok(changes) => changes,
        Err(wrongs) => return Ok(again(id, &draft, &wrongs, None, 422)),
    };
    if changes.is_empty() {
        return Ok(Reply::SeeOther(token::address(id)));
    }
    let current = match visit.api.get(id).await.map_err(Trouble::from) {
        Ok(current) => current,
        Err(trouble) => return failed(id, &draft, trouble),
    };
    let conflicts = draft.conflicts(&changes, &current.metadata);
    if !conflicts.is_empty() {
        let text = "Somebody has changed this meanwhile. Save again to replace it with yours.";
        let wrongs: Vec<_> = conflicts.into_iter().map(|name| Wrong::new(name, text)).collect();
        let draft = draft.rebased(&changes, &current.metadata);
        return Ok(again(id, &draft, &wrongs, Some(&current), 409));
    }
    match visit.api.update(id, &changes).await.map_err(Trouble::from) {
        Ok(_) => Ok(Reply::SeeOther(format!("{}?done=changed", token::address(id)))),
        Err(trouble) => failed(id, &draft, trouble),
    }
}

/// Shows the form again after the API refused.
fn failed(id: TokenId, draft: &Draft, trouble: Trouble) -> Answer {
    match trouble {
        // Signing in gives back what was typed.
        Trouble::SignedOut => Err(Trouble::SignedOut),
        trouble => {
            let wrongs = [Wrong::new("", format!("{}: {}", trouble.title(), trouble.detail()))];
            Ok(again(id, draft, &wrongs, None, trouble.status()))
        }
    }
}

fn again(
    id: TokenId,
    draft: &Draft,
    wrongs: &[Wrong],
    current: Option<&TokenBody>,
    status: u16,
) -> Reply {
    let body = html! {
        h1 { "Change " span.id { (id) } }
        p.wrong role="alert" {
            @match Wrong::of(wrongs, "") {
                Some(text) => (crate::widget::text::visible(text)),
                None => "Nothing was changed yet. See the notes at the fields.",
            }
        }
        @if let Some(current) = current {
            section.card aria-labelledby="now" {
                h2 #now { "What is stored now" }
                (crate::widget::facts::metadata(current))
            }
        }
        div.card { (form(id, draft, wrongs)) }
    };
    let page = Page::new(Section::Tokens, format!("Change {id}"), body).status(status);
    let changes = draft.changes().unwrap_or_default();
    page.call(ApiCall::send("PATCH", format!("/v1/tokens/{id}"), &changes)).into()
}

fn form(id: TokenId, draft: &Draft, wrongs: &[Wrong]) -> Markup {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        value: draft.typed.get(name),
        wrong: Wrong::of(wrongs, name),
        is_required: false,
    };
    html! {
        form method="post" action={ (token::address(id)) "/metadata" } {
            (field::lines(field(LABELS, "Labels", "One key=value on each line."), 4))
            (field::lines(field(TAGS, "Tags", "One on each line."), 3))
            @for (name, label, max_length) in LINES { (field::line(field(name, label, ""), max_length)) }
            @for name in LINES.iter().map(|(name, ..)| *name).chain([LABELS, TAGS]) {
                input type="hidden" name={ (SEEN) (name) } value=(draft.seen.get(name));
            }
            div.actions {
                button.primary type="submit" { "Save" }
                a.button href=(token::address(id)) { "Cancel" }
            }
        }
    }
}
