//! Subscriptions and positions, as they are read and written.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use keyfob::filter::FilterError;
use keyfob::metrics::{HttpMetrics, WebhookDelivery};
use keyfob::random::OsRandom;
use keyfob::store::{
    Document, DocumentName, DocumentVersion, DocumentWritten, ListDocuments, StoreError,
};
use keyfob::values::{Timestamp, Ttl};
use keyfob::{Error, TokenManager};
use keyfob_api::webhook::{DeliveryBody, WebhookBody, WebhookMethod, WebhookState};
use keyfob_webhook::answer::Verdict;
use keyfob_webhook::destination::InvalidDestination;
use keyfob_webhook::subject::InvalidSubject;
use tokio::sync::Notify;

use super::WebhookSettings;
use super::backlog::Backlog;
use super::nats::{NatsUnusable, Publisher};
use super::sender::{Message, Outcome, Sender};
use super::stored::{self, Position, Subscription, Versioned, WebhookId, subscriptions};
use super::transmitter::{NotTransmitting, Transmitter};
use super::waiting::Waiting;

pub(super) const MAX_TEXT: usize = 256;
/// How often a change is tried while others change the same document.
pub(super) const ATTEMPTS: usize = 5;

/// The webhooks of a service.
pub(crate) struct Registry {
    /// Who signs security event tokens.
    pub(super) transmitter: RwLock<Transmitter>,
    pub(super) manager: TokenManager,
    pub(super) settings: WebhookSettings,
    pub(super) sender: Sender,
    pub(super) publisher: Publisher,
    metrics: HttpMetrics,
    pub(super) backlog: Backlog,
    /// The polls that wait.
    pub(super) waiting: Waiting,
    /// Wakes the supervisor after a change by this process.
    pub(super) changed: Notify,
    /// Wakes who delivers notices, after one by this process.
    pub(super) noticed: Notify,
}

/// Why something cannot be done with a webhook.
#[derive(Debug)]
pub(crate) enum WebhookError {
    /// There is no such subscription, or no such dead letter.
    NotFound,
    /// A value is not valid.
    Invalid(String),
    /// The filter is none, or is no filter for a webhook.
    Filter(FilterError),
    /// There are no keys, or no issuer, for security event tokens.
    NotTransmitting(NotTransmitting),
    /// Nothing can be published to NATS, or not there.
    Nats(NatsUnusable),
    /// The receiver has as many streams as it may have.
    TooManyStreams,
    /// An administrator has disabled the stream, so its receiver cannot change its status.
    DisabledByAdministrator,
    /// The receiver asks for a verification too soon after the last one, or there are too many notices.
    TooSoon {
        /// When to come back.
        retry_after: Ttl,
    },
    /// Others change it at the same time.
    Contended,
    /// The manager fails.
    Manager(Error),
}

impl From<Error> for WebhookError {
    fn from(error: Error) -> Self {
        Self::Manager(error)
    }
}

impl From<InvalidSubject> for WebhookError {
    fn from(invalid: InvalidSubject) -> Self {
        Self::Invalid(format!("subject: {invalid}"))
    }
}

impl From<FilterError> for WebhookError {
    fn from(error: FilterError) -> Self {
        Self::Filter(error)
    }
}

impl From<InvalidDestination> for WebhookError {
    fn from(invalid: InvalidDestination) -> Self {
        Self::Invalid(format!("url: {invalid}"))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Registry {
    /// The webhooks of a server that answers this many requests at the same time.
    pub(crate) fn new(
        manager: TokenManager,
        settings: WebhookSettings,
        max_requests: usize,
        metrics: HttpMetrics,
    ) -> Arc<Self> {
        let sender = Sender::new(settings.timeout);
        let publisher = Publisher::new(settings.nats.clone(), settings.timeout);
        let (changed, noticed) = (Notify::new(), Notify::new());
        let (transmitter, backlog) = (RwLock::default(), Backlog::new(metrics.clone()));
        Arc::new(Self {
            transmitter,
            manager,
            settings,
            sender,
            publisher,
            metrics,
            backlog,
            waiting: Waiting::new(max_requests),
            changed,
            noticed,
        })
    }

    /// Counts an attempt.
    pub(super) fn count(&self, outcome: WebhookDelivery) {
        self.count_all(outcome, 1);
    }

    pub(super) fn count_all(&self, outcome: WebhookDelivery, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.metrics.handles.webhook_deliveries.of(outcome).increment(number);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.manager.now()
    }

    /// Sends a message while a request waits for it: for no longer than `within`.
    pub(super) async fn send_within(
        &self,
        within: Duration,
        subscription: &Subscription,
        message: &Message,
    ) -> Outcome {
        match tokio::time::timeout(within, self.send(subscription, message)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::failed(format!(
                "no answer within {within:?}. A delivery waits for {:?}",
                self.settings.timeout
            )),
        }
    }

    /// Returns all subscriptions with their ids.
    pub(super) async fn subscriptions(
        &self,
    ) -> Result<Vec<(WebhookId, Versioned<Subscription>)>, WebhookError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.documents(subscriptions(), after).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.name.clone());
            all.extend(page.iter().filter_map(|document| {
                let id = WebhookId::parse(document.name.last_part())?;
                Some((id, Versioned::read(document)?))
            }));
        }
    }

    pub(super) async fn subscription(
        &self,
        id: &WebhookId,
    ) -> Result<Option<Versioned<Subscription>>, WebhookError> {
        self.read(id.subscription()).await
    }

    pub(super) async fn position(
        &self,
        id: &WebhookId,
    ) -> Result<Option<Versioned<Position>>, WebhookError> {
        self.read(id.position()).await
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        name: Option<DocumentName>,
    ) -> Result<Option<Versioned<T>>, WebhookError> {
        let Some(name) = name else { return Ok(None) };
        let Some(document) = self.manager.read_document(&name).await? else { return Ok(None) };
        // It is there, so nobody may take it for deleted.
        let unreadable = || StoreError::Corrupt {
            what: format!("the document {name}"),
            detail: "it is damaged, or of a newer version".to_owned(),
        };
        Versioned::read(&document).map(Some).ok_or_else(|| Error::from(unreadable()).into())
    }

    pub(super) async fn documents(
        &self,
        folder: Option<DocumentName>,
        after: Option<DocumentName>,
    ) -> Result<Vec<Document>, WebhookError> {
        if folder.is_none() {
            return Ok(Vec::new());
        }
        let list = ListDocuments { folder, after, limit: Document::MAX_LISTED };
        Ok(self.manager.list_documents(&list).await?)
    }

    /// Writes a document that has to be as it was read.
    pub(super) async fn write(
        &self,
        name: Option<DocumentName>,
        read: Option<DocumentVersion>,
        body: Option<Vec<u8>>,
    ) -> Result<(), WebhookError> {
        self.replace(name, read, body).await.map(drop)
    }

    /// Writes as [`Registry::write`] does, and returns the new version.
    pub(super) async fn replace(
        &self,
        name: Option<DocumentName>,
        read: Option<DocumentVersion>,
        body: Option<Vec<u8>>,
    ) -> Result<DocumentVersion, WebhookError> {
        let name = name.ok_or(WebhookError::NotFound)?;
        match self.manager.write_document(&name, read, body).await? {
            DocumentWritten::Written(version) => Ok(version),
            DocumentWritten::Conflict => Err(WebhookError::Contended),
        }
    }

    pub(super) async fn change(
        &self,
        id: &WebhookId,
        change: impl Fn(&mut Subscription) -> Result<(), WebhookError>,
    ) -> Result<(), WebhookError> {
        for _ in 0..ATTEMPTS {
            let mut found = self.subscription(id).await?.ok_or(WebhookError::NotFound)?;
            change(&mut found.value)?;
            let body = stored::body(&found.value);
            match self.write(id.subscription(), Some(found.version), Some(body)).await {
                Err(WebhookError::Contended) => {}
                written => {
                    self.changed.notify_waiters();
                    return written;
                }
            }
        }
        Err(WebhookError::Contended)
    }

    pub(super) fn view(
        &self,
        id: &WebhookId,
        of: &Subscription,
        position: &Position,
    ) -> WebhookBody {
        WebhookBody {
            id: id.as_str().to_owned(),
            url: match of.method {
                WebhookMethod::Push => of.url.clone(),
                WebhookMethod::Poll => poll_path(id),
            },
            method: of.method,
            owner: of.stream.as_ref().map(|stream| stream.owner.clone()),
            types: of.types.clone(),
            filter: of.filter.to_string(),
            description: of.description.clone(),
            format: of.format,
            audience: of.audience.clone(),
            enabled: of.enabled,
            disabled_because: of.disabled_because.clone(),
            created: of.created,
            secrets: of.secrets(self.now()).len(),
            state: WebhookState {
                cursor: position.cursor.clone(),
                waiting_since: position.waiting_since,
                delivered_at: position.delivered_at,
                failed_at: position.failed_at,
                last_error: position.last_error.clone(),
                trimmed_at: position.trimmed_at,
            },
        }
    }
}

pub(super) fn delivery(outcome: &Outcome) -> DeliveryBody {
    DeliveryBody {
        delivered: outcome.verdict == Verdict::Delivered,
        status: outcome.status,
        error: outcome.error.clone(),
        waits: false,
    }
}

/// Returns the path at which a receiver polls.
pub(crate) fn poll_path(id: &WebhookId) -> String {
    format!("/ssf/streams/{}/poll", id.as_str())
}

pub(super) fn draw() -> Result<[u8; 10], WebhookError> {
    use keyfob::random::Random as _;
    let mut bytes = [0; 10];
    OsRandom.fill(&mut bytes).map_err(Error::from)?;
    Ok(bytes)
}
