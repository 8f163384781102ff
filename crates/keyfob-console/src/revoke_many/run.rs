//! Revoking: in one step, or page by page with progress.

use std::time::{Duration, Instant};

use keyfob_api::RevokeProgress;
use keyfob_api::revoke::RevokeFilter;
use keyfob_core::text::Reason;
use maud::{Markup, html};

use super::confirm::{self, Typed};
use super::target::Target;
use super::{not_allowed, start};
use crate::fields::Fields;
use crate::progress;
use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::{alert, call::ApiCall, text};

/// The path of the page that counts again.
const DONE: &str = "/console/revoke/done";

/// Revokes what the form names.
pub(crate) async fn submit(visit: Visit) -> Answer {
    if !visit.may("keyfob:revoke") {
        return Ok(not_allowed());
    }
    let target = match Target::read(&visit.form, visit.now) {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(start::reply(None)),
        Err(wrong) => return Ok(start::reply(Some(&wrong))),
    };
    let reason = match checked(&visit.form) {
        Ok(reason) => reason,
        Err(wrong) => {
            let reason = visit.form.text("reason").unwrap_or_default().to_owned();
            return Ok(confirm::reply(visit, target, Typed { reason, wrong: Some(wrong) }));
        }
    };
    match &target {
        Target::Filter(filter) => return by_filter(&visit, filter, reason).await,
        Target::Tokens(ids) => {
            for id in ids {
                match visit.api.revoke(*id, reason.as_ref()).await {
                    Ok(_) => {}
                    // What no longer exists is accepted by nobody.
                    Err(error) if error.code() == "token_not_found" => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Target::Subject(_) | Target::Client(_) => {
            if let Some(wanted) = target.for_api() {
                let answer = visit.api.revoke_target(wanted, reason).await?;
                if let Some(lanes) = answer.lanes {
                    let address = target.address(DONE);
                    let note = if lanes.pending > 0 { "&pending=true" } else { "" };
                    return Ok(Reply::SeeOther(format!("{address}{note}")));
                }
            }
        }
    }
    Ok(Reply::SeeOther(target.address(DONE)))
}

/// Returns the reason, if the word was typed too.
fn checked(form: &Fields) -> Result<Option<Reason>, &'static str> {
    let Some(reason) = form.text("reason") else {
        return Err("Give a reason: the person may ask why. Nothing was revoked.");
    };
    let reason = reason.parse();
    let reason =
        reason.map_err(|_| "The reason is too long: at most 256 bytes. Nothing was revoked.")?;
    if form.text("expect") != form.text("confirm") {
        return Err("What you typed to confirm is not what is asked for. Nothing was revoked.");
    }
    Ok(Some(reason))
}

async fn by_filter(visit: &Visit, filter: &str, reason: Option<Reason>) -> Answer {
    let wanted = RevokeFilter {
        filter: filter.to_owned(),
        resume: visit.form.text("resume").map(str::to_owned),
        throttle: visit.form.text("throttle").and_then(|text| text.parse().ok()),
        ..RevokeFilter::default()
    };
    let mut run = visit.api.revoke_matching(wanted, reason);
    if progress::wants_lines(&visit.headers) {
        return progress::stream(run).await;
    }
    let begun = Instant::now();
    let ended = progress::run_for_a_while(&mut run).await;
    let mut part = Part::before(&visit.form);
    part.add(run.progress(), begun.elapsed());
    match ended {
        Ok(true) => Ok(Reply::SeeOther(Target::Filter(part.named.clone()).address(DONE))),
        Ok(false) => Ok(paused(&part, filter, None)),
        Err(Trouble::SignedOut) => Err(Trouble::SignedOut),
        Err(trouble) => Ok(paused(&part, filter, Some(&trouble))),
    }
}

/// What of a run is done, over all its parts.
struct Part {
    /// The filter as it was given first.
    named: String,
    revoked: u64,
    examined: u64,
    seconds: u64,
    /// Where to continue.
    filter: Option<String>,
    resume: Option<String>,
    /// The fields that the next part gets too.
    reason: String,
    throttle: String,
}

impl Part {
    /// Reads what the parts before have done.
    fn before(form: &Fields) -> Self {
        let text = |name| form.text(name).unwrap_or_default().to_owned();
        let number = |name| form.text(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let named = form.text("named").or(form.text("filter")).unwrap_or_default().to_owned();
        Self {
            named,
            revoked: number("revoked"),
            examined: number("examined"),
            seconds: number("seconds"),
            filter: None,
            resume: form.text("resume").map(str::to_owned),
            reason: text("reason"),
            throttle: text("throttle"),
        }
    }

    fn add(&mut self, last: Option<&RevokeProgress>, time: Duration) {
        self.seconds = self.seconds.saturating_add(time.as_secs());
        if let Some(last) = last {
            self.revoked = self.revoked.saturating_add(last.revoked);
            self.examined = self.examined.saturating_add(last.examined);
            self.filter = Some(last.filter.clone());
            self.resume.clone_from(&last.resume);
        }
    }

    fn hidden(&self, filter: &str) -> Markup {
        let (revoked, examined) = (self.revoked.to_string(), self.examined.to_string());
        let (seconds, filter) =
            (self.seconds.to_string(), self.filter.as_deref().unwrap_or(filter));
        let fields = [
            ("filter", filter),
            ("named", &self.named),
            ("resume", self.resume.as_deref().unwrap_or_default()),
            ("reason", &self.reason),
            ("throttle", &self.throttle),
            ("revoked", &revoked),
            ("examined", &examined),
            ("seconds", &seconds),
        ];
        html! {
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
        }
    }
}

/// Shows a run that is not over, and how to continue.
fn paused(part: &Part, filter: &str, trouble: Option<&Trouble>) -> Reply {
    let body = html! {
        h1 { "Not over yet" }
        @if let Some(trouble) = trouble {
            (alert::trouble(trouble))
        }
        p role="status" {
            strong { (part.revoked) } " revoked, " (part.examined) " read, in " (part.seconds) " s. What is revoked \
             stays revoked."
        }
        form.card method="post" action="/console/revoke" {
            (part.hidden(filter))
            p { "All that match " code { (text::visible(&part.named)) } }
            div.actions { button.danger.primary type="submit" { "Continue" } }
        }
    };
    let status = trouble.map_or(200, Trouble::status);
    let resume = part.resume.as_deref().unwrap_or_default();
    let filter = part.filter.as_deref().unwrap_or(filter);
    let wanted = RevokeFilter {
        filter: filter.to_owned(),
        resume: part.resume.clone(),
        ..RevokeFilter::default()
    };
    let body_of = serde_json::json!({ "target": { "filter": wanted }, "reason": part.reason });
    let words = ["revoke", "--where", filter].into_iter();
    let words = words.chain(if resume.is_empty() { vec![] } else { vec!["--resume", resume] });
    let call = ApiCall::send("POST", "/v1/revoke", &body_of).command(words);
    Page::new(Section::Tokens, "Not over yet", body).status(status).call(call).into()
}
