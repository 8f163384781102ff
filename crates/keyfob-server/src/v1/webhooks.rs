//! Webhooks: subscriptions, their secrets, and dead letters.
//!
//! Events are about all tokens, so a caller that is confined to its audiences has no webhooks.

use std::time::Duration;

use http::{Response, StatusCode};
use keyfob_api::webhook::{CreateWebhookBody, RotateWebhookBody, UpdateWebhookBody, WebhooksBody};

use super::input::{body, not_a_filter};
use super::parameters::{DEAD_LETTER, DEAD_LETTER_AFTER, WEBHOOK_ID};
use super::view::check_unconfined;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};
use crate::webhooks::{Registry, WebhookError, WebhookId};

/// Answers `POST /v1/webhooks`.
pub(crate) async fn create(call: Call) -> Answer {
    let wanted: CreateWebhookBody = body(&call)?;
    json::with_status(StatusCode::CREATED, &registry(&call)?.create(wanted).await?)
}

/// Answers `GET /v1/webhooks`.
pub(crate) async fn list(call: Call) -> Answer {
    json::ok(&WebhooksBody { webhooks: registry(&call)?.list().await? })
}

/// Answers `GET /v1/webhooks/{webhook}`.
pub(crate) async fn get(call: Call) -> Answer {
    json::ok(&registry(&call)?.get(&id(&call)?).await?)
}

/// Answers `PATCH /v1/webhooks/{webhook}`.
pub(crate) async fn update(call: Call) -> Answer {
    let wanted: UpdateWebhookBody = body(&call)?;
    json::ok(&registry(&call)?.update(&id(&call)?, wanted).await?)
}

/// Answers `DELETE /v1/webhooks/{webhook}`.
pub(crate) async fn delete(call: Call) -> Answer {
    registry(&call)?.delete(&id(&call)?).await?;
    Ok(empty())
}

/// Answers `POST /v1/webhooks/{webhook}/rotate`.
pub(crate) async fn rotate(call: Call) -> Answer {
    let RotateWebhookBody { overlap } = body(&call)?;
    json::ok(&registry(&call)?.rotate(&id(&call)?, overlap).await?)
}

/// Answers `POST /v1/webhooks/{webhook}/test`.
pub(crate) async fn test(call: Call) -> Answer {
    json::ok(&registry(&call)?.test(&id(&call)?, within(&call)).await?)
}

/// Answers `GET /v1/webhooks/{webhook}/dead-letters`.
pub(crate) async fn dead_letters(call: Call) -> Answer {
    let after = call.query.text(&DEAD_LETTER_AFTER);
    json::ok(&registry(&call)?.dead_letters(&id(&call)?, after).await?)
}

/// Answers `POST /v1/webhooks/{webhook}/dead-letters/{letter}/send`.
pub(crate) async fn send_dead_letter(call: Call) -> Answer {
    let (id, letter) = (id(&call)?, letter(&call));
    json::ok(&registry(&call)?.send_dead_letter(&id, letter, within(&call)).await?)
}

/// Answers `DELETE /v1/webhooks/{webhook}/dead-letters/{letter}`.
pub(crate) async fn drop_dead_letter(call: Call) -> Answer {
    registry(&call)?.drop_dead_letter(&id(&call)?, letter(&call)).await?;
    Ok(empty())
}

fn registry(call: &Call) -> Result<&Registry, Failure> {
    check_unconfined(call.caller()?)?;
    Ok(&call.shared.webhooks)
}

/// Returns for how long a request may wait for a receiver, so that it is answered before it takes too long.
fn within(call: &Call) -> Duration {
    call.shared.settings.request_timeout * 3 / 4
}

fn id(call: &Call) -> Result<WebhookId, Failure> {
    let text = call.path.get(WEBHOOK_ID.name).map(String::as_str).unwrap_or_default();
    WebhookId::parse(text).ok_or_else(not_found)
}

fn letter(call: &Call) -> &str {
    call.path.get(DEAD_LETTER.name).map(String::as_str).unwrap_or_default()
}

fn empty() -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn not_found() -> Failure {
    Failure::missing("webhook_not_found", "there is no such webhook, or no such dead letter")
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotFound => not_found(),
            WebhookError::Invalid(detail) => Self::bad("invalid_value", detail),
            WebhookError::Filter(error) => not_a_filter(&error),
            WebhookError::Nats(why) => Self::bad(why.code(), why.to_string()),
            WebhookError::NotTransmitting(why) => Self::bad(why.code(), why.to_string()),
            WebhookError::TooManyStreams => Self {
                code: "too_many_streams".into(),
                ..Self::new(
                    StatusCode::FORBIDDEN,
                    "invalid_request",
                    "this receiver has as many streams as it may have: delete one",
                )
            },
            WebhookError::DisabledByAdministrator => Self {
                code: "disabled_by_administrator".into(),
                ..Self::new(
                    StatusCode::FORBIDDEN,
                    "access_denied",
                    "an administrator has disabled this stream: only an administrator enables it",
                )
            },
            WebhookError::TooSoon { retry_after } => Self {
                code: "verified_too_soon".into(),
                retry_after: Some(retry_after),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "temporarily_unavailable",
                    "too soon after the last verification, or too many messages wait",
                )
            },
            WebhookError::Contended => Self::undecided(
                "others change the webhook at the same time: send the request again",
            ),
            WebhookError::Manager(error) => error.into(),
        }
    }
}
