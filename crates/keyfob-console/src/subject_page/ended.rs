//! What ended of a subject, and what was refused of it lately.

use keyfob_api::TokenBody;
use keyfob_client::ListQuery;
use keyfob_core::Filter;
use keyfob_core::text::Subject;
use maud::{Markup, html};

use super::why;
use crate::observations::{self, Recent, code_of};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::text;

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
            p { "Nothing of this subject ended or was refused, as far as is known here." }
        } @else {
            ol.causes { @for cause in &causes { li { (cause.sentence) } } }
        }
        p.quiet {
            "This is from the "
            @if page.next.is_some() { "newest " (page.tokens.len()) } @else { (page.tokens.len()) }
            " tokens of the subject. Tokens that ended long ago are deleted. "
            @if may_see {
                "Refusals are those " (seen.bound()) ", of these tokens; a server leaves some out if there are many."
            } @else {
                "Refusals are not shown: your key has not the scope " code { "keyfob:events" } "."
            }
        }
    })
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
