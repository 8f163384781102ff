//! Revoking one token: what is revoked with it is shown first.

use futures_util::future::join;
use keyfob_api::{RevokeBody, RevokeOutcome, RevokeTarget, TokenBody};
use keyfob_core::text::Reason;
use keyfob_core::{TokenId, Ttl};
use maud::{Markup, html};

use super::about::{MAX_COUNTING, heading, is_of_viewer, is_session_of_viewer, may_revoke};
use super::family;
use crate::fields::link;
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::field::{self, Field, Wrong};
use crate::widget::{staleness, text, token};

/// How many of the tokens that fall are named.
const NAMED: usize = 20;
/// From how many tokens on a word has to be typed.
const MANY: u64 = 20;
const WORD: &str = "revoke";

/// Shows what a revocation would end.
pub(crate) async fn show(visit: Visit) -> Answer {
    page(visit, None, 200).await
}

/// Revokes the token.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let id: TokenId = visit.named("id")?;
    if visit.form.has("word") && visit.form.text("word") != Some(WORD) {
        return page(visit, Some(Wrong::new("word", "Type the word to confirm.")), 422).await;
    }
    let reason = match visit.form.text("reason").map(Reason::new).transpose() {
        Ok(Some(reason)) => Some(reason),
        Ok(None) => {
            let text = "Give a reason: the person may ask why. Nothing was revoked.";
            return page(visit, Some(Wrong::new("reason", text)), 422).await;
        }
        Err(error) => return page(visit, Some(Wrong::new("reason", error)), 422).await,
    };
    match visit.api.revoke(id, reason.as_ref()).await.map_err(Trouble::from) {
        Ok(answer) => {
            let done = match answer.outcome {
                RevokeOutcome::AlreadyRevoked => "revoked-before",
                _ => "revoked",
            };
            Ok(Reply::SeeOther(link(&token::address(id), &[("done", done)])))
        }
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => {
            let status = trouble.status();
            page(visit, Some(Wrong::new("", trouble.detail())), status).await
        }
    }
}

/// What a revocation would end.
struct Cascade {
    /// How many tokens, the token itself included, if that could be counted.
    count: Option<u64>,
    /// The first of those that descend from the token.
    first: Vec<TokenBody>,
}

impl Cascade {
    async fn of(visit: &Visit, about: &TokenBody) -> Result<Self, Trouble> {
        let count = match visit.may("keyfob:revoke") {
            true => Self::count(visit, about.id).await?,
            // Counting needs a scope that a client does not need for its own tokens.
            false => None,
        };
        let first = match count {
            Some(0) => Vec::new(),
            Some(1) if !about.state.is_final() => Vec::new(),
            _ => family::living_descendants(&visit.api, about, NAMED).await?,
        };
        Ok(Self { count, first })
    }

    async fn count(visit: &Visit, id: TokenId) -> Result<Option<u64>, Trouble> {
        let counting = visit.api.count_revocable(RevokeTarget::Token(id));
        match tokio::time::timeout(MAX_COUNTING, counting).await {
            Ok(answer) => Ok(answer?.count),
            Err(_) => Ok(None),
        }
    }

    fn is_many(&self) -> bool {
        self.count.unwrap_or(self.first.len() as u64) >= MANY
    }
}

/// Shows the page. What falls is counted while its head is on the way.
async fn page(visit: Visit, wrong: Option<Wrong>, status: u16) -> Answer {
    let id: TokenId = visit.named("id")?;
    let about = visit.api.get(id).await?;
    let reason = visit.form.text("reason").unwrap_or_default().to_owned();
    let body = html! { (heading(&about)) (page::rest_here()) };
    let page = Page::new(Section::Tokens, format!("Revoke {id}"), body).status(status);
    let page = calls(id, &reason).into_iter().fold(page, Page::call);
    let rest = async move {
        let (cascade, bound) = join(Cascade::of(&visit, &about), visit.max_staleness()).await;
        html! {
            @match &cascade {
                Ok(cascade) => (shown(&visit, &about, cascade)),
                Err(trouble) => p.wrong role="alert" {
                    "What is revoked with it is not known. " (trouble.title()) ": " (text::visible(&trouble.detail()))
                }
            }
            @if may_revoke(&visit, &about) {
                (form(&about, &reason, cascade.is_ok_and(|cascade| cascade.is_many()), bound, wrong.as_ref()))
            } @else {
                p.wrong role="alert" {
                    "Your key may not revoke this token: it has not the scope " code { "keyfob:revoke" } "."
                }
            }
        }
    };
    Ok(Reply::Stream(page, Box::pin(futures_util::stream::once(rest))))
}

fn form(
    about: &TokenBody,
    reason: &str,
    is_many: bool,
    bound: Option<Ttl>,
    wrong: Option<&Wrong>,
) -> Markup {
    let wrongs = wrong.map(std::slice::from_ref).unwrap_or_default();
    html! {
        form.card method="post" action={ (token::address(about.id)) "/revoke" } data-guarded {
            h2 { "Revoke" }
            @if let Some(text) = Wrong::of(wrongs, "") { p.wrong role="alert" { (text::visible(text)) } }
            p {
                "A revocation is final. Every server refuses these tokens at the latest " (staleness::named(bound))
                " later: the max staleness."
            }
            (field::line(Field {
                name: "reason",
                label: "Reason",
                hint: field::REASON_HINT,
                value: reason,
                is_required: true,
                wrong: Wrong::of(wrongs, "reason"),
            }, 256))
            @if is_many { (word(Wrong::of(wrongs, "word"))) }
            div.actions {
                button.danger.primary type="submit" { "Revoke now" }
                a.button href=(token::address(about.id)) { "Cancel" }
            }
        }
    }
}

/// The calls that count what falls, and that revoke it.
fn calls(id: TokenId, reason: &str) -> [ApiCall; 2] {
    let (target, reason) = (RevokeTarget::Token(id), Reason::new(reason).ok());
    let id = id.to_string();
    let mut words = vec!["revoke", &id];
    if let Some(reason) = &reason {
        words.extend(["--reason", reason.as_str()]);
    }
    let dry_run = [words.as_slice(), &["--dry-run"]].concat();
    [(true, dry_run), (false, words)].map(|(dry_run, words)| {
        let body = RevokeBody { target: target.clone(), reason: reason.clone(), dry_run };
        ApiCall::send("POST", "/v1/revoke", &body).command(words)
    })
}

fn shown(visit: &Visit, about: &TokenBody, cascade: &Cascade) -> Markup {
    html! {
        section.card aria-labelledby="falls" {
            h2 #falls { "What falls" }
            @if about.state.is_final() {
                p { "This token is " (about.state) " already. A revocation still counts for what descends from it." }
            }
            p { (how_many(about, cascade)) }
            @if is_of_viewer(visit, about) {
                p.wrong {
                    @if is_session_of_viewer(visit, about) {
                        strong { "Your own session is revoked with it: " } "you will be signed out."
                    } @else {
                        strong { "You signed in with this key, or with one that is revoked with it. " }
                        "You will be signed out, and you need another admin key to sign in again."
                    }
                }
            }
            @if !cascade.first.is_empty() {
                ul.plain {
                    @for member in &cascade.first {
                        li {
                            (token::state(member.state)) " " (token::id(member.id)) " "
                            (family::summary(member, visit.now))
                        }
                    }
                }
                @if cascade.first.len() == NAMED { p.quiet { "These are the first " (NAMED) "." } }
            }
        }
    }
}

fn how_many(about: &TokenBody, cascade: &Cascade) -> Markup {
    html! {
        @match cascade.count {
            Some(0) => "Nothing that is alive.",
            Some(1) if about.state.is_final() => strong { "One token that descends from this one." },
            Some(1) => strong { "This token, and no other." },
            Some(count) => {
                strong { (count) " tokens" } ": "
                @if about.state.is_final() { "those that descend from this one." }
                @else { "this one, and all that descend from it." }
            }
            None => "This token, and all that descend from it. How many these are was not counted.",
        }
    }
}

fn word(wrong: Option<&str>) -> Markup {
    html! {
        div.field {
            label for="word" { "These are many. Type " code { (WORD) } " to confirm" }
            input #word type="text" name="word" autocomplete="off" data-confirm=(WORD)
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "word-note")];
            @if let Some(wrong) = wrong { p #word-note.wrong { (wrong) } }
        }
    }
}
