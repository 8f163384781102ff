//! One webhook: what it sends where, how far it has come, and its dead letters.

use keyfob_api::webhook::{UpdateWebhookBody, WebhookBody, WebhookMethod};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::state::Delivery;
use super::{PATH, address, letters};
use crate::fields::link;
use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::facts::{exact, fact, names};
use crate::widget::text;

/// Shows a webhook.
pub(crate) async fn show(visit: Visit) -> Answer {
    let done = match visit.query.text("done") {
        Some("enabled") => "Enabled. Deliveries continue where they were.",
        Some("disabled") => "Disabled. The position stays.",
        Some("sent") => "The receiver has it now, so the dead letter is gone.",
        Some("waits") => "The receiver gets it at its next poll, so the dead letter is gone.",
        Some("dropped") => "The dead letter is dropped.",
        _ => "",
    };
    let done = html! {
        @if !done.is_empty() { p.done role="status" { span aria-hidden="true" { "✓ " } (done) } }
    };
    page(&visit, &done).await
}

/// Returns the page of the webhook that the path names, with a line on what was just done.
pub(super) async fn page(visit: &Visit, done: &Markup) -> Answer {
    let webhook = visit.api.webhook(&visit.named::<String>("webhook")?).await?;
    let id = webhook.id.as_str();
    let after = visit.query.text("after");
    let dead = visit.api.dead_letters(id, after).await?;
    let body = html! {
        p { a href=(PATH) { "All webhooks" } }
        h1 { "Webhook " span.id { (id) } }
        (done)
        (warnings(&webhook, visit.now))
        (actions(&webhook))
        div.split {
            section.card aria-labelledby="what" {
                h2 #what { "Its settings" }
                (settings(&webhook, visit.now))
            }
            section.card aria-labelledby="state" {
                h2 #state { "Deliveries" }
                (deliveries(&webhook, visit.now))
            }
        }
        (letters::section(id, &dead, after.is_some(), visit.now))
    };
    let page = Page::new(Section::Webhooks, format!("Webhook {id}"), body);
    Ok(calls(page, &webhook))
}

/// What needs a person.
fn warnings(webhook: &WebhookBody, now: Timestamp) -> Markup {
    html! {
        @if let Some(why) = &webhook.disabled_because {
            p.wrong role="alert" {
                "The service has disabled it: " (text::value(why)) ". Repair the receiver, send a test event, then enable it."
            }
        }
        @if let Some(at) = webhook.state.trimmed_at {
            p.wrong {
                "Events were lost: the log did not reach back to its position. Found " (exact(at, now))
                ". Have the receiver read the state again."
            }
        }
    }
}

fn actions(webhook: &WebhookBody) -> Markup {
    let path = address(&webhook.id);
    let cursor = webhook.state.cursor.as_str();
    let after = if cursor.is_empty() { "start" } else { cursor };
    html! {
        div.tools {
            form method="post" action={ (path) "/test" } { button type="submit" { "Send a test event" } }
            @if webhook.enabled {
                form method="post" action={ (path) "/disable" } { button type="submit" { "Disable" } }
            } @else {
                form method="post" action={ (path) "/enable" } { button.primary type="submit" { "Enable" } }
            }
            a.button href=(link("/console/live", &[("after", after)])) { "Events after its position" }
        }
    }
}

fn settings(webhook: &WebhookBody, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            @if let Some(owner) = &webhook.owner { (fact("Managed by", text::value(owner))) }
            @match webhook.method {
                WebhookMethod::Push => (destination(&webhook.url)),
                WebhookMethod::Poll => (fact("Polled at", text::value(&webhook.url))),
            }
            (fact("Events", names(webhook.types.iter().map(String::as_str), "all")))
            @if !webhook.filter.is_empty() { (fact("Tokens", html! { code { (text::value(&webhook.filter)) } })) }
            @if !webhook.description.is_empty() { (fact("For", text::value(&webhook.description))) }
            (fact("Created", exact(webhook.created, now)))
            (fact("Secrets", match webhook.secrets {
                0 => html! { "none: the tokens themselves are signed" },
                1 => html! { "one signs" },
                count => html! { (count) " sign, while one replaces the other" },
            }))
        }
    }
}

/// Where events are sent: the URL of a receiver, or subjects in NATS.
fn destination(url: &str) -> Markup {
    match url.strip_prefix("nats:") {
        Some(prefix) => fact("Subjects in NATS", text::value(&format!("{prefix}.>"))),
        None => fact("Receiver", text::value(url)),
    }
}

fn deliveries(webhook: &WebhookBody, now: Timestamp) -> Markup {
    let (delivery, state) = (Delivery::of(webhook), &webhook.state);
    let at = |at: Option<Timestamp>| match at {
        Some(at) => exact(at, now),
        None => html! { span.quiet { "none yet" } },
    };
    html! {
        p { (delivery.show()) " " (delivery.meaning()) }
        dl.facts {
            (fact("Last delivery", at(state.delivered_at)))
            @if let (WebhookMethod::Poll, Some(since)) = (webhook.method, state.waiting_since) {
                (fact("Waits since", exact(since, now)))
            }
            (fact("Last failure", at(state.failed_at)))
            @if let Some(error) = &state.last_error { (fact("Its error", text::value(error))) }
            (fact("Position", html! { code { (text::value(&state.cursor)) } }))
        }
        p.quiet { "The server that delivers writes this every few seconds." }
    }
}

/// Adds the calls that do the same.
fn calls(page: Page, webhook: &WebhookBody) -> Reply {
    let id = webhook.id.as_str();
    let path = |rest: &str| format!("/v1/webhooks/{id}{rest}");
    let enabled = !webhook.enabled;
    let change = UpdateWebhookBody { enabled: Some(enabled), ..UpdateWebhookBody::default() };
    let command = if enabled { "enable" } else { "disable" };
    page.call(ApiCall::get(path("")))
        .call(ApiCall::get(path("/dead-letters")).command(["webhook", "dead-letters", id]))
        .call(ApiCall::post(path("/test")).command(["webhook", "test", id]))
        .call(ApiCall::send("PATCH", path(""), &change).command(["webhook", command, id]))
        .into()
}

#[cfg(test)]
mod tests {
    use keyfob_api::webhook::WebhookState;

    use super::*;

    fn webhook(now: Timestamp) -> WebhookBody {
        WebhookBody {
            id: "wh-0".into(),
            url: "https://shop.example".into(),
            method: WebhookMethod::Push,
            owner: None,
            types: Vec::new(),
            filter: String::new(),
            description: String::new(),
            format: keyfob_api::webhook::WebhookFormat::default(),
            audience: None,
            enabled: true,
            disabled_because: None,
            created: now,
            secrets: 2,
            state: WebhookState { trimmed_at: Some(now), ..WebhookState::default() },
        }
    }

    #[test]
    fn lost_events_and_two_secrets_are_pointed_out() {
        let now = Timestamp::from_secs(1_795_000_000);
        let webhook = webhook(now);
        assert!(warnings(&webhook, now).into_string().contains("Events were lost"));
        let settings = settings(&webhook, now).into_string();
        assert!(settings.contains("2 sign, while one replaces the other"), "{settings}");
        assert!(actions(&webhook).into_string().contains("after=start"));
        assert!(settings.contains("Receiver"), "{settings}");
        assert!(!settings.contains("Tokens"), "{settings}");
        let (url, filter) = ("nats:keyfob.shop".into(), "subject:\"<b>\"".into());
        let webhook = WebhookBody { url, filter, ..webhook };
        let settings = super::settings(&webhook, now).into_string();
        assert!(settings.contains("Subjects in NATS"), "{settings}");
        assert!(settings.contains("keyfob.shop.&gt;"), "{settings}");
        assert!(settings.contains("subject:&quot;&lt;b&gt;&quot;"), "{settings}");
    }

    #[test]
    fn a_stream_that_is_polled_shows_whose_it_is_and_since_when_events_wait() {
        let now = Timestamp::from_secs(1_795_000_000);
        let mut webhook = webhook(now);
        webhook.method = WebhookMethod::Poll;
        (webhook.url, webhook.owner) = ("/ssf/streams/wh-0/poll".into(), Some("idp".into()));
        webhook.secrets = 0;
        webhook.state.waiting_since = Some(now);
        let settings = settings(&webhook, now).into_string();
        for text in ["Polled at", "/ssf/streams/wh-0/poll", "Managed by", "idp", "none: the tokens"]
        {
            assert!(settings.contains(text), "{text} in {settings}");
        }
        assert!(deliveries(&webhook, now).into_string().contains("Waits since"));
    }
}
