//! Notices: messages about a stream itself, and dead letters for a receiver that polls. They are in no log, so each is a
//! document until the receiver has it.

use keyfob::store::Document;
use keyfob::values::Ttl;
use keyfob_api::signals::StreamStatus;
use keyfob_api::webhook::WebhookFormat;
use keyfob_webhook::set;

use super::registry::{Registry, WebhookError};
use super::sender::Message;
use super::stored::{self, Notice, Subscription, Versioned, WebhookId};

/// The maximum number of notices of a subscription. One page of documents has more.
const MAX_NOTICES: usize = 50;
/// When to come back if there are too many.
const LATER: Ttl = Ttl::from_mins(1);

impl Registry {
    /// Keeps a message until the receiver has it.
    pub(super) async fn add_notice(
        &self,
        id: &WebhookId,
        message: &Message,
    ) -> Result<(), WebhookError> {
        if self.documents(id.notices(), None).await?.len() >= MAX_NOTICES {
            return Err(WebhookError::TooSoon { retry_after: LATER });
        }
        let event = String::from_utf8_lossy(&message.body).into_owned();
        let notice = Notice { message: message.id.clone(), event, at: self.now() };
        match self.write(id.notice(&message.id), None, Some(stored::body(&notice))).await {
            // It is there already.
            Err(WebhookError::Contended) => {}
            written => written?,
        }
        self.noticed.notify_waiters();
        Ok(())
    }

    /// Returns the notices of a subscription, the oldest first.
    pub(super) async fn notices(
        &self,
        id: &WebhookId,
    ) -> Result<Vec<(Document, Notice)>, WebhookError> {
        let page = self.documents(id.notices(), None).await?;
        let mut all: Vec<_> = page
            .into_iter()
            .filter_map(|document| {
                let notice = Versioned::<Notice>::read(&document)?.value;
                Some((document, notice))
            })
            .collect();
        all.sort_by_key(|(_, notice)| notice.at);
        Ok(all)
    }

    /// Tells the receiver that somebody else changes the status of its stream, if the change is one.
    pub(super) async fn tell_of_status(
        &self,
        id: &WebhookId,
        to: &Subscription,
        enabled: bool,
    ) -> Result<(), WebhookError> {
        if to.format != WebhookFormat::Set || to.enabled == enabled {
            return Ok(());
        }
        let status = if enabled { StreamStatus::Enabled } else { StreamStatus::Paused };
        if enabled && to.status().0 == StreamStatus::Disabled {
            self.skip_to_now(id).await?;
        }
        let told = match self.status_message(id, to, status) {
            Ok(message) => self.add_notice(id, &message).await,
            Err(cannot) => Err(cannot),
        };
        match told {
            // A stream can be stopped although its receiver cannot be notified.
            Err(WebhookError::TooSoon { .. } | WebhookError::NotTransmitting(_)) => Ok(()),
            told => told,
        }
    }
}

impl Notice {
    pub(super) fn message(&self) -> Message {
        let body = self.event.clone().into();
        Message { id: self.message.clone(), body, format: WebhookFormat::Set }
    }

    /// Returns whether it says that the status of the stream was changed. Such a notice is also for a stream that does not
    /// transmit.
    pub(super) fn is_of_status(&self) -> bool {
        let claims = serde_json::from_str(&self.event).unwrap_or_default();
        set::signal_of(&claims) == Some(set::STREAM_UPDATED)
    }
}
