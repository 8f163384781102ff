//! Signing in with an API key.

use http::HeaderValue;
use http::header::{SET_COOKIE, USER_AGENT};
use keyfob_api::OpenSessionBody;
use keyfob_core::text::UserAgent;
use maud::{Markup, html};

use super::kept::Kept;
use super::{cookie, origin};
use crate::reply::{Answer, Reply};
use crate::shared::origin_of;
use crate::shell::page;
use crate::trouble::Trouble;
use crate::visit::Visit;

/// The maximum length of a key in bytes: more is no key.
const MAX_KEY_BYTES: usize = 512;

/// Shows the form.
pub(crate) async fn show(visit: Visit) -> Answer {
    Ok(page(Kept::read(&visit.query), None))
}

/// Opens a session, and goes where the person wanted to be.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let kept = Kept::read(&visit.form);
    if let Some(seconds) = visit.shared.throttle.attempt(visit.extensions.get(), visit.now) {
        return Err(Trouble::TooManyAttempts { seconds });
    }
    let Some(key) = visit.form.text("key").filter(|key| key.len() <= MAX_KEY_BYTES) else {
        return Ok(page(kept, Some("Paste an API key.")));
    };
    let from = origin_of(&visit.headers, &visit.extensions);
    let Ok(api) = visit.shared.client(from, Some(key)) else {
        return Ok(page(kept, Some("This is not an API key.")));
    };
    let agent = visit.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent =
        agent.and_then(|agent| UserAgent::new(agent.chars().take(512).collect::<String>()).ok());
    let session = match api.open_session(&OpenSessionBody { user_agent, idle: None }).await {
        Ok(session) => session,
        Err(error) => {
            return match Trouble::from(error) {
                Trouble::SignedOut => Ok(page(kept, Some(REFUSED))),
                Trouble::Api(error) if error.code() == "access_denied" => {
                    let why = error.api().map(|answer| answer.message().to_owned());
                    Ok(page(kept, why.as_deref()))
                }
                other => Err(other),
            };
        }
    };
    let mut response = match kept.again() {
        Some(again) => page::response(200, page::bare("Continue", again)),
        None => page::see_other(kept.path()),
    };
    let set = cookie::set(session.bearer.expose(), origin::is_tls(&visit.headers));
    let mut set = HeaderValue::try_from(set).map_err(|_| Trouble::SignedOut)?;
    set.set_sensitive(true);
    response.headers_mut().insert(SET_COOKIE, set);
    Ok(Reply::Whole(response))
}

const REFUSED: &str = "The server does not accept this key. It is mistyped, revoked or expired, or it \
                       is not an API key.";

/// Returns the page for signing in.
pub(crate) fn page(kept: Kept, wrong: Option<&str>) -> Reply {
    let status = if wrong.is_some() { 422 } else { 401 };
    Reply::Bare { title: "Sign in", status, body: form(&kept, wrong) }
}

fn form(kept: &Kept, wrong: Option<&str>) -> Markup {
    html! {
        h1 { "Sign in" }
        @if kept.is_from_elsewhere {
            p { "You came by a link of another site. Signed in already? " a href=(kept.path()) { "Continue" } "." }
        }
        form.card.sign-in method="post" action="/console/sign-in" {
            (kept.hidden())
            label for="key" { "API key" }
            input #key type="password" name="key" autocomplete="current-password" required autofocus
                spellcheck="false" aria-describedby=[wrong.map(|_| "wrong")] aria-invalid=[wrong.map(|_| "true")];
            @if let Some(wrong) = wrong {
                p #wrong.wrong role="alert" { (wrong) }
            }
            button.primary type="submit" { "Sign in" }
        }
        p.quiet {
            "No key yet? On the machine of the store, run " code { "keyfob init" } ". For a colleague who only \
             reads: " code { "keyfob client add NAME --scope keyfob:read" } "."
        }
    }
}
