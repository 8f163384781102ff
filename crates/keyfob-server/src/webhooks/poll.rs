//! Polls (RFC 8936): a receiver fetches tokens, and acknowledges them with a later poll.

use std::time::Duration;

use keyfob::handlers::Delivery;
use keyfob::metrics::WebhookDelivery;
use keyfob::store::Cursor;
use keyfob_api::signals::{PollAnswer, PollBody, Sets};
use keyfob_api::webhook::WebhookMethod;
use keyfob_webhook::set;
use tokio::time::{Instant, sleep_until};

use super::registry::{ATTEMPTS, Registry, WebhookError};
use super::stored::{self, Notice, Subscription, WebhookId};
use super::window::{Asked, Window};

/// The maximum number of tokens of an answer.
const MAX_SETS: usize = 100;
/// How long an answer waits for a token at most.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How often a poll that waits looks at the stream, for what other replicas have changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What was found for a poll, and where.
struct Pass {
    window: Window,
    notices: Vec<Notice>,
    /// The position as it is kept.
    kept: String,
}

/// From where to read instead of the position `kept`: nothing before it is wanted.
struct Skip {
    kept: String,
    to: Cursor,
}

impl Registry {
    /// Answers a poll. Without tokens the answer waits, for at most `wait`, unless the receiver does not want that, there is no
    /// place for one that waits, or `stop` completes.
    pub(crate) async fn poll(
        &self,
        owner: &str,
        id: &WebhookId,
        wanted: &PollBody,
        wait: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<PollAnswer, WebhookError> {
        let max = wanted.max_events.and_then(|max| usize::try_from(max).ok());
        let max = max.unwrap_or(MAX_SETS).min(MAX_SETS);
        let acknowledged = wanted.ack.iter().map(String::as_str).collect();
        let errors = wanted.set_errs.iter().map(|(id, error)| (id.as_str(), error)).collect();
        let mut asked = Asked { acknowledged, errors };
        let mut deadline = Instant::now();
        if !wanted.return_immediately && max > 0 {
            deadline += wait.min(LONGEST_WAIT);
        }
        let (mut skip, mut place) = (None, None);
        tokio::pin!(stop);
        loop {
            let noticed = self.noticed.notified();
            tokio::pin!(noticed);
            noticed.as_mut().enable();
            let to = self.owned(owner, id).await?;
            if to.method != WebhookMethod::Poll {
                return Err(WebhookError::NotFound);
            }
            let pass = self.pass(id, &to, &asked, max, skip.take()).await?;
            asked = Asked::default();
            let answer = self.answer(&to, &pass, max)?;
            if !answer.sets.0.is_empty() || Instant::now() >= deadline {
                self.count_all(WebhookDelivery::Fetched, answer.sets.0.len());
                return Ok(answer);
            }
            if !pass.window.is_complete {
                continue;
            }
            place = place.or_else(|| self.waiting.place(id));
            if place.is_none() {
                return Ok(answer);
            }
            let look = sleep_until(deadline.min(Instant::now() + LOOK_INTERVAL));
            tokio::pin!(look);
            let mut events = self.manager.events_from(pass.window.done().clone());
            skip = loop {
                let skipped = events.cursor().clone();
                let is_over = tokio::select! {
                    () = &mut stop => {
                        deadline = Instant::now();
                        true
                    }
                    () = &mut noticed => true,
                    () = &mut look => true,
                    delivery = events.next(), if to.enabled => match delivery {
                        Some(Ok(Delivery::Event(event))) => {
                            self.message(&to, &event).await.is_some()
                        }
                        // The log no longer reaches back so far: the next pass notes it.
                        Some(Ok(Delivery::Trimmed)) => break None,
                        Some(Err(error)) => return Err(error.into()),
                        None => {
                            deadline = Instant::now();
                            true
                        }
                    },
                };
                if is_over {
                    break Some(Skip { kept: pass.kept, to: skipped });
                }
            };
        }
    }

    /// Takes what the receiver says about earlier tokens, and reads what waits.
    async fn pass(
        &self,
        id: &WebhookId,
        to: &Subscription,
        asked: &Asked<'_>,
        max: usize,
        skip: Option<Skip>,
    ) -> Result<Pass, WebhookError> {
        let (notices, told, error) = self.settle_notices(id, asked).await?;
        let limit = (max > 0 && to.enabled).then_some(max);
        for _ in 0..ATTEMPTS {
            let found = self.position(id).await?.ok_or(WebhookError::NotFound)?;
            let start = match &skip {
                Some(skip) if skip.kept == found.value.cursor => skip.to.clone(),
                _ => found.value.cursor(),
            };
            let mut window = self.window((id, to), (&found.value, start), asked, limit).await?;
            window.acknowledged += told;
            window.error = window.error.or_else(|| error.clone());
            let mut position = found.value.clone();
            window.save(&mut position, self.now());
            if position != found.value {
                let body = stored::body(&position);
                match self.write(id.position(), Some(found.version), Some(body)).await {
                    Err(WebhookError::Contended) => continue,
                    written => written?,
                }
            }
            self.count_all(WebhookDelivery::Delivered, window.acknowledged);
            self.count_all(WebhookDelivery::Rejected, window.rejected);
            return Ok(Pass { window, notices, kept: position.cursor });
        }
        Err(WebhookError::Contended)
    }

    /// Deletes the notices that the receiver has. Returns the others, how many it has acknowledged, and its last error.
    async fn settle_notices(
        &self,
        id: &WebhookId,
        asked: &Asked<'_>,
    ) -> Result<(Vec<Notice>, usize, Option<String>), WebhookError> {
        let (mut waiting, mut acknowledged, mut last) = (Vec::new(), 0, None);
        for (document, notice) in self.notices(id).await? {
            let message = notice.message.as_str();
            let error = asked.errors.get(message);
            if error.is_none() && !asked.acknowledged.contains(message) {
                waiting.push(notice);
                continue;
            }
            match error {
                Some(error) => last = set::rejection_of(&error.err, &error.description),
                None => acknowledged += 1,
            }
            self.drop_document(document).await?;
        }
        Ok((waiting, acknowledged, last))
    }

    fn answer(
        &self,
        to: &Subscription,
        pass: &Pass,
        max: usize,
    ) -> Result<PollAnswer, WebhookError> {
        let is_sent = |notice: &&Notice| to.enabled || notice.is_of_status();
        let mut messages: Vec<_> =
            pass.notices.iter().filter(is_sent).map(Notice::message).collect();
        messages.extend(pass.window.messages().cloned());
        let more_available = max > 0 && (messages.len() > max || !pass.window.is_complete);
        messages.truncate(max);
        let signed = messages.iter().map(|message| {
            let signed = self.signed(message).map_err(WebhookError::NotTransmitting)?;
            Ok((signed.id, String::from_utf8_lossy(&signed.body).into_owned()))
        });
        let sets = Sets(signed.collect::<Result<_, WebhookError>>()?);
        Ok(PollAnswer { sets, more_available })
    }
}
