//! One token: what it is, its state, its history, its family, and what can be done with it.

mod about;
mod changes;
mod explain;
mod family;
mod history;
mod life;
mod metadata;
mod refused;
mod revoke;
mod rotate;

pub(crate) use explain::show as explain;
pub(crate) use metadata::submit as change_metadata;
pub(crate) use revoke::{show as confirm_revocation, submit as revoke};
pub(crate) use rotate::{show as confirm_rotation, submit as rotate};

use futures_util::{Stream, stream};
use keyfob_api::{HistoryEntryBody, TokenBody};
use keyfob_core::{Kind, Timestamp, TokenId};
use maud::{Markup, html};

use about::{MAX_COUNTING, heading, may_revoke};

use crate::draw::states::{self, Step};
use crate::fields::link;
use crate::live::address_of_token;
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::{alert, facts, staleness, text, time, token, words};

/// Shows a token. What may take long is sent after the rest.
pub(crate) async fn show(visit: Visit) -> Answer {
    let id: TokenId = visit.named("id")?;
    let token = visit.api.get(id).await?;
    let history = visit.api.history(id).await?;
    let done = done(&visit).await;
    let body = html! {
        (heading(&token))
        (done)
        (actions(&visit, &token))
        div.split {
            section.card aria-labelledby="what" {
                h2 #what { "What it is" }
                (facts::token(&token, visit.now))
            }
            section.card aria-labelledby="state" {
                h2 #state { "State" }
                (machine(&token, &history, visit.now))
            }
            section.card aria-labelledby="history" {
                h2 #history { "History" }
                (history::timeline(&token, &history, visit.now))
            }
            section.card aria-labelledby="metadata" {
                h2 #metadata { "Device, app, labels" }
                (facts::metadata(&token))
                (metadata::in_place(&visit, &token))
            }
            @if let Some(claims) = facts::claims(&token) {
                section.card aria-labelledby="claims" { h2 #claims { "Claims" } (claims) }
            }
            section.card aria-labelledby="explain" {
                h2 #explain { "Explain a refusal" }
                (explain::on_the_page(&token))
            }
        }
        (page::rest_here())
    };
    let id_text = id.to_string();
    let page = Page::new(Section::Tokens, format!("Token {id}"), body)
        .call(ApiCall::get(format!("/v1/tokens/{id}")).command(["show", &id_text]))
        .call(ApiCall::get(format!("/v1/tokens/{id}/history")).command(["history", &id_text]));
    Ok(Reply::Stream(page, Box::pin(later(visit, token))))
}

/// Says what was just done.
async fn done(visit: &Visit) -> Markup {
    let what = match visit.query.text("done") {
        Some("revoked") => {
            let bound = staleness::named(visit.max_staleness().await);
            format!(
                "Revoked, with all that descends from it. Every server refuses it at the latest {bound} later."
            )
        }
        Some("revoked-before") => {
            "It was revoked before. The first revocation stays, with its reason.".to_owned()
        }
        Some("changed") => "The change is stored.".to_owned(),
        _ => return html! {},
    };
    html! { p.done role="status" { span aria-hidden="true" { "✓ " } (what) } }
}

/// What can be done with a token.
fn actions(visit: &Visit, token: &TokenBody) -> Markup {
    let path = token::address(token.id);
    let is_alive = !token.state.is_final();
    html! {
        div.tools {
            @if is_alive && may_revoke(visit, token) {
                a.button.danger href={ (path) "/revoke" } { "Revoke…" }
            }
            @if is_alive && may_rotate(visit, token) {
                a.button href={ (path) "/rotate" } { "Rotate…" }
            }
            a.button href={ (path) "/explain" } { "Explain" }
            @if visit.may("keyfob:events") {
                a.button href=(address_of_token(token.id, token.issued_at)) { "Events" }
            }
        }
    }
}

fn may_rotate(visit: &Visit, token: &TokenBody) -> bool {
    // A client that signs has no secret.
    let has_secret = token.kind == Kind::ApiKey && token.client_key.is_none();
    has_secret && visit.may("keyfob:issue")
}

/// Draws the states with the path of a token.
fn machine(token: &TokenBody, history: &[HistoryEntryBody], now: Timestamp) -> Markup {
    let phases = life::phases(token, history);
    let steps = phases.iter().map(|phase| Step {
        state: phase.state,
        since: phase.since.map(|since| time::distance(since, now)),
    });
    let steps: Vec<_> = steps.collect();
    let path = steps.iter().map(|step| match &step.since {
        Some(since) => format!("{} ({since})", step.state),
        None => step.state.to_string(),
    });
    let path = path.collect::<Vec<_>>().join(", then ");
    html! {
        figure {
            (states::draw(&steps, &format!("The states of a token. This one was {path}.")))
            figcaption { "The path that it took: " (path) "." }
        }
        @if let Some(revocation) = &token.revocation {
            dl.facts {
                (facts::fact("Revoked", facts::exact(revocation.at, now)))
                (facts::fact("What", html! { (words::revoked_through(&revocation.through)) }))
                @if let Some(by) = &revocation.by { (facts::fact("By", text::bdi(by.as_str()))) }
                (facts::fact("Reason", match &revocation.reason {
                    Some(reason) => words::reason(reason.as_str()),
                    None => html! { span.quiet { "none was given" } },
                }))
            }
        }
    }
}

/// What follows after the rest: the family, and what was refused lately.
fn later(visit: Visit, token: TokenBody) -> impl Stream<Item = Markup> + Send + 'static {
    #[derive(Clone, Copy)]
    enum Next {
        Family,
        Refused,
        End,
    }
    stream::unfold((Next::Family, visit, token), |(next, visit, token)| async move {
        let (piece, next) = match next {
            Next::Family => (family_section(&visit, &token).await, Next::Refused),
            Next::Refused if visit.may("keyfob:events") => {
                (refused::section(&visit, &token).await, Next::End)
            }
            Next::Refused | Next::End => return None,
        };
        Some((piece, (next, visit, token)))
    })
}

async fn family_section(visit: &Visit, token: &TokenBody) -> Markup {
    let content = match family::read(&visit.api, token).await {
        Ok(family) => {
            let (tree, is_cut) = family::tree(&family, token, visit.now);
            let filter = family::filter(family.id);
            let rest = if is_cut { Some(rest_of_family(visit, &filter).await) } else { None };
            html! { (tree) @if let Some(rest) = rest { (rest) } }
        }
        Err(error) => alert::trouble(&Trouble::from(error)),
    };
    html! {
        section.card aria-labelledby="family" {
            h2 #family { "Family" }
            (content)
        }
    }
}

/// Says how large a family is of which not all is drawn.
async fn rest_of_family(visit: &Visit, filter: &str) -> Markup {
    let counted = visit.count(filter, MAX_COUNTING).await;
    html! {
        p {
            "Not all members are drawn. "
            @match counted {
                Some(count) => { "The family has " (text::counted(count, "token")) ": " }
                None => { "How many there are is not known: " }
            }
            a href=(link("/console/tokens", &[("filter", filter)])) { "list all of them" } "."
        }
    }
}
