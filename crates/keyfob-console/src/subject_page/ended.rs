//! What ended of a subject, and what was refused of it lately.

use keyfob_api::TokenBody;
use keyfob_client::ListQuery;
use keyfob_core::text::Subject;
use keyfob_core::{Filter, Kind, Timestamp};
use maud::{Markup, html};

use super::why;
use crate::observations::{self, Recent, code_of};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::{facts, text};

/// How many tokens are read, the newest first.
const READ: usize = 1_000;

/// Shows why sessions ended.
pub(super) async fn section(visit: &Visit, subject: &Subject) -> Result<Markup, Trouble> {
    let query = ListQuery::new(Filter::new().subject(subject.clone()).to_string()).limit(READ);
    let page = visit.api.list(&query).await?;
    let may_see = visit.may("keyfob:events");
    let seen = if may_see { refusals(visit, &page.tokens).await? } else { Recent::default() };
    let causes = why::causes(&page.tokens, &seen.events, visit.now);
    Ok(html! {
        @if causes.is_empty() {
            (no_logout(&page.tokens, page.next.is_some(), visit.now))
        } @else {
            ol.causes { @for cause in &causes { li { (cause.sentence) } } }
        }
        p.quiet {
            "This is from the "
            @if page.next.is_some() { "newest " }
            (text::counted(page.tokens.len() as u64, "token")) " of the subject. Tokens that ended long ago are deleted. "
            @if may_see {
                "Refusals are those " (seen.bound()) ", of these tokens; a server leaves some out if there are many."
            } @else {
                "Refusals are not shown: your key has not the scope " code { "keyfob:events" } "."
            }
        }
    })
}

/// Says what is known where no end is recorded. The tokens come newest first.
fn no_logout(tokens: &[TokenBody], has_more: bool, now: Timestamp) -> Markup {
    let sessions: Vec<_> = tokens.iter().filter(|token| token.kind == Kind::Session).collect();
    let (newest, count, name) = match sessions.first() {
        Some(newest) => (Some(*newest), sessions.len(), "session"),
        None => (tokens.first(), tokens.len(), "token"),
    };
    html! {
        @match (tokens.last(), newest) {
            (Some(oldest), Some(newest)) => p {
                strong { "No logout is recorded since " (facts::exact(oldest.issued_at, now)) ". " }
                "The " @if count == 1 && !has_more { "only " } @else { "newest " } (name) " was issued "
                (facts::exact(newest.issued_at, now)) ": it may be a new sign-in."
            },
            _ => p { strong { "No logout is recorded." } " There is no token of this subject." },
        }
    }
}

/// Reads the refusals of these tokens.
async fn refusals(visit: &Visit, tokens: &[TokenBody]) -> Result<Recent, Trouble> {
    let ids: std::collections::HashSet<_> =
        tokens.iter().map(|token| token.id.to_string()).collect();
    let read = observations::recent(&visit.api, visit.now, |event| {
        code_of(event).is_some() && event.subject.as_ref().is_some_and(|about| ids.contains(about))
    });
    match read.await {
        Ok(recent) => Ok(recent),
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => {
            tracing::debug!(detail = %text::visible(&trouble.detail()), "observations are not shown");
            Ok(Recent::default())
        }
    }
}
