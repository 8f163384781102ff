//! The overview: what is alive, what is refused, what is wrong.

mod health;
mod last_hour;
mod living;

use maud::html;

use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;

/// Shows the overview. A part that the viewer may not see is left out; a store that does not answer is
/// the first thing to say.
pub(crate) async fn show(visit: Visit) -> Answer {
    let (report, stats) = (visit.api.doctor().await, visit.api.stats().await);
    let report = allowed(report)?;
    let stats = allowed(stats)?;
    let body = html! {
        h1 { "Overview" }
        @if let Some(report) = &report { (health::findings(report, visit.now)) }
        div.split {
            @if let Some(stats) = &stats { (living::by_kind(stats)) (living::by_client(stats)) }
        }
        (visit.shared.activity.read(|window| last_hour::charts(window, visit.now)))
        @if report.is_none() && stats.is_none() {
            p.quiet { "Your key does not allow to see statistics or the state of the store." }
        }
    };
    let page = Page::new(Section::Overview, "Overview", body)
        .call(ApiCall::get("/v1/stats").command(["stats"]))
        .call(ApiCall::get("/v1/doctor").command(["doctor"]));
    Ok(page.into())
}

/// Returns what the API answers, and nothing if the viewer may not ask.
fn allowed<T>(answer: Result<T, keyfob_client::Error>) -> Result<Option<T>, Trouble> {
    match answer.map_err(Trouble::from) {
        Ok(answer) => Ok(Some(answer)),
        Err(trouble) if trouble.status() == 403 => Ok(None),
        Err(trouble) => Err(trouble),
    }
}
