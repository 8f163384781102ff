//! The deliveries of one subscription, by the replica that has its lease.
//!
//! The lease and the position are one document. Each write of it needs the version that this runner wrote before. So a
//! process that was paused, while another took over, notices at its next write and ends; until then it may have
//! sent some messages a second time, and has moved nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use keyfob::event::{EpochOf, Event, EventKind};
use keyfob::handlers::Delivery;
use keyfob::metrics::WebhookDelivery;
use keyfob::random::{OsRandom, Random as _};
use keyfob::store::{Cursor, Document, Lane};
use keyfob::values::{Timestamp, Ttl};
use keyfob_api::webhook::WebhookMethod;
use keyfob_webhook::answer::Verdict;
use keyfob_webhook::queue::{EntryNumber, Next, Queue};

use super::registry::{Registry, WebhookError};
use super::sender::{Message, Outcome};
use super::stored::{self, DeadLetter, Position, Subscription, Versioned, WebhookId};

/// How many events are looked at beyond the oldest one that is not done.
const WINDOW: usize = 1_000;
/// How many deliveries of a subscription run at the same time.
const MAX_CONCURRENT: usize = 8;
/// The position is saved after so many deliveries, and with each renewal of the lease.
const SAVED_AFTER: usize = 64;
/// How long to wait after the store has failed, or where there is no room for a dead letter.
const PAUSE: Ttl = Ttl::from_secs(5);

/// How often dead letters are counted, for those that other replicas send again or drop.
const COUNT_INTERVAL: Ttl = Ttl::from_secs(60);

/// How a run of a subscription ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// It is deleted or disabled, or the server stops.
    Finished,
    /// Another replica has the lease, or the store failed: look again after a while.
    Later,
}

pub(super) struct Runner {
    registry: Arc<Registry>,
    id: WebhookId,
    /// What this process signs its leases with.
    owner: String,
    subscription: Subscription,
    position: Versioned<Position>,
    queue: Queue<Lane, Cursor, Pending>,
    /// The position after the last event that was read.
    read: Cursor,
    sending: FuturesUnordered<BoxFuture<'static, (EntryNumber, Outcome)>>,
    unsaved: usize,
    /// When dead letters are counted again.
    count_at: Timestamp,
}

/// What has to be delivered.
#[derive(Clone, Debug)]
struct Pending {
    /// When it happened.
    at: Timestamp,
    message: Message,
    /// The document of a notice. It is deleted when the receiver has it.
    notice: Option<Document>,
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.registry.backlog.remove(&self.id, self.registry.now());
    }
}

impl Runner {
    /// Takes the lease of a subscription, unless another replica has it.
    pub(super) async fn take(
        registry: &Arc<Registry>,
        id: &WebhookId,
        owner: &str,
    ) -> Result<Option<Self>, WebhookError> {
        let Some(subscription) = registry.subscription(id).await? else { return Ok(None) };
        let Some(mut position) = registry.position(id).await? else { return Ok(None) };
        let now = registry.now();
        if position.value.owner != owner && now < position.value.lease_until {
            return Ok(None);
        }
        position.value.owner = owner.to_owned();
        position.value.lease_until = now + lease(registry);
        let body = stored::body(&position.value);
        match registry.replace(id.position(), Some(position.version), Some(body)).await {
            Ok(version) => position.version = version,
            Err(WebhookError::Contended) => return Ok(None),
            Err(error) => return Err(error),
        }
        let cursor = position.value.cursor();
        Ok(Some(Self {
            queue: Queue::new(cursor.clone(), WINDOW),
            read: cursor,
            registry: Arc::clone(registry),
            id: id.clone(),
            owner: owner.to_owned(),
            subscription: subscription.value,
            position,
            sending: FuturesUnordered::new(),
            unsaved: 0,
            count_at: Timestamp::default(),
        }))
    }

    /// Delivers until the subscription or the lease ends, or `stop` completes.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> Ended {
        let mut events = self.registry.manager.events_from(self.read.clone());
        let registry = Arc::clone(&self.registry);
        let mut renewals = tokio::time::interval(self.registry.settings.lease / 3);
        renewals.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            let noticed = registry.noticed.notified();
            // Who was paused for longer than the lease renews it before anything is sent.
            if self.registry.now() >= self.position.value.lease_until
                && let Some(ended) = self.save().await
            {
                return ended;
            }
            let wake = self.deliver();
            let pause = wake.map_or(Duration::from_secs(3600), |time| {
                time.since(self.registry.now()).map_or(Duration::ZERO, Ttl::as_duration)
            });
            let ended = tokio::select! {
                () = &mut stop => {
                    self.release().await;
                    return Ended::Finished;
                }
                delivery = events.next(), if self.queue.has_room() => match delivery {
                    Some(Ok(Delivery::Event(event))) => {
                        self.read = events.cursor().clone();
                        self.push(&event).await;
                        None
                    }
                    Some(Ok(Delivery::Trimmed)) => {
                        tracing::error!(webhook = self.id.as_str(), "events were trimmed before they were sent");
                        self.position.value.trimmed_at = Some(self.registry.now());
                        self.unsaved += 1;
                        None
                    }
                    // The stream resumes after a second.
                    Some(Err(error)) => {
                        tracing::warn!(%error, webhook = self.id.as_str(), "events cannot be read");
                        None
                    }
                    None => return Ended::Finished,
                },
                Some((number, outcome)) = self.sending.next(), if !self.sending.is_empty() => {
                    self.settle(number, outcome).await
                }
                () = tokio::time::sleep(pause), if wake.is_some() => None,
                () = noticed => {
                    self.push_notices().await;
                    None
                }
                _ = renewals.tick() => self.renew(stop.as_mut()).await,
            };
            if let Some(ended) = ended {
                return ended;
            }
            if self.unsaved >= SAVED_AFTER
                && let Some(ended) = self.save().await
            {
                return ended;
            }
        }
    }

    async fn push(&mut self, event: &Event) {
        let message = self.registry.message(&self.subscription, event).await;
        let pending = message.map(|message| Pending { at: event.at, message, notice: None });
        self.queue.push(self.lane_of(event), self.read.clone(), pending);
    }

    /// Adds the notices that are not there yet. They are in the lane of events about everything.
    async fn push_notices(&mut self) {
        let found = logged(&self.id, self.registry.notices(&self.id).await).unwrap_or_default();
        for (document, notice) in found {
            let is_there = |pending: &Pending| pending.message.id == notice.message;
            if self.queue.has_room() && !self.queue.waiting().any(is_there) {
                let message = notice.message();
                let pending = Pending { at: notice.at, message, notice: Some(document) };
                self.queue.push(Lane::default(), self.read.clone(), Some(pending));
            }
        }
    }

    /// Tells the receiver what there is to tell before the stream stops: once. What it does not take waits until the stream
    /// transmits again.
    async fn say_goodbye(&mut self) {
        let found = logged(&self.id, self.registry.notices(&self.id).await).unwrap_or_default();
        for (document, notice) in found {
            if !notice.is_of_status() {
                continue;
            }
            let outcome = self.registry.send(&self.subscription, &notice.message()).await;
            if outcome.verdict == Verdict::Delivered {
                let _logged = logged(&self.id, self.registry.drop_document(document).await);
            }
        }
    }

    /// Notes that something is delivered, or is kept as a dead letter.
    async fn finish(&mut self, number: EntryNumber) {
        let notice = self.queue.get(number).and_then(|(pending, _)| pending.notice.clone());
        if let Some(document) = notice {
            let _logged = logged(&self.id, self.registry.drop_document(document).await);
        }
        self.queue.finish(number);
    }

    /// Returns the lane of the tokens that an event is about: all of a subject are in one.
    fn lane_of(&self, event: &Event) -> Lane {
        match &event.what {
            EventKind::EpochAdvanced { of: EpochOf::Subject(subject) } => {
                self.registry.manager.lane_of(subject)
            }
            EventKind::EpochAdvanced { of: EpochOf::Family(family) } => family.root().lane(),
            _ => event.token().map_or(Lane::default(), |token| token.lane()),
        }
    }

    /// Begins what is due. Returns when something else is.
    fn deliver(&mut self) -> Option<Timestamp> {
        while self.sending.len() < MAX_CONCURRENT {
            let number = match self.queue.next(self.registry.now()) {
                Next::Deliver(number) => number,
                Next::WaitUntil(time) => return Some(time),
                Next::Idle => return None,
            };
            let Some((pending, _)) = self.queue.get(number) else { continue };
            let (registry, message) = (Arc::clone(&self.registry), pending.message.clone());
            let subscription = self.subscription.clone();
            self.sending.push(Box::pin(async move {
                (number, registry.send(&subscription, &message).await)
            }));
        }
        None
    }

    /// Notes what came of a delivery.
    async fn settle(&mut self, number: EntryNumber, outcome: Outcome) -> Option<Ended> {
        let now = self.registry.now();
        self.unsaved += 1;
        let asked = match outcome.verdict {
            Verdict::Delivered => {
                self.registry.count(WebhookDelivery::Delivered);
                self.position.value.delivered_at = Some(now);
                self.finish(number).await;
                return None;
            }
            Verdict::Gone => {
                self.registry.count(WebhookDelivery::Gone);
                let why = "the receiver answered 410 Gone";
                let _logged = logged(
                    &self.id,
                    self.registry.disable(&self.id, &self.subscription.url, why).await,
                );
                self.release().await;
                return Some(Ended::Finished);
            }
            Verdict::Retry { after } => after,
        };
        let error = outcome.error.unwrap_or_default();
        self.position.value.failed_at = Some(now);
        self.position.value.last_error = Some(error.clone());
        let (pending, attempts) = self.queue.get(number)?;
        let message = pending.message.clone();
        let retry = self.registry.settings.retry;
        if let Some(wait) = retry.wait_after(attempts, asked, random()) {
            self.registry.count(WebhookDelivery::Failed);
            self.queue.postpone(number, now + wait);
            return None;
        }
        self.registry.count(WebhookDelivery::GivenUp);
        let letter = DeadLetter {
            message: message.id.clone(),
            event: String::from_utf8_lossy(&message.body).into_owned(),
            attempts,
            at: now,
            error,
        };
        match logged(&self.id, self.registry.bury(&self.id, &letter).await) {
            Some(true) => self.finish(number).await,
            Some(false) => self.queue.postpone(number, now + retry.max),
            None => self.queue.postpone(number, now + PAUSE),
        }
        None
    }

    /// Reads the subscription again, and renews the lease.
    async fn renew(&mut self, stop: Pin<&mut impl Future<Output = ()>>) -> Option<Ended> {
        match logged(&self.id, self.registry.subscription(&self.id).await) {
            None => {}
            Some(Some(found))
                if found.value.enabled && found.value.method == WebhookMethod::Push =>
            {
                self.subscription = found.value;
                self.push_notices().await;
            }
            Some(Some(found)) => {
                if found.value.method == WebhookMethod::Push {
                    tokio::select! {
                        () = stop => {}
                        () = self.say_goodbye() => {}
                    }
                }
                self.release().await;
                return Some(Ended::Finished);
            }
            Some(None) => {
                let _logged = logged(&self.id, self.registry.remove_leftovers(&self.id).await);
                return Some(Ended::Finished);
            }
        }
        self.report().await;
        self.save().await
    }

    /// Reports what waits.
    async fn report(&mut self) {
        let now = self.registry.now();
        let oldest = self.queue.oldest().map(|pending| pending.at);
        self.registry.backlog.set_oldest(&self.id, oldest, now);
        if self.count_at <= now {
            self.count_at = now + COUNT_INTERVAL;
            let count = self.registry.count_dead_letters(&self.id).await;
            if let Some(count) = logged(&self.id, count) {
                self.registry.backlog.set_dead_letters(&self.id, count, now);
            }
        }
    }

    /// Saves the position and renews the lease. Returns how the run has ended if the lease is lost.
    async fn save(&mut self) -> Option<Ended> {
        self.position.value.lease_until = self.registry.now() + lease(&self.registry);
        self.write().await
    }

    /// Saves the position, and gives the lease away.
    async fn release(&mut self) {
        self.position.value.lease_until = Timestamp::default();
        let _ended_anyway = self.write().await;
    }

    async fn write(&mut self) -> Option<Ended> {
        self.position.value.cursor = self.queue.done().to_string();
        self.position.value.waiting_since = self.queue.oldest().map(|pending| pending.at);
        let body = stored::body(&self.position.value);
        let version = Some(self.position.version);
        match self.registry.replace(self.id.position(), version, Some(body)).await {
            Ok(version) => {
                self.position.version = version;
                self.unsaved = 0;
                None
            }
            Err(WebhookError::Contended) => {
                tracing::warn!(webhook = self.id.as_str(), owner = self.owner, "the lease is lost");
                Some(Ended::Later)
            }
            Err(error) => {
                let _logged = logged::<()>(&self.id, Err(error));
                // Whether it was written is not known, so nothing is sent before it is read again.
                Some(Ended::Later)
            }
        }
    }
}

/// Logs why a step has failed.
fn logged<T>(id: &WebhookId, outcome: Result<T, WebhookError>) -> Option<T> {
    let log = |error: &WebhookError| {
        tracing::warn!(webhook = id.as_str(), ?error, "a step of a webhook fails");
    };
    outcome.inspect_err(log).ok()
}

fn lease(registry: &Registry) -> Ttl {
    Ttl::try_from(registry.settings.lease).unwrap_or(Ttl::from_secs(1))
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness a wait has its whole length.
    let _whole = OsRandom.fill(&mut bytes);
    u64::from_be_bytes(bytes)
}
