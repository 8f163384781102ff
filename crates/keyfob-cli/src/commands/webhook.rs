//! `webhook`: events sent to receivers, by a server.

use keyfob::Filter;
use keyfob_api::webhook::{
    CreateWebhookBody, DeliveryBody, RotateWebhookBody, UpdateWebhookBody, WebhookBody,
    WebhookFormat, WebhookMethod, WebhookSecretBody,
};
use serde_json::json;

use crate::args::{TokensArgs, WebhookCommand};
use crate::context::{Context, bindings};
use crate::failure::Failure;

pub(super) async fn run(command: &WebhookCommand, context: &mut Context) -> Result<(), Failure> {
    let client = context.backend.client()?.clone();
    match command {
        WebhookCommand::Add { url, types, tokens, description, set, audience } => {
            let (url, types, description) = (url.clone(), types.clone(), description.clone());
            let format = if *set { WebhookFormat::Set } else { WebhookFormat::CloudEvents };
            let audience = audience.clone();
            let filter = filter(tokens)?.unwrap_or_default();
            let wanted = CreateWebhookBody { url, types, filter, description, format, audience };
            secret(&client.create_webhook(&wanted).await?, context)
        }
        WebhookCommand::List => {
            for webhook in client.webhooks().await? {
                show(&webhook, context)?;
            }
            Ok(())
        }
        WebhookCommand::Update { id, url, types, tokens, description } => {
            let is_given = |text: &&String| !text.is_empty();
            let changes = UpdateWebhookBody {
                url: url.clone(),
                types: (!types.is_empty())
                    .then(|| types.iter().filter(is_given).cloned().collect()),
                filter: filter(tokens)?,
                description: description.clone(),
                enabled: None,
            };
            show(&client.update_webhook(id, &changes).await?, context)
        }
        WebhookCommand::Test { id } => delivery(&client.test_webhook(id).await?, context),
        WebhookCommand::Rotate { id, overlap } => {
            let rotate = RotateWebhookBody { overlap: *overlap };
            secret(&client.rotate_webhook(id, &rotate).await?, context)
        }
        WebhookCommand::Enable { id } | WebhookCommand::Disable { id } => {
            let enabled = Some(matches!(command, WebhookCommand::Enable { .. }));
            let changes = UpdateWebhookBody { enabled, ..UpdateWebhookBody::default() };
            show(&client.update_webhook(id, &changes).await?, context)
        }
        WebhookCommand::Delete { id } => {
            client.delete_webhook(id).await?;
            done("deleted", id, context)
        }
        WebhookCommand::DeadLetters { id } => {
            let mut after = None;
            loop {
                let page = client.dead_letters(id, after.as_deref()).await?;
                for letter in &page.dead_letters {
                    if context.output.is_json() {
                        context.output.object(letter)?;
                        continue;
                    }
                    let at = context.output.time(letter.at);
                    let (attempts, error) = (letter.attempts, visible(&letter.error));
                    let line = format!("{}  {at}  {attempts} attempts: {error}", letter.id);
                    context.output.line(line)?;
                }
                after = page.next;
                if after.is_none() {
                    return Ok(());
                }
            }
        }
        WebhookCommand::Send { id, letter } => {
            delivery(&client.send_dead_letter(id, letter).await?, context)
        }
        WebhookCommand::Drop { id, letter } => {
            client.drop_dead_letter(id, letter).await?;
            done("dropped", letter, context)
        }
    }
}

/// Reads the filter of a webhook, with values for its names.
fn filter(tokens: &TokensArgs) -> Result<Option<String>, Failure> {
    let Some(text) = &tokens.filter else { return Ok(None) };
    let filter = Filter::parse_timeless(text, &bindings(&tokens.bind)?);
    match filter {
        Ok(filter) => Ok(Some(filter.to_string())),
        Err(error) => Err(Failure::Filter { error, text: text.clone() }),
    }
}

/// Shows a new secret.
fn secret(made: &WebhookSecretBody, context: &mut Context) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.object(made);
    }
    let (id, secret) = (made.webhook.id.clone(), made.secret.expose().to_owned());
    context.output.fields(&[("id", id), ("secret", secret)])
}

fn show(webhook: &WebhookBody, context: &mut Context) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.object(webhook);
    }
    let state = match (&webhook.disabled_because, webhook.enabled) {
        (Some(why), false) => format!("disabled: {}", visible(why)),
        (_, true) => "enabled".to_owned(),
        (None, false) => "disabled".to_owned(),
    };
    let mut place = visible(&webhook.url);
    if webhook.method == WebhookMethod::Poll {
        place = format!("polled at {place}");
    }
    if let Some(owner) = &webhook.owner {
        place = format!("{place}, managed by {}", visible(owner));
    }
    context.output.line(format_args!("{}  {state}  {place}", webhook.id))?;
    if !webhook.filter.is_empty() {
        context.output.line(format_args!("  tokens: {}", visible(&webhook.filter)))?;
    }
    let state = &webhook.state;
    if let (WebhookMethod::Poll, Some(since)) = (webhook.method, state.waiting_since) {
        let since = context.output.time(since);
        context.output.line(format_args!("  an event waits since {since}"))?;
    }
    // An error that a later delivery has overtaken is over.
    match &state.last_error {
        Some(error) if state.failed_at > state.delivered_at => {
            context.output.line(format_args!("  last error: {}", visible(error)))
        }
        _ => Ok(()),
    }
}

fn delivery(outcome: &DeliveryBody, context: &mut Context) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.object(outcome);
    }
    let error = outcome.error.as_deref().map(visible);
    match error {
        None if outcome.waits => context.output.line("it waits until the receiver polls"),
        None => context.output.line("delivered"),
        Some(error) => context.output.line(format_args!("not delivered: {error}")),
    }
}

fn done(what: &str, id: &str, context: &mut Context) -> Result<(), Failure> {
    match context.output.is_json() {
        true => context.output.object(&json!({ what: id })),
        false => context.output.line(format_args!("{what} {id}")),
    }
}

/// Returns a text of others so that it moves no cursor.
fn visible(text: &str) -> String {
    keyfob::values::escape_invisible(text).to_string()
}
