//! Shared Signals (SSF 1.0): how receivers find and manage their streams, and poll (RFC 8936).
//!
//! | module | what |
//! |---|---|
//! | `metadata` | the configuration of the transmitter |
//! | `streams` | streams, their status, subjects and verification |
//! | `poll` | polls |
//!
//! A stream is a [webhook](crate::webhooks) in another view. Its receiver has an API key with the scope
//! `keyfob:signals`, and sees its own streams. Signals are about all tokens, so the key is not confined to audiences.

pub(crate) mod metadata;
pub(crate) mod poll;
pub(crate) mod streams;

use http::StatusCode;
use keyfob_api::schema::Text;
use serde::de::DeserializeOwned;

use crate::access::caller::Caller;
use crate::call::Call;
use crate::parameter::Parameter;
use crate::respond::failure::Failure;
use crate::v1::input;
use crate::v1::view::check_unconfined;
use crate::webhooks::{Registry, WebhookError, WebhookId};

/// The stream, in a query.
pub(crate) const STREAM_ID: Parameter =
    Parameter::text::<Text<32>>("stream_id", "The id of the stream.");

/// The stream, in a path.
pub(crate) const STREAM: Parameter =
    Parameter::text::<Text<32>>("stream", "The id of the stream.").required();

/// Returns the streams, and whose the caller may manage: those of its client, or of its key if that has no client.
fn receiver(call: &Call) -> Result<(&Registry, String), Failure> {
    let caller = call.caller()?;
    check_unconfined(caller)?;
    Ok((&call.shared.webhooks, owner(caller)))
}

fn owner(caller: &Caller) -> String {
    let token = caller.token();
    match &token.client {
        Some(client) => client.to_string(),
        // A token that was derived from a key manages what the key does.
        None => token.parents().first().unwrap_or(&token.id).to_string(),
    }
}

/// Reads the body, which is an object. Members that are not known are not looked at, so its text is checked before.
fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    if std::str::from_utf8(&call.body).is_err() {
        return Err(Failure::bad("invalid_json", "the body is not UTF-8"));
    }
    input::body(call)
}

/// Reads the id of a stream.
fn stream_id(text: &str) -> Result<WebhookId, Failure> {
    WebhookId::parse(text).ok_or_else(not_found)
}

fn not_found() -> Failure {
    Failure::missing("stream_not_found", "there is no such stream of this receiver")
}

/// Returns the failure that answers a receiver.
fn failure(error: WebhookError) -> Failure {
    match error {
        WebhookError::NotFound => not_found(),
        error => error.into(),
    }
}

/// Returns the answer without a body.
fn empty(status: StatusCode) -> http::Response<axum::body::Body> {
    let mut response = http::Response::new(axum::body::Body::empty());
    *response.status_mut() = status;
    response
}
