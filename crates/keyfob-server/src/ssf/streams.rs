//! Streams, their status, subjects and verification (SSF 1.0 section 8.1).

use http::StatusCode;
use keyfob_api::signals::{
    ChangeStreamBody, CreateStreamBody, StreamStatusBody, StreamSubjectBody, VerifyStreamBody,
};

use super::{STREAM_ID, body, empty, failure, receiver, stream_id};
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};
use crate::webhooks::WebhookId;

/// Answers `POST /ssf/streams`.
pub(crate) async fn create(call: Call) -> Answer {
    let wanted: CreateStreamBody = body(&call)?;
    let (registry, owner) = receiver(&call)?;
    let stream = registry.create_stream(&owner, wanted).await.map_err(failure)?;
    json::with_status(StatusCode::CREATED, &stream)
}

/// Answers `GET /ssf/streams`: with one stream, or with a list.
pub(crate) async fn read(call: Call) -> Answer {
    let (registry, owner) = receiver(&call)?;
    match call.query.text(&STREAM_ID) {
        Some(id) => {
            let stream = registry.stream(&owner, &stream_id(id)?).await.map_err(failure)?;
            json::ok(&stream)
        }
        None => json::ok(&registry.streams(&owner).await.map_err(failure)?),
    }
}

/// Answers `PATCH /ssf/streams`.
pub(crate) async fn update(call: Call) -> Answer {
    change(&call, false).await
}

/// Answers `PUT /ssf/streams`.
pub(crate) async fn replace(call: Call) -> Answer {
    change(&call, true).await
}

async fn change(call: &Call, is_replaced: bool) -> Answer {
    let wanted: ChangeStreamBody = body(call)?;
    let (registry, owner) = receiver(call)?;
    let id = stream_id(&wanted.stream_id)?;
    let changed = registry.change_stream(&owner, &id, wanted, is_replaced).await;
    json::ok(&changed.map_err(failure)?)
}

/// Answers `DELETE /ssf/streams`.
pub(crate) async fn delete(call: Call) -> Answer {
    let (registry, owner) = receiver(&call)?;
    registry.delete_stream(&owner, &named(&call)?).await.map_err(failure)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Answers `GET /ssf/status`.
pub(crate) async fn status(call: Call) -> Answer {
    let (registry, owner) = receiver(&call)?;
    json::ok(&registry.stream_status(&owner, &named(&call)?).await.map_err(failure)?)
}

/// Answers `POST /ssf/status`.
pub(crate) async fn set_status(call: Call) -> Answer {
    let wanted: StreamStatusBody = body(&call)?;
    let (registry, owner) = receiver(&call)?;
    let id = stream_id(&wanted.stream_id)?;
    json::ok(&registry.set_stream_status(&owner, &id, wanted).await.map_err(failure)?)
}

/// Answers `POST /ssf/verify`.
pub(crate) async fn verify(call: Call) -> Answer {
    let wanted: VerifyStreamBody = body(&call)?;
    let (registry, owner) = receiver(&call)?;
    let id = stream_id(&wanted.stream_id)?;
    registry.verify_stream(&owner, &id, wanted).await.map_err(failure)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Answers `POST /ssf/subjects/add`.
pub(crate) async fn add_subject(call: Call) -> Answer {
    change_subject(&call, false).await?;
    Ok(empty(StatusCode::OK))
}

/// Answers `POST /ssf/subjects/remove`.
pub(crate) async fn remove_subject(call: Call) -> Answer {
    change_subject(&call, true).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn change_subject(call: &Call, is_removed: bool) -> Result<(), Failure> {
    let wanted: StreamSubjectBody = body(call)?;
    let (registry, owner) = receiver(call)?;
    let id = stream_id(&wanted.stream_id)?;
    registry.change_subject(&owner, &id, &wanted, is_removed).await.map_err(failure)
}

/// Returns the stream that the query names.
fn named(call: &Call) -> Result<WebhookId, Failure> {
    let missing = || Failure::bad("invalid_parameter", "stream_id is missing");
    stream_id(call.query.text(&STREAM_ID).ok_or_else(missing)?)
}
