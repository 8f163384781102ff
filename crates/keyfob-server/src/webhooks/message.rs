//! What is sent about an event: JSON, or a signed security event token.
//!
//! A token is signed when it is sent, not when its event is read: the key may have changed since. Until then the message
//! is its claims, which a dead letter shows.

use std::sync::PoisonError;

use bytes::Bytes;
use keyfob::event::{CloudEvent, Event};
use keyfob::values::Issuer;
use keyfob::{Paging, Token};
use keyfob_api::signals::StreamStatus;
use keyfob_api::webhook::WebhookFormat;
use keyfob_webhook::set::{self, Stream, TokenDetails};
use serde_json::{Value, json};

use super::filter::{Choice, TokenFilter};
use super::registry::{MAX_TEXT, Registry, WebhookError, draw};
use super::sender::Message;
use super::stored::{Subscription, WebhookId};
use super::transmitter::{NotTransmitting, Transmitter};
use crate::jwt::JwtSettings;

/// How many matching tokens of the family of a revoked token are looked at, for one that descends from it.
const DESCENDANTS: usize = 100;

impl Registry {
    /// Signs as this issuer from now on.
    pub(crate) fn transmit_as(&self, issuer: Option<&Issuer>, jwt: &JwtSettings) {
        let (issuer, keys) = (issuer.map(ToString::to_string), jwt.keys.clone());
        let transmitter = Transmitter { issuer, keys, algorithm: jwt.algorithm };
        *self.transmitter.write().unwrap_or_else(PoisonError::into_inner) = transmitter;
    }

    fn with_transmitter<T>(&self, read: impl FnOnce(&Transmitter) -> T) -> T {
        read(&self.transmitter.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the issuer, if security event tokens can be signed.
    pub(crate) fn issuer(&self) -> Result<String, NotTransmitting> {
        self.with_transmitter(|transmitter| transmitter.issuer().map(ToOwned::to_owned))
    }

    /// Checks the format of a new subscription.
    pub(super) fn check_format(
        &self,
        format: WebhookFormat,
        audience: Option<&str>,
    ) -> Result<(), WebhookError> {
        if format == WebhookFormat::Set {
            self.issuer().map_err(WebhookError::NotTransmitting)?;
        } else if audience.is_some() {
            let detail = "audience: only the format set has one";
            return Err(WebhookError::Invalid(detail.to_owned()));
        }
        let is_audience = |text: &str| {
            !text.is_empty() && text.len() <= MAX_TEXT && !text.contains(char::is_control)
        };
        if !audience.is_none_or(is_audience) {
            let detail =
                format!("audience: write at most {MAX_TEXT} bytes without control characters");
            return Err(WebhookError::Invalid(detail));
        }
        Ok(())
    }

    /// Returns what is sent about an event. `None`: nothing.
    pub(super) async fn message(&self, to: &Subscription, event: &Event) -> Option<Message> {
        let may_be_sent = to.format == WebhookFormat::CloudEvents || set::is_signal(event);
        if !may_be_sent || !to.wants(event.what.as_str()) {
            return None;
        }
        let id = match to.format {
            _ if !to.filter.is_empty() => event.token(),
            WebhookFormat::Set => set::needs_token(event),
            WebhookFormat::CloudEvents => None,
        };
        // Nothing is held back for the token: without it, the event is sent, and says enough.
        let token = match id {
            Some(id) => self.manager.get(id).await.ok(),
            None => None,
        };
        if !self.is_chosen(&to.filter, event, token.as_ref()).await {
            return None;
        }
        let body = match to.format {
            WebhookFormat::CloudEvents => serde_json::to_vec(&CloudEvent::new(event)).ok()?,
            WebhookFormat::Set => {
                let claims = self.claims(to, event, token)?;
                let is_wanted = to.wants_signal(set::signal_of(&claims)?, &claims);
                is_wanted.then(|| claims.to_string().into_bytes())?
            }
        };
        Some(Message { id: event.id.to_string(), body: body.into(), format: to.format })
    }

    /// Returns whether a filter wants an event, whose token is `token` if one could be read.
    async fn is_chosen(&self, by: &TokenFilter, event: &Event, token: Option<&Token>) -> bool {
        let filter = match by.choose(event, token) {
            Choice::Send => return true,
            Choice::LeaveOut => return false,
            Choice::SendIfBelow(filter) => filter,
        };
        let Ok(page) = self.manager.list(&filter, Paging::new(DESCENDANTS)).await else {
            return true;
        };
        // What was not read may match.
        let is_partial =
            page.next.is_some() || page.unreadable > 0 || !page.missing_lanes.is_empty();
        let descends =
            |found: &Token| event.token().is_some_and(|id| found.ancestors.contains(&id));
        is_partial || page.tokens.iter().any(descends)
    }

    fn claims(&self, to: &Subscription, event: &Event, token: Option<Token>) -> Option<Value> {
        // A message that cannot be signed is kept and tried again like any other.
        let issuer = self.with_transmitter(|transmitter| transmitter.issuer.clone());
        let issuer = issuer.unwrap_or_default();
        let details = token.map(|token| TokenDetails { kind: token.kind, subject: token.subject });
        let stream = Stream { issuer: &issuer, audience: to.audience() };
        stream.claims(event, details.as_ref(), self.now())
    }

    /// Returns an event that says that it is a test. A security event token has the `state`.
    pub(super) fn test_message(
        &self,
        id: &WebhookId,
        to: &Subscription,
        message: String,
        state: Option<&str>,
    ) -> Result<Message, WebhookError> {
        if to.format == WebhookFormat::Set {
            let now = self.now();
            return self.about_stream(to, message, |stream, message| {
                stream.verification(message, id.as_str(), state, now)
            });
        }
        let event = json!({
            "specversion": "1.0",
            "id": message,
            "source": "/keyfob",
            "type": "keyfob.webhook.test",
            "time": self.now(),
            "datacontenttype": "application/json",
            "data": {},
        });
        Ok(Message { id: message, body: event.to_string().into(), format: to.format })
    }

    /// Returns the message that the status of a stream was changed.
    pub(super) fn status_message(
        &self,
        id: &WebhookId,
        to: &Subscription,
        status: StreamStatus,
    ) -> Result<Message, WebhookError> {
        let (message, now) = (format!("status_{}", WebhookId::of(draw()?).digits()), self.now());
        let why = (status.as_str(), Some("an administrator has changed it"));
        self.about_stream(to, message, |stream, message| {
            stream.updated(message, id.as_str(), why, now)
        })
    }

    fn about_stream(
        &self,
        to: &Subscription,
        message: String,
        claims: impl Fn(&Stream<'_>, &str) -> Value,
    ) -> Result<Message, WebhookError> {
        let issuer = self.issuer().map_err(WebhookError::NotTransmitting)?;
        let stream = Stream { issuer: &issuer, audience: to.audience() };
        let body = claims(&stream, &message).to_string().into();
        Ok(Message { id: message, body, format: to.format })
    }

    /// Returns a message as it is sent.
    pub(super) fn signed(&self, message: &Message) -> Result<Message, NotTransmitting> {
        if message.format == WebhookFormat::CloudEvents {
            return Ok(message.clone());
        }
        let claims: Value =
            serde_json::from_slice(&message.body).map_err(|_| NotTransmitting::NotSigned)?;
        let jwt = self.with_transmitter(|transmitter| transmitter.sign(&claims))?;
        Ok(Message { body: Bytes::from(jwt), ..message.clone() })
    }
}
