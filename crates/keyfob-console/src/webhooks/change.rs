//! What a person does with a webhook: a test, enabling and disabling, sending dead letters again.

use keyfob_api::webhook::{DeliveryBody, UpdateWebhookBody};
use maud::{Markup, html};

use super::{address, one};
use crate::fields::link;
use crate::reply::{Answer, Reply};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::text;

/// Sends a test event, and shows what the receiver answers.
pub(crate) async fn test(visit: Visit) -> Answer {
    let outcome = visit.api.test_webhook(&webhook(&visit)?).await?;
    one::page(&visit, &show("The test event", &outcome)).await
}

/// Enables a webhook.
pub(crate) async fn enable(visit: Visit) -> Answer {
    set_enabled(&visit, true).await
}

/// Disables a webhook.
pub(crate) async fn disable(visit: Visit) -> Answer {
    set_enabled(&visit, false).await
}

/// Sends a dead letter again. If it does not arrive, the page says why, and the letter stays.
pub(crate) async fn send_letter(visit: Visit) -> Answer {
    let (id, letter) = (webhook(&visit)?, visit.named::<String>("letter")?);
    let outcome = visit.api.send_dead_letter(&id, &letter).await?;
    if outcome.delivered {
        return Ok(done(&id, "sent"));
    }
    if outcome.waits {
        return Ok(done(&id, "waits"));
    }
    one::page(&visit, &show("The dead letter", &outcome)).await
}

/// Drops a dead letter.
pub(crate) async fn drop_letter(visit: Visit) -> Answer {
    let (id, letter) = (webhook(&visit)?, visit.named::<String>("letter")?);
    visit.api.drop_dead_letter(&id, &letter).await?;
    Ok(done(&id, "dropped"))
}

async fn set_enabled(visit: &Visit, enabled: bool) -> Answer {
    let id = webhook(visit)?;
    let changes = UpdateWebhookBody { enabled: Some(enabled), ..UpdateWebhookBody::default() };
    visit.api.update_webhook(&id, &changes).await?;
    Ok(done(&id, if enabled { "enabled" } else { "disabled" }))
}

fn webhook(visit: &Visit) -> Result<String, Trouble> {
    visit.named("webhook")
}

/// Leads to the page of a webhook that the API has taken.
fn done(id: &str, what: &str) -> Reply {
    Reply::SeeOther(link(&address(id), &[("done", what)]))
}

/// Says what came of an attempt to deliver.
fn show(what: &str, outcome: &DeliveryBody) -> Markup {
    html! {
        @if outcome.waits {
            p.done role="status" { span aria-hidden="true" { "✓ " } (what) " waits until the receiver polls." }
        } @else if outcome.delivered {
            p.done role="status" {
                span aria-hidden="true" { "✓ " } (what) " was delivered"
                @if let Some(status) = outcome.status { ": the receiver answered " (status) }
                "."
            }
        } @else {
            p.wrong role="alert" {
                (what) " was not delivered"
                @if let Some(error) = &outcome.error { ": " (text::value(error)) }
            }
        }
    }
}
