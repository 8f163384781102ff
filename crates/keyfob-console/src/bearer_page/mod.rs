//! Checking a bearer: what it is, and why it is refused.
//!
//! A script reads the bearer in the browser as far as its check goes. It is sent only when the person asks for
//! it, in the body of a request; no page has it, and no log.

use keyfob_api::{ExplainAnswer, ExplainBody, ProvenKey, SecretBody, SecretText, WhichSecret};
use maud::{Markup, html};

use crate::explain::{self, Demands};
use crate::fields::{Fields, link};
use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::{facts, text, time, token};

/// The maximum length of a bearer in bytes: more is none. A JWT may be as long as this.
const MAX_BEARER_BYTES: usize = 8 * 1024;

const WRONG_DEMANDS: &str =
    "It was not checked. Correct the demands below, and paste the bearer again.";

/// Shows the form.
pub(crate) async fn show(_: Visit) -> Answer {
    Ok(page(&Demands::read(&Fields::default()), None, html! {}, 200))
}

/// Checks the bearer of a form.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let mut demands = Demands::read(&visit.form);
    let bearer = visit.form.text("bearer").map(bare);
    let Some(bearer) = bearer.filter(|bearer| bearer.len() <= MAX_BEARER_BYTES) else {
        return Ok(page(&demands, Some("Paste a bearer."), html! {}, 422));
    };
    if !demands.wrongs.is_empty() {
        return Ok(page(&demands, Some(WRONG_DEMANDS), html! {}, 422));
    }
    let secret = SecretText::new(bearer);
    let asked = ExplainBody { token: Some(secret), ..demands.body.clone() };
    match visit.api.explain(&asked).await.map_err(Trouble::from) {
        Ok(answer) => {
            let found = found(&visit, &demands, &asked, &answer);
            Ok(page(&demands, None, found, 200))
        }
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => {
            let (status, detail) = (trouble.status(), trouble.detail());
            match explain::note(&mut demands, trouble) {
                Ok(()) => Ok(page(&demands, Some(WRONG_DEMANDS), html! {}, 422)),
                Err(_) => Ok(page(&demands, Some(&detail), html! {}, status)),
            }
        }
    }
}

/// Returns a bearer without what is often copied with it.
fn bare(pasted: &str) -> &str {
    let has = |scheme: &&str| {
        pasted.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let scheme = ["bearer ", "dpop "].into_iter().find(has).unwrap_or_default();
    pasted[scheme.len()..].trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
}

/// Shows what a bearer is, and each rule.
fn found(visit: &Visit, demands: &Demands, asked: &ExplainBody, answer: &ExplainAnswer) -> Markup {
    html! {
        div.split {
            @if let Some(about) = &answer.token {
                section.card aria-labelledby="what" {
                    h2 #what { "What it is" }
                    p { (token::id(about.id)) }
                    (facts::token(about, visit.now))
                    @if let Some(secret) = &answer.secret { (which(secret, visit)) }
                    div.actions {
                        a.button href=(token::address(about.id)) { "Show the token" }
                        a.button href=(link(&format!("{}/explain", token::address(about.id)), &demands.pairs().collect::<Vec<_>>())) {
                            "Explain without the bearer"
                        }
                    }
                }
            }
            section.card aria-labelledby="verdict" {
                h2 #verdict { "Verdict" }
                (explain::verdict(asked, answer, visit.now))
            }
        }
    }
}

/// Says which of the secrets of an API key it is.
fn which(secret: &SecretBody, visit: &Visit) -> Markup {
    html! {
        p {
            @match (secret.used, secret.until) {
                (WhichSecret::Newest, _) => "It is the newest secret of the key.",
                (WhichSecret::Older, Some(until)) => {
                    strong { "It is the older secret of the key" } ", which ends " (time::ago(until, visit.now)) "."
                }
                (WhichSecret::Older, None) => strong { "It is the older secret of the key." },
            }
        }
    }
}

fn page(demands: &Demands, wrong: Option<&str>, found: Markup, status: u16) -> crate::reply::Reply {
    let body = html! {
        h1 { "Check a bearer" }
        (found)
        form.card method="post" action="/console/bearer" autocomplete="off" {
            div.field {
                label for="bearer" { "Bearer" }
                // No password: browsers would offer to keep it.
                input #bearer.secret type="text" name="bearer" maxlength=(MAX_BEARER_BYTES) autocomplete="off"
                    spellcheck="false" autocapitalize="off" data-bearer required
                    aria-describedby="bearer-note" aria-invalid=[wrong.map(|_| "true")];
                div #bearer-note {
                    @if let Some(wrong) = wrong { p.wrong role="alert" { (text::visible(wrong)) } }
                    p.quiet {
                        "A bearer is a secret. It is sent when you press “Check”, and is neither logged nor kept."
                    }
                }
                div #bearer-read aria-live="polite" {}
            }
            details open[!demands.is_empty() || !demands.wrongs.is_empty()] {
                summary { "What the service demands" }
                (explain::fields(demands))
            }
            div.actions { button.primary type="submit" { "Check" } }
        }
    };
    let token = Some(SecretText::new("PASTE_THE_BEARER"));
    let call = ApiCall::send("POST", "/v1/explain", &ExplainBody { token, ..demands.body.clone() });
    let words = command(demands);
    let call = call.command(words.iter().map(String::as_str));
    Page::new(Section::Bearer, "Check a bearer", body).call(call).status(status).into()
}

/// Returns the command that does the same. It reads the bearer from its input.
fn command(demands: &Demands) -> Vec<String> {
    let asked = &demands.body;
    let mut words = vec!["validate".to_owned(), "--all".to_owned()];
    let mut add = |flag: &str, values: &mut dyn Iterator<Item = String>| {
        for value in values {
            words.extend([flag.to_owned(), value]);
        }
    };
    add("--kind", &mut asked.kind.iter().map(ToString::to_string));
    add("--issuer", &mut asked.issuer.iter().map(ToString::to_string));
    add("--audience", &mut asked.audience.iter().map(ToString::to_string));
    add("--scope", &mut asked.scopes.iter().map(ToString::to_string));
    add("--any-scope", &mut asked.any_scopes.iter().map(ToString::to_string));
    add("--max-age", &mut asked.max_age.iter().map(ToString::to_string));
    add("--clock-skew", &mut asked.clock_skew.iter().map(ToString::to_string));
    add("--require-claim", &mut asked.claims.iter().map(ToString::to_string));
    add("--device-id", &mut asked.device_id.iter().map(ToString::to_string));
    match &asked.cnf {
        Some(ProvenKey::Jkt(thumbprint)) => {
            words.extend(["--jkt".to_owned(), thumbprint.to_string()]);
        }
        Some(ProvenKey::CertificateThumbprint(thumbprint)) => {
            words.extend(["--x5t-s256".to_owned(), thumbprint.to_string()]);
        }
        None => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beside_a_bearer_are_left_out() {
        for pasted in [
            "fob_at_x",
            "Bearer fob_at_x",
            "DPoP fob_at_x",
            "bearer  fob_at_x",
            "\"fob_at_x\"",
            "'fob_at_x' ",
        ] {
            assert_eq!(bare(pasted), "fob_at_x", "{pasted}");
        }
        assert_eq!(bare("bearer é"), "é");
        assert_eq!(bare("é"), "é");
    }

    #[test]
    fn the_command_has_the_demands() {
        let form = b"kind=access&audience=a%0Ab&scopes=read&max_age=1h&jkt=abc";
        let demands = Demands::read(&Fields::parse(form));
        assert_eq!(
            command(&demands).join(" "),
            "validate --all --kind access --audience a --audience b --scope read --max-age 1h --jkt abc"
        );
    }
}
