//! After a revocation: a fresh count as the proof, who revoked and why, and what to tell the user.
//!
//! Everything here is asked of the API when the page is shown, so the page can be opened again, and a link
//! to it proves nothing that is not so.

use futures_util::future::join;
use keyfob_api::{RevocationBody, RevokeBody, TokenBody};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::found::{self, Count, Sample};
use super::target::Target;
use super::{start, tell, tokens_table};
use crate::fields::below;
use crate::progress;
use crate::reply::Answer;
use crate::reply::Page;
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::{text, time};

/// How many tokens are shown.
const SHOWN: usize = 20;
/// How many tokens are read to find the last revocation.
const READ: usize = 100;

/// Counts again, and shows what was revoked.
pub(crate) async fn show(visit: Visit) -> Answer {
    let target = match Target::read(&visit.query, visit.now) {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(start::reply(None)),
        Err(wrong) => return Ok(start::reply(Some(&wrong))),
    };
    let (alive, revoked) =
        join(found::count(&visit.api, &target), found::revoked(&visit.api, &target, READ)).await;
    let alive = alive?;
    let revoked = match revoked {
        Ok(revoked) => revoked,
        Err(Trouble::SignedOut) => return Err(Trouble::SignedOut),
        // The number is what counts.
        Err(_) => Sample { tokens: Vec::new(), more: true },
    };
    let left = match alive {
        Count::Exactly(0) => Sample::default(),
        _ => found::living(&visit.api, &target, SHOWN).await.unwrap_or_default(),
    };
    let run = visit.query.text("revoked").and_then(|text| text.parse::<u64>().ok());
    let last = newest(&revoked.tokens);
    let body = html! {
        h1 { "Revoked: " (target.named()) }
        (proof(&target, &alive, &visit))
        @if let Some(count) = run {
            p { "The run that led here has revoked " strong { (count) } " tokens." }
        }
        @if let Some(last) = last { (who(last, visit.now)) }
        (propagation(last))
        @if !left.tokens.is_empty() {
            h2 { "Still alive" @if left.more { ": the first " (left.tokens.len()) } }
            p {
                "If they were issued after the revocation, somebody still signs in: lock the account or the client \
                 first, and revoke again."
            }
            (tokens_table::show(&left.tokens, visit.now))
        }
        h2 { "Tell the user" }
        (copyable(&tell::sentence(&target, &revoked.tokens, last)))
        (what(&revoked, visit.now))
        (progress::unfinished("revoke"))
        div.actions { (onward(&target, &revoked.tokens)) }
    };
    let mut page = Page::new(Section::Tokens, "Revoked", body);
    if let Some(wanted) = target.for_api() {
        let body = RevokeBody { target: wanted, reason: None, dry_run: true };
        let call = ApiCall::send("POST", "/v1/revoke", &body);
        let words = target.command().unwrap_or_default();
        let words = words.iter().map(String::as_str).chain(["--dry-run"]);
        page = page.call(call.command(words));
    }
    Ok(page.into())
}

/// Returns the last revocation among these tokens.
fn newest(tokens: &[TokenBody]) -> Option<&RevocationBody> {
    tokens.iter().filter_map(|token| token.revocation.as_ref()).max_by_key(|it| it.at)
}

fn proof(target: &Target, alive: &Count, visit: &Visit) -> Markup {
    html! {
        div.card.proof role="status" {
            @match alive {
                Count::Exactly(0) => p.alive data-alive="0" {
                    span.good aria-hidden="true" { "✓ " } "Check: " strong { "0" } " alive"
                },
                Count::Exactly(count) => p.alive data-alive=(count) {
                    span.wrong aria-hidden="true" { "✕ " } "Check: " strong { (count) } " alive"
                },
                Count::Unknown(why) => p.wrong { "The check failed: " (text::visible(why)) "." },
            }
            p {
                "Counted in the store at " time datetime=(visit.now) { (clock(visit.now)) } "."
            }
            div.actions {
                a.button href=(target.address("/console/revoke/done")) { "Check again" }
                @if !matches!(alive, Count::Exactly(0)) {
                    a.button.danger href=(target.address("/console/revoke")) { "Revoke what is left…" }
                }
            }
        }
    }
}

fn who(last: &RevocationBody, now: Timestamp) -> Markup {
    html! {
        p {
            "Revoked " (time::ago(last.at, now))
            @if let Some(by) = &last.by { " by " (text::bdi(by.as_str())) }
            @if let Some(reason) = &last.reason { ": " (text::bdi(reason.as_str())) }
            "."
        }
    }
}

/// Says since when it is refused everywhere: what a revocation that has returned promises.
fn propagation(last: Option<&RevocationBody>) -> Markup {
    html! {
        p {
            "The revocation is stored"
            @if let Some(last) = last { " since " time datetime=(last.at) { (clock(last.at)) } }
            ". Every server of this store refuses these tokens at the latest after the max staleness: 250 ms, unless \
             you have set another. That is so also for a server whose connection is broken: without a proof that \
             it has missed nothing, it asks the store, or refuses."
        }
    }
}

fn what(revoked: &Sample, now: Timestamp) -> Markup {
    let shown = revoked.tokens.get(..SHOWN).unwrap_or(&revoked.tokens);
    html! {
        @if !shown.is_empty() {
            h2 {
                "What is revoked"
                @if revoked.more || shown.len() < revoked.tokens.len() { ": the newest " (shown.len()) }
            }
            (tokens_table::show(shown, now))
        }
    }
}

fn onward(target: &Target, revoked: &[TokenBody]) -> Markup {
    let subject = match target {
        Target::Subject(subject) => Some(subject.as_str().to_owned()),
        _ => tell::one_subject(revoked).map(str::to_owned),
    };
    html! {
        @if let Some(subject) = subject {
            a.button href=(below("/console/subjects", &subject)) { span { "To the subject " (text::short(&subject, 40)) } }
        }
        @match target {
            Target::Client(client) => {
                a.button href=(below("/console/clients", client.as_str())) { "To the client" }
            }
            Target::Filter(_) => a.button href=(target.address("/console/tokens")) { "To the list" },
            Target::Subject(_) | Target::Tokens(_) => {},
        }
    }
}

/// Returns the time of a moment as people read it.
fn clock(at: Timestamp) -> String {
    tell::moment(at, true)
}
