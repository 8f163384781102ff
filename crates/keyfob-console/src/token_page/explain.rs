//! Why a token is refused: the demands of a service against it.

use keyfob_api::{ExplainBody, TokenBody};
use keyfob_core::TokenId;
use maud::{Markup, html};

use super::about::heading;
use crate::explain::{self, Demands};
use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::token;

/// Shows each rule, met or not. The demands are in the address, so a finding can be passed on.
pub(crate) async fn show(visit: Visit) -> Answer {
    let id: TokenId = visit.named("id")?;
    let mut demands = Demands::read(&visit.query);
    let asked = ExplainBody { id: Some(id), ..demands.body.clone() };
    let mut verdict = None;
    let token = if demands.wrongs.is_empty() {
        match visit.api.explain(&asked).await.map_err(Trouble::from) {
            Ok(answer) => {
                verdict = Some(explain::verdict(&asked, &answer, visit.now));
                answer.token
            }
            Err(trouble) => {
                explain::note(&mut demands, trouble)?;
                None
            }
        }
    } else {
        None
    };
    let token = match token {
        Some(token) => token,
        None => visit.api.get(id).await?,
    };
    let status = if demands.wrongs.is_empty() { 200 } else { 422 };
    let call = ApiCall::send("POST", "/v1/explain", &asked);
    let body = html! {
        (heading(&token))
        @if let Some(verdict) = verdict {
            section.card aria-labelledby="verdict" { h2 #verdict { "Verdict" } (verdict) }
        }
        section.card aria-labelledby="demands" {
            h2 #demands { "What the service demands" }
            p.quiet { "Leave empty what it does not check." }
            form method="get" action={ (token::address(id)) "/explain" } {
                (explain::fields(&demands))
                div.actions {
                    button.primary type="submit" { "Explain" }
                    a.button href=(token::address(id)) { "Back to the token" }
                }
            }
        }
    };
    Ok(Page::new(Section::Tokens, format!("Explain {id}"), body).call(call).status(status).into())
}

/// The way to the explanation, on the page of the token.
pub(super) fn on_the_page(about: &TokenBody) -> Markup {
    html! {
        p {
            "Name what the service demands, such as an audience and scopes, and see each rule met or not."
        }
        form method="get" action={ (token::address(about.id)) "/explain" } {
            div.field {
                label for="audience" { "Audience" }
                input #audience type="text" name="audience" maxlength="256" autocomplete="off" spellcheck="false";
            }
            div.field {
                label for="scopes" { "Scopes" }
                input #scopes type="text" name="scopes" maxlength="4096" autocomplete="off" spellcheck="false";
            }
            div.actions {
                button type="submit" { "Explain" }
                a href={ (token::address(about.id)) "/explain" } { "More demands" }
            }
        }
    }
}
