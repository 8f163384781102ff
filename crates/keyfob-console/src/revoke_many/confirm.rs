//! Before anything is revoked: how many tokens it would end, some of them, a reason, and a word to type.

use futures_util::future::join3;
use keyfob_api::RevokeBody;
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::found::{self, Count, Sample};
use super::reach::Reach;
use super::target::Target;
use super::tokens_table;
use crate::progress;
use crate::reply::{Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::{field, owner, text};

/// How many tokens are shown.
const SAMPLE: usize = 20;
/// From how many tokens on a limit of the speed is offered.
const MANY: u64 = 1_000;
/// The word to type where the number is not known.
const WORD: &str = "revoke";

/// Reasons that people give often.
const OFTEN: [&str; 6] = [
    "device stolen",
    "device lost",
    "account taken over",
    "password changed",
    "left the company",
    "key leaked",
];

/// What was typed before, and why it was not enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub(crate) reason: String,
    pub(crate) wrong: Option<&'static str>,
}

/// Shows the page. The number and the tokens follow when they are known.
pub(super) fn reply(visit: Visit, target: Target, typed: Typed) -> Reply {
    let status = if typed.wrong.is_some() { 422 } else { 200 };
    let body = html! {
        h1 { "Revoke" }
        p data-run-headline { "This would revoke " (target.named()) "." }
        p data-run-during hidden { "Revocation of " (target.named()) "." }
        (page::rest_here())
    };
    let mut page = Page::new(Section::Tokens, "Revoke", body).status(status);
    for call in calls(&target) {
        page = page.call(call);
    }
    Reply::with_rest(page, async move { ask(&visit, &target, &typed).await })
}

/// The calls that count, and that revoke.
fn calls(target: &Target) -> Vec<ApiCall> {
    if let Target::Tokens(ids) = target {
        let one = |id: &keyfob_core::TokenId| {
            let (path, id) = (format!("/v1/tokens/{id}"), id.to_string());
            ApiCall::delete(path).command(["revoke", &id])
        };
        return ids.iter().take(3).map(one).collect();
    }
    let (Some(wanted), Some(words)) = (target.for_api(), target.command()) else {
        return Vec::new();
    };
    let call = |dry_run: bool| {
        let body = RevokeBody { target: wanted.clone(), reason: None, dry_run };
        let words = words.iter().map(String::as_str).chain(dry_run.then_some("--dry-run"));
        ApiCall::send("POST", "/v1/revoke", &body).command(words)
    };
    vec![call(true), call(false)]
}

async fn ask(visit: &Visit, target: &Target, typed: &Typed) -> Result<Markup, Trouble> {
    let (count, sample, reach) = join3(
        found::count(&visit.api, target),
        found::living(&visit.api, target, SAMPLE),
        Reach::of(visit, target),
    )
    .await;
    // Without the sample one can still revoke: some servers of the store may be away.
    let (count, sample) = (count?, sample.unwrap_or_default());
    if let Count::Exactly(0) = count {
        return Ok(nothing(target));
    }
    Ok(html! {
        div data-run-before { (summary(&count, target)) }
        (reach.warning())
        (form(&count, target, typed))
        @if let Target::Filter(_) = target { (progress::view("revoke", "100 more tokens")) }
        div data-run-before { (shown(&sample, target, visit.now)) }
    })
}

fn nothing(target: &Target) -> Markup {
    html! {
        p.alive data-alive="0" { strong { "0" } " alive" }
        @if let Target::Filter(filter) = target {
            p data-run-over="revoke" data-run-title=(text::visible(filter)) {
                "Nothing that matches is active or pending, so there is nothing to revoke."
            }
        } @else {
            p { "Nothing of it is active or pending, so there is nothing to revoke." }
        }
        p { a.button href=(target.address("/console/revoke/done")) { "What was revoked before" } }
    }
}

fn summary(count: &Count, target: &Target) -> Markup {
    html! {
        @match count {
            Count::Exactly(count) => p.alive data-alive=(count) { strong { (count) } " alive" },
            Count::Unknown(why) => {
                p.wrong role="alert" {
                    "How many there are is not known: " (text::visible(why)) ". You can revoke all the same."
                }
            }
        }
        p {
            @match target {
                Target::Filter(_) => {
                    "They are revoked in parts, and you can pause. Tokens that are issued meanwhile may be missed. So \
                     what is alive is counted again at the end, and the page that follows says how many."
                }
                Target::Subject(_) | Target::Client(_) => {
                    "They are revoked in one step, however many there are. What is issued later is not touched."
                }
                Target::Tokens(_) => "Tokens that were minted from them end too.",
            }
            " A revocation is final."
        }
    }
}

fn shown(sample: &Sample, target: &Target, now: Timestamp) -> Markup {
    html! {
        @if !sample.tokens.is_empty() {
            h2 {
                @if sample.more { "The first " (sample.tokens.len()) " of them" } @else { "These tokens" }
            }
            (tokens_table::show(&sample.tokens, target, now))
        }
    }
}

fn form(count: &Count, target: &Target, typed: &Typed) -> Markup {
    let word = match count {
        Count::Exactly(1) => None,
        Count::Exactly(count) => Some(count.to_string()),
        Count::Unknown(_) => Some(WORD.to_owned()),
    };
    let total = match count {
        Count::Exactly(count) => Some(*count),
        Count::Unknown(_) => None,
    };
    let filter = match target {
        Target::Filter(filter) => Some(text::visible(filter)),
        _ => None,
    };
    html! {
        form.card method="post" action="/console/revoke" autocomplete="off" data-guarded
            data-run=[filter.is_some().then_some("revoke")] data-run-title=[filter.as_deref()]
            data-run-counter=[filter.is_some().then_some("revoked")]
            data-run-total=[filter.as_ref().and(total)]
            data-run-then=[filter.is_some().then(|| target.address("/console/revoke/done"))] {
            (target.hidden())
            div.field {
                label for="reason" { "Reason " (field::required()) }
                input #reason type="text" name="reason" value=(typed.reason) maxlength="256" required list="reasons"
                    aria-describedby="reason-help";
                datalist #reasons { @for reason in OFTEN { option value=(reason) {} } }
                span #reason-help .quiet { (field::REASON_HINT) }
            }
            @if let Some(word) = &word {
                input type="hidden" name="expect" value=(word);
                div.field {
                    label for="confirm" { "Type " strong { (word) } " to confirm " (field::required()) }
                    input #confirm type="text" name="confirm" required data-confirm=(word) autocapitalize="off"
                        spellcheck="false" inputmode=[total.map(|_| "numeric")];
                }
            }
            @if filter.is_some() && total.is_none_or(|total| total >= MANY) { (speed_limit()) }
            @if let Some(wrong) = typed.wrong { p.wrong role="alert" { (wrong) } }
            div.actions {
                button.danger.primary type="submit" {
                    @match total {
                        Some(1) => "Revoke it",
                        Some(count) => { "Revoke " (count) },
                        None => "Revoke all",
                    }
                }
                a.button href=(back(target)) { "Cancel" }
            }
        }
    }
}

/// The field for how fast a run may be. Few tokens are revoked before anybody would notice a limit.
fn speed_limit() -> Markup {
    html! {
        details.optional {
            summary { "Speed limit (optional)" }
            div.field {
                label for="throttle" { "At most, in a second" }
                input #throttle type="text" name="throttle" inputmode="numeric" pattern="[0-9]{1,9}"
                    aria-describedby="throttle-help";
                span #throttle-help .quiet { "Leave it empty to be as fast as the store is." }
            }
        }
    }
}

/// Where one probably came from.
fn back(target: &Target) -> String {
    match target {
        Target::Filter(_) => target.address("/console/tokens"),
        Target::Subject(subject) => owner::subject_address(subject.as_str()),
        Target::Client(client) => owner::client_address(client.as_str()),
        Target::Tokens(_) => "/console/tokens".to_owned(),
    }
}
