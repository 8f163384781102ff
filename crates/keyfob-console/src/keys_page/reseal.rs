//! Sealing all records with the active key.

use std::time::Duration;

use keyfob_api::ResealBody;
use keyfob_client::ResealRun;
use maud::html;

use crate::fields::link;
use crate::progress;
use crate::reply::Answer;
use crate::reply::{Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::text;

pub(super) const PATH: &str = "/console/keys";

/// How long a run continues that nobody reads, before a page asks whether to continue.
const MAX_RUN: Duration = Duration::from_secs(8);

/// Starts or resumes a run. The script of the page reads its lines; without it, a page says how far it is.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let resume = visit.form.text("resume").map(str::to_owned);
    let mut run = visit.api.reseal(ResealBody { resume });
    if progress::wants_lines(&visit.headers) {
        return progress::stream(run).await;
    }
    let before = visit.form.text("resealed").and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let ended = run_for(&mut run, MAX_RUN).await;
    let resealed = run.progress().map_or(0, |last| last.resealed).saturating_add(before);
    match ended {
        Ok(true) => {
            let resealed = resealed.to_string();
            Ok(Reply::SeeOther(link(PATH, &[("count", "true"), ("resealed", &resealed)])))
        }
        Ok(false) => Ok(paused(&run, resealed, None)),
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => Ok(paused(&run, resealed, Some(&trouble))),
    }
}

/// Runs for a time. Returns whether all is done.
async fn run_for(run: &mut ResealRun, limit: Duration) -> Result<bool, Trouble> {
    let lines = async {
        while run.next().await?.is_some() {}
        Ok(true)
    };
    tokio::time::timeout(limit, lines).await.unwrap_or(Ok(false))
}

/// Shows a run that is not over, and how to continue.
fn paused(run: &ResealRun, resealed: u64, trouble: Option<&Trouble>) -> Reply {
    let resume = run.progress().and_then(|last| last.resume.as_deref()).unwrap_or_default();
    let body = html! {
        h1 { "Not over yet" }
        @if let Some(trouble) = trouble {
            p.wrong role="alert" { (trouble.title()) ": " (text::visible(&trouble.detail())) }
        }
        p role="status" { strong { (resealed) } " records were resealed. They stay so." }
        form.card method="post" action={ (PATH) "/reseal" } {
            input type="hidden" name="resume" value=(resume);
            input type="hidden" name="resealed" value=(resealed);
            div.actions {
                button.primary type="submit" { "Continue" }
                a.button href=(PATH) { "Stop here" }
            }
        }
    };
    let status = trouble.map_or(200, Trouble::status);
    Page::new(Section::Keys, "Not over yet", body).status(status).into()
}
