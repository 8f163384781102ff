//! Dead letters: deliveries that were given up.

use std::time::Duration;

use bytes::Bytes;
use keyfob::store::Document;
use keyfob_api::webhook::{DeadLetterBody, DeadLettersBody, DeliveryBody, WebhookMethod};
use keyfob_webhook::answer::Verdict;

use super::registry::{Registry, WebhookError, delivery};
use super::sender::Message;
use super::stored::{self, DeadLetter, Versioned, WebhookId, letter_of};

/// The maximum number of dead letters of a subscription. Above it, deliveries are tried again without end.
const MAX_DEAD_LETTERS: usize = 1_000;

impl Registry {
    /// Returns a page of dead letters.
    pub(crate) async fn dead_letters(
        &self,
        id: &WebhookId,
        after: Option<&str>,
    ) -> Result<DeadLettersBody, WebhookError> {
        self.subscription(id).await?.ok_or(WebhookError::NotFound)?;
        let invalid = || WebhookError::Invalid("after: it is no dead letter".to_owned());
        let after = after.map(|after| id.dead_letter(after).ok_or_else(invalid)).transpose()?;
        let page = self.documents(id.dead_letters(), after).await?;
        let next = page.last().filter(|_| page.len() == Document::MAX_LISTED);
        let next = next.map(|last| last.name.last_part().to_owned());
        let view = |document: &Document| {
            let letter = Versioned::<DeadLetter>::read(document)?.value;
            Some(DeadLetterBody {
                id: document.name.last_part().to_owned(),
                event: serde_json::from_str(&letter.event).unwrap_or_default(),
                attempts: letter.attempts,
                at: letter.at,
                error: letter.error,
            })
        };
        Ok(DeadLettersBody { dead_letters: page.iter().filter_map(view).collect(), next })
    }

    /// Sends a dead letter again, and drops it if it was delivered. A receiver that polls gets it at its next poll.
    pub(crate) async fn send_dead_letter(
        &self,
        id: &WebhookId,
        letter: &str,
        within: Duration,
    ) -> Result<DeliveryBody, WebhookError> {
        let subscription = self.subscription(id).await?.ok_or(WebhookError::NotFound)?.value;
        let name = id.dead_letter(letter).ok_or(WebhookError::NotFound)?;
        let found = self.manager.read_document(&name).await?.ok_or(WebhookError::NotFound)?;
        let letter = Versioned::<DeadLetter>::read(&found).ok_or(WebhookError::NotFound)?;
        let DeadLetter { message, event, .. } = letter.value;
        let format = subscription.format;
        let message = Message { id: message, body: Bytes::from(event), format };
        if subscription.method == WebhookMethod::Poll {
            self.add_notice(id, &message).await?;
            self.write(Some(name), Some(found.version), None).await?;
            self.backlog.remove_dead_letter(id, self.now());
            return Ok(DeliveryBody { delivered: false, status: None, error: None, waits: true });
        }
        let outcome = self.send_within(within, &subscription, &message).await;
        if outcome.verdict == Verdict::Delivered {
            self.write(Some(name), Some(found.version), None).await?;
            self.backlog.remove_dead_letter(id, self.now());
        }
        Ok(delivery(&outcome))
    }

    /// Drops a dead letter.
    pub(crate) async fn drop_dead_letter(
        &self,
        id: &WebhookId,
        letter: &str,
    ) -> Result<(), WebhookError> {
        let name = id.dead_letter(letter).ok_or(WebhookError::NotFound)?;
        let found = self.manager.read_document(&name).await?.ok_or(WebhookError::NotFound)?;
        self.write(Some(name), Some(found.version), None).await?;
        self.backlog.remove_dead_letter(id, self.now());
        Ok(())
    }

    /// Keeps a delivery that is given up. Returns whether there was room for it.
    pub(super) async fn bury(
        &self,
        id: &WebhookId,
        letter: &DeadLetter,
    ) -> Result<bool, WebhookError> {
        // Only who delivers adds some, so there are no more than it has counted.
        let count = match self.backlog.dead_letters(id) {
            Some(count) if count < MAX_DEAD_LETTERS => count,
            _ => self.count_dead_letters(id).await?,
        };
        self.bury_beside(id, letter, count).await
    }

    /// Does the same beside `count` others.
    pub(super) async fn bury_beside(
        &self,
        id: &WebhookId,
        letter: &DeadLetter,
        count: usize,
    ) -> Result<bool, WebhookError> {
        if count >= MAX_DEAD_LETTERS {
            return Ok(false);
        }
        let name = id.dead_letter(&letter_of(&letter.message));
        match self.write(name, None, Some(stored::body(letter))).await {
            Ok(()) => {
                self.backlog.add_dead_letter(id, self.now());
                Ok(true)
            }
            // It is there from before a crash.
            Err(WebhookError::Contended) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Counts the dead letters of a subscription.
    pub(super) async fn count_dead_letters(&self, id: &WebhookId) -> Result<usize, WebhookError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.documents(id.dead_letters(), after).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.name.clone());
            count += page.len();
        }
    }
}
