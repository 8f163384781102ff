//! Sealing all records with the active key.

use keyfob_api::ResealBody;
use keyfob_client::ResealRun;
use maud::html;

use crate::fields::link;
use crate::progress;
use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::alert;

pub(super) const PATH: &str = "/console/keys";

/// Starts or resumes a run. The script of the page reads its lines; without it, a page says how far it is.
pub(crate) async fn submit(visit: Visit) -> Answer {
    let resume = visit.form.text("resume").map(str::to_owned);
    let mut run = visit.api.reseal(ResealBody { resume });
    if progress::wants_lines(&visit.headers) {
        return progress::stream(run).await;
    }
    let before = visit.form.text("resealed").and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let ended = progress::run_for_a_while(&mut run).await;
    let resealed = run.progress().map_or(0, |last| last.resealed).saturating_add(before);
    match ended {
        Ok(true) => Ok(Reply::SeeOther(link(PATH, &[("count", "true"), ("done", "true")]))),
        Ok(false) => Ok(paused(&run, resealed, None)),
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => Ok(paused(&run, resealed, Some(&trouble))),
    }
}

/// Shows a run that is not over, and how to continue.
fn paused(run: &ResealRun, resealed: u64, trouble: Option<&Trouble>) -> Reply {
    let resume = run.progress().and_then(|last| last.resume.as_deref()).unwrap_or_default();
    let body = html! {
        h1 { "Not over yet" }
        @if let Some(trouble) = trouble {
            (alert::trouble(trouble))
        }
        p role="status" { strong { (resealed) } " resealed. They stay so." }
        form.card method="post" action={ (PATH) "/reseal" } {
            input type="hidden" name="resume" value=(resume);
            input type="hidden" name="resealed" value=(resealed);
            div.actions {
                button.primary type="submit" { "Continue" }
                a.button href=(PATH) { "Cancel" }
            }
        }
    };
    let status = trouble.map_or(200, Trouble::status);
    Page::new(Section::Keys, "Not over yet", body).status(status).into()
}
