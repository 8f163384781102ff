//! After a revocation: a fresh count as the proof, who revoked and why, and what to tell the user.
//!
//! Everything here is asked of the API when the page is shown, so the page can be opened again, and a link
//! to it proves nothing that is not so.

use std::time::Duration;

use futures_util::future::join;
use keyfob_api::{RevocationBody, RevokeBody, TokenBody};
use keyfob_core::text::Subject;
use keyfob_core::{Filter, Timestamp, TokenState, Ttl};
use maud::{Markup, html};

use super::found::{self, Count, Sample};
use super::target::Target;
use super::tell::{LastRevocation, Others};
use super::{start, tell, tokens_table};
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::{owner, staleness, text, time};

/// How many tokens are shown.
const SHOWN: usize = 20;
/// How long the page waits for the number of other sessions.
const MAX_COUNTING: Duration = Duration::from_millis(500);
/// How many tokens are read to find the last revocation.
const READ: usize = 100;

/// Shows the page. The number follows when it is known.
pub(crate) async fn show(visit: Visit) -> Answer {
    let target = match Target::read(&visit.query, visit.now) {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(start::reply(None)),
        Err(wrong) => return Ok(start::reply(Some(&wrong))),
    };
    let body = html! {
        h1 { "Revocation of " (target.named()) }
        (page::rest_here())
    };
    let mut page = Page::new(Section::Tokens, "Revocation", body);
    if let Some(wanted) = target.for_api() {
        let body = RevokeBody { target: wanted, reason: None, dry_run: true };
        let call = ApiCall::send("POST", "/v1/revoke", &body);
        let words = target.command().unwrap_or_default();
        let words = words.iter().map(String::as_str).chain(["--dry-run"]);
        page = page.call(call.command(words));
    }
    Ok(Reply::with_rest(page, async move { check(&visit, &target).await }))
}

/// Counts again, and shows what was revoked.
async fn check(visit: &Visit, target: &Target) -> Result<Markup, Trouble> {
    let (alive, revoked) =
        join(found::count(&visit.api, target), found::revoked(&visit.api, target, READ)).await;
    let alive = alive?;
    // The number is what counts.
    let revoked = revoked.unwrap_or(Sample { tokens: Vec::new(), more: true });
    let left = match alive {
        Count::Exactly(0) => Sample::default(),
        _ => found::living(&visit.api, target, SHOWN).await.unwrap_or_default(),
    };
    let last = LastRevocation::of(&revoked.tokens);
    let bound = if last.is_some() { visit.max_staleness().await } else { None };
    let others = match &last {
        Some(last) => others(visit, last).await,
        None => Others::Unknown,
    };
    Ok(html! {
        (proof(target, &alive, visit))
        @if visit.query.has("pending") {
            p.wrong role="alert" {
                "Parts of the store could not be reached when it was revoked. Any server revokes the rest when they are \
                 back. Check again then."
            }
        }
        @if let Some(last) = &last {
            (who(target, last.revocation, bound, visit.now))
        } @else {
            p { "Among the tokens that were read, none is revoked." }
        }
        @if !left.tokens.is_empty() {
            h2 { "Still alive" @if left.more { ": the first " (left.tokens.len()) } }
            @if last.is_some() {
                p {
                    "If they were issued after the revocation, somebody still signs in: lock the account or the \
                     client first, and revoke again."
                }
            }
            (tokens_table::show(&left.tokens, target, visit.now))
        }
        @if let Some(last) = &last {
            h2 { "Tell the user" }
            (copyable(&last.sentence(others)))
        }
        (what(target, &revoked, visit.now))
        div.actions { (onward(target, &revoked.tokens)) }
    })
}

/// Returns whether the person has other sessions.
async fn others(visit: &Visit, last: &LastRevocation<'_>) -> Others {
    let subject = last.one_subject().and_then(|subject| subject.parse::<Subject>().ok());
    let Some(subject) = subject else { return Others::Unknown };
    let alive = Filter::new().subject(subject);
    let alive = alive.state(TokenState::Active).state(TokenState::Pending).to_string();
    match visit.count(&alive, MAX_COUNTING).await {
        None => Others::Unknown,
        Some(0) => Others::Ended,
        Some(_) => Others::Alive,
    }
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
            p { "Counted in the store on " time datetime=(visit.now) { (tell::moment(visit.now, true)) } "." }
            div.actions {
                a.button href=(target.address("/console/revoke/done")) { "Check again" }
                @if !matches!(alive, Count::Exactly(0)) {
                    a.button.danger href=(target.address("/console/revoke")) { "Revoke what is left…" }
                }
            }
        }
    }
}

/// Says who revoked it, and from when on it is refused everywhere: what a revocation that has returned
/// promises.
fn who(target: &Target, last: &RevocationBody, bound: Option<Ttl>, now: Timestamp) -> Markup {
    html! {
        p {
            "Revoked"
            // A run revokes one after the other, and the newest tokens are not those that were revoked last.
            @if !matches!(target, Target::Filter(_)) { " " (time::ago(last.at, now)) }
            @if let Some(by) = &last.by { " by " (text::bdi(by.as_str())) }
            @if let Some(reason) = &last.reason { ": " (text::bdi(reason.as_str())) }
            "."
        }
        p {
            "Every server of this store refuses a token at the latest " (staleness::named(bound)) " after it was revoked: \
             the max staleness. A server that is cut off from the store accepts none of them either: it \
             cannot prove that it has missed nothing."
        }
    }
}

fn what(target: &Target, revoked: &Sample, now: Timestamp) -> Markup {
    let shown = revoked.tokens.get(..SHOWN).unwrap_or(&revoked.tokens);
    html! {
        @if !shown.is_empty() {
            h2 {
                "What is revoked"
                @if revoked.more || shown.len() < revoked.tokens.len() { ": the newest " (shown.len()) }
            }
            (tokens_table::show(shown, target, now))
        }
    }
}

fn onward(target: &Target, revoked: &[TokenBody]) -> Markup {
    let subject = match target {
        Target::Subject(subject) => Some(subject.as_str().to_owned()),
        _ => tell::one_subject(&revoked.iter().collect::<Vec<_>>()).map(str::to_owned),
    };
    html! {
        @if let Some(subject) = subject {
            a.button href=(owner::subject_address(&subject)) { span { "To the subject " (text::short(&subject, 40)) } }
        }
        @match target {
            Target::Client(client) => {
                a.button href=(owner::client_address(client.as_str())) { "To the client" }
            }
            Target::Filter(_) => a.button href=(target.address("/console/tokens")) { "To the list" },
            Target::Subject(_) | Target::Tokens(_) => {},
        }
    }
}
