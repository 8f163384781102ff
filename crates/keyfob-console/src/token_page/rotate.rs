//! Giving an API key a new secret.

use keyfob_api::{IssuedBody, RotateBody, TokenBody};
use keyfob_core::{TokenId, Ttl};
use maud::{Markup, html};

use super::about::heading;
use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::field::{self, Field};
use crate::widget::{text, token};

/// How long the old secret stays valid, unless the person says otherwise.
const OVERLAP: &str = "24h";

/// Says what a rotation does, and asks for the overlap.
pub(crate) async fn show(visit: Visit) -> Answer {
    let about = visit.api.get(visit.named("id")?).await?;
    Ok(page(&about, OVERLAP, None, 200))
}

/// Rotates the key, and shows the new secret once.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let id: TokenId = visit.named("id")?;
    let overlap = visit.form.text("overlap").unwrap_or(OVERLAP);
    let wrong = match overlap {
        "0" => None,
        length => length.parse::<Ttl>().err().map(|error| error.to_string()),
    };
    if let Some(wrong) = wrong {
        return Ok(page(&visit.api.get(id).await?, overlap, Some(&wrong), 422));
    }
    let request = RotateBody { overlap: Some(overlap.to_owned()) };
    match visit.api.rotate(id, &request).await.map_err(Trouble::from) {
        Ok(issued) => Ok(issued_page(&issued, overlap)),
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => {
            let about = visit.api.get(id).await?;
            Ok(page(&about, overlap, Some(&trouble.detail()), trouble.status()))
        }
    }
}

fn page(about: &TokenBody, overlap: &str, wrong: Option<&str>, status: u16) -> Reply {
    let id = about.id;
    let hint = "Such as 24h or 7d. With 0, the old secret ends now.";
    let label = "The old secret stays valid for";
    let body = html! {
        (heading(about))
        form.card method="post" action={ (token::address(id)) "/rotate" } {
            h2 { "Rotate this key" }
            p {
                "The key gets a new secret, which is shown once. Tokens that descend from the key stay valid."
            }
            p { "Was the secret stolen? Then revoke the key, and issue another one." }
            (field::line(Field { name: "overlap", label, hint, value: overlap, wrong, is_required: false }, 32))
            div.actions {
                button.primary type="submit" { "Rotate now" }
                a.button href=(token::address(id)) { "Cancel" }
            }
        }
    };
    let page = Page::new(Section::Tokens, format!("Rotate {id}"), body).status(status);
    page.call(call(id, overlap)).into()
}

fn issued_page(issued: &IssuedBody, overlap: &str) -> Reply {
    let id = issued.token.id;
    let body = html! {
        (heading(&issued.token))
        section.card {
            h2 { "The new secret" }
            p { strong { "This is shown once, and stored nowhere." } " Copy it to where it is used." }
            (secret(issued.bearer.expose()))
            p {
                @match overlap {
                    "0" => "The old secret has ended.",
                    overlap => { "The old secret stays valid for " (text::visible(overlap)) "." }
                }
                " Loading this page again would make yet another secret."
            }
            div.actions { a.button href=(token::address(id)) { "I have it" } }
        }
    };
    Page::new(Section::Tokens, format!("Rotated {id}"), body).call(call(id, overlap)).into()
}

/// Shows a secret to copy. A script clears the clipboard after a while.
fn secret(secret: &str) -> Markup {
    html! {
        div.copyable {
            pre tabindex="0" { code { (secret) } }
            button type="button" data-copy="secret" hidden { "Copy" }
        }
    }
}

fn call(id: TokenId, overlap: &str) -> ApiCall {
    let body = RotateBody { overlap: Some(overlap.to_owned()) };
    ApiCall::send("POST", format!("/v1/tokens/{id}/rotate"), &body).command([
        "rotate",
        &id.to_string(),
        "--overlap",
        overlap,
    ])
}
