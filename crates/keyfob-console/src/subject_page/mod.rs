//! One subject: its devices and sessions as a person would recognise them, and why one ended.

mod about;
mod ended;
mod find;
mod groups;
mod living;
mod naming;
mod why;

pub(crate) use find::find;

use futures_util::future::join;
use keyfob_core::text::Subject;
use keyfob_core::{Filter, TokenState};
use maud::{Markup, html};

use about::heading;

use crate::fields::link;
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::text;

/// How long the page waits for the number of sessions.
const MAX_COUNTING: std::time::Duration = std::time::Duration::from_millis(200);

/// Returns the filter that finds what is alive of a subject.
fn alive(subject: &Subject) -> Filter {
    let filter = Filter::new().subject(subject.clone());
    filter.state(TokenState::Active).state(TokenState::Pending)
}

/// Shows the page. Why sessions ended follows when it is known.
pub(crate) async fn show(visit: Visit) -> Answer {
    let subject: Subject = visit.named("subject")?;
    let cursor = visit.query.text("cursor").map(str::to_owned);
    let living = alive(&subject);
    let (page, count) = join(
        living::page(&visit.api, &living, cursor.clone()),
        visit.count(&living.to_string(), MAX_COUNTING),
    )
    .await;
    let page = page?;
    if page.tokens.is_empty() && page.next.is_none() && !find::is_known(&visit, &subject).await? {
        return find::unknown(&visit, &subject).await;
    }
    let body = html! {
        (heading(&subject))
        (tools(&visit, &subject, count))
        (summary(count, &page, cursor.is_some()))
        (living::table(&page, &visit, &subject))
        section #why aria-labelledby="why-title" {
            h2 #why-title { "Why was I logged out?" }
            (page::rest_here())
        }
    };
    let all = Filter::new().subject(subject.clone()).to_string();
    let call = ApiCall::get(link("/v1/tokens", &[("filter", &all)])).command(["list", &all]);
    let title = format!("Subject {}", text::visible(subject.as_str()));
    let page = Page::new(Section::Tokens, title, body).call(call);
    Ok(Reply::with_rest(page, async move { ended::section(&visit, &subject).await }))
}

fn tools(visit: &Visit, subject: &Subject, count: Option<u64>) -> Markup {
    let all = Filter::new().subject(subject.clone()).to_string();
    html! {
        div.tools {
            @if visit.may("keyfob:revoke") && count != Some(0) {
                a.button.danger href=(link("/console/revoke", &[("subject", subject.as_str())])) {
                    span { "Revoke everything of " (text::short(subject.as_str(), 40)) "…" }
                }
            }
            a.button href="#why" { "Why was I logged out?" }
            a.button href=(link("/console/tokens", &[("filter", &all)])) { "All tokens" }
        }
    }
}

fn summary(count: Option<u64>, page: &living::LivingPage, is_later: bool) -> Markup {
    let shown = page.tokens.len() as u64;
    let groups = groups::by_device(&page.tokens).len();
    let is_whole = !is_later && page.next.is_none();
    html! {
        p.alive data-alive=[count] {
            @match count {
                Some(count) => { strong { (count) } " alive" },
                None if is_whole => { strong { (shown) } " alive" },
                None => { strong { "More than " (shown) } " alive" },
            }
            @if shown > 0 {
                @if is_whole { " on " (groups) @if groups == 1 { " device" } @else { " devices" } }
                @else { ". This page shows " (shown) ", by device" }
            }
        }
    }
}

impl Visit {
    /// Reads the subject that a form names.
    fn wanted_subject(&self) -> Result<Option<Subject>, Trouble> {
        let subject = self.query.text("subject").map(str::parse).transpose();
        subject.map_err(|_| Trouble::BadForm("A subject has at most 256 bytes."))
    }
}
