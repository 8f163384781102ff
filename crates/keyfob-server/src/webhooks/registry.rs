//! Subscriptions and dead letters, as the API reads and changes them.

use std::sync::{Arc, RwLock};

use keyfob::metrics::{HttpMetrics, WebhookDelivery};
use keyfob::random::OsRandom;
use keyfob::store::{
    Document, DocumentName, DocumentVersion, DocumentWritten, ListDocuments, StoreError,
};
use keyfob::values::{Timestamp, Ttl};
use keyfob::{Error, TokenManager};
use keyfob_api::SecretText;
use keyfob_api::webhook::{
    CreateWebhookBody, DeliveryBody, UpdateWebhookBody, WebhookBody, WebhookSecretBody,
    WebhookState,
};
use keyfob_webhook::answer::Verdict;
use keyfob_webhook::endpoint::{Endpoint, InvalidEndpoint};
use keyfob_webhook::secret::Secret;
use tokio::sync::Notify;

use super::WebhookSettings;
use super::backlog::Backlog;
use super::sender::{Message, Outcome, Sender};
use super::stored::{
    self, Position, StoredSecret, Subscription, Versioned, WebhookId, subscriptions,
};
use super::transmitter::{NotTransmitting, Transmitter};

/// The maximum number of subscriptions.
const MAX_WEBHOOKS: usize = 200;
const MAX_TYPES: usize = 32;
pub(super) const MAX_TEXT: usize = 256;
/// The maximum number of secrets that sign at the same time.
const MAX_SECRETS: usize = 3;
/// How often a change is tried while others change the same document.
const ATTEMPTS: usize = 5;
/// For how long an older secret signs too, unless the request says otherwise; and the maximum.
const OVERLAP: Ttl = Ttl::from_days(1);
const MAX_OVERLAP: Ttl = Ttl::from_days(30);

/// The webhooks of a service.
pub(crate) struct Registry {
    /// Who signs security event tokens.
    pub(super) transmitter: RwLock<Transmitter>,
    pub(super) manager: TokenManager,
    pub(super) settings: WebhookSettings,
    pub(super) sender: Sender,
    metrics: HttpMetrics,
    pub(super) backlog: Backlog,
    /// Wakes the supervisor after a change by this process.
    pub(super) changed: Notify,
}

/// Why something cannot be done with a webhook.
#[derive(Debug)]
pub(crate) enum WebhookError {
    /// There is no such subscription, or no such dead letter.
    NotFound,
    /// A value is not valid.
    Invalid(String),
    /// There are no keys, or no issuer, for security event tokens.
    NotTransmitting(NotTransmitting),
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

impl From<InvalidEndpoint> for WebhookError {
    fn from(invalid: InvalidEndpoint) -> Self {
        Self::Invalid(format!("url: {invalid}"))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Registry {
    pub(crate) fn new(
        manager: TokenManager,
        settings: WebhookSettings,
        metrics: HttpMetrics,
    ) -> Arc<Self> {
        let sender = Sender::new(settings.addresses.clone(), settings.timeout);
        let (backlog, changed) = (Backlog::new(metrics.clone()), Notify::new());
        let transmitter = RwLock::default();
        Arc::new(Self { transmitter, manager, settings, sender, metrics, backlog, changed })
    }

    /// Counts an attempt.
    pub(super) fn count(&self, outcome: WebhookDelivery) {
        self.metrics.handles.webhook_deliveries.of(outcome).increment(1);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.manager.now()
    }

    /// Creates a subscription that begins now.
    pub(crate) async fn create(
        &self,
        wanted: CreateWebhookBody,
    ) -> Result<WebhookSecretBody, WebhookError> {
        let CreateWebhookBody { url, types, description, format, audience } = wanted;
        check(&url, &types, &description)?;
        self.check_format(format, audience.as_deref())?;
        if self.list().await?.len() >= MAX_WEBHOOKS {
            let detail = format!("there are {MAX_WEBHOOKS} webhooks: delete one");
            return Err(WebhookError::Invalid(detail));
        }
        let id = WebhookId::of(draw()?);
        let secret = draw_secret()?;
        let stored = StoredSecret { secret: secret.expose().to_string(), until: None };
        let subscription = Subscription {
            url,
            types,
            description,
            format,
            audience,
            enabled: true,
            disabled_because: None,
            created: self.now(),
            secrets: vec![stored],
        };
        // The position first: without one, a subscription would begin with all that the log holds.
        let cursor = self.manager.latest_event().await?.to_string();
        let position = Position { cursor, ..Position::default() };
        self.write(id.position(), None, Some(stored::body(&position))).await?;
        self.write(id.subscription(), None, Some(stored::body(&subscription))).await?;
        self.changed.notify_waiters();
        let webhook = self.view(&id, &subscription, &position);
        Ok(WebhookSecretBody { webhook, secret: SecretText::new(secret.expose().as_str()) })
    }

    /// Returns all subscriptions.
    pub(crate) async fn list(&self) -> Result<Vec<WebhookBody>, WebhookError> {
        let mut all = Vec::new();
        for (id, subscription) in self.subscriptions().await? {
            let position = self.position(&id).await?.map(|found| found.value).unwrap_or_default();
            all.push(self.view(&id, &subscription.value, &position));
        }
        Ok(all)
    }

    /// Returns one subscription.
    pub(crate) async fn get(&self, id: &WebhookId) -> Result<WebhookBody, WebhookError> {
        let subscription = self.subscription(id).await?.ok_or(WebhookError::NotFound)?.value;
        let position = self.position(id).await?.map(|found| found.value).unwrap_or_default();
        Ok(self.view(id, &subscription, &position))
    }

    /// Changes a subscription.
    pub(crate) async fn update(
        &self,
        id: &WebhookId,
        wanted: UpdateWebhookBody,
    ) -> Result<WebhookBody, WebhookError> {
        self.change(id, |subscription| {
            let wanted = wanted.clone();
            if let Some(url) = wanted.url {
                subscription.url = url;
            }
            if let Some(types) = wanted.types {
                subscription.types = types;
            }
            if let Some(description) = wanted.description {
                subscription.description = description;
            }
            if let Some(enabled) = wanted.enabled {
                subscription.enabled = enabled;
                subscription.disabled_because = None;
            }
            check(&subscription.url, &subscription.types, &subscription.description)
        })
        .await?;
        self.get(id).await
    }

    /// Gives a subscription a new secret. The older ones sign too for a while.
    pub(crate) async fn rotate(
        &self,
        id: &WebhookId,
        overlap: Option<Ttl>,
    ) -> Result<WebhookSecretBody, WebhookError> {
        let overlap = overlap.unwrap_or(OVERLAP);
        if overlap > MAX_OVERLAP {
            let detail = format!("overlap: it is too long: at most {MAX_OVERLAP}");
            return Err(WebhookError::Invalid(detail));
        }
        let (secret, now) = (draw_secret()?, self.now());
        self.change(id, |subscription| {
            subscription.secrets.retain(|secret| secret.until.is_none_or(|until| now < until));
            for older in &mut subscription.secrets {
                older.until = Some(older.until.map_or(now + overlap, |end| end.min(now + overlap)));
            }
            let text = secret.expose().to_string();
            subscription.secrets.insert(0, StoredSecret { secret: text, until: None });
            subscription.secrets.truncate(MAX_SECRETS);
            Ok(())
        })
        .await?;
        let webhook = self.get(id).await?;
        Ok(WebhookSecretBody { webhook, secret: SecretText::new(secret.expose().as_str()) })
    }

    /// Deletes a subscription with its dead letters.
    pub(crate) async fn delete(&self, id: &WebhookId) -> Result<(), WebhookError> {
        let found = self.subscription(id).await?.ok_or(WebhookError::NotFound)?;
        self.write(id.subscription(), Some(found.version), None).await?;
        self.changed.notify_waiters();
        self.remove_leftovers(id).await
    }

    /// Deletes what a subscription leaves behind. Its runner calls it too, as it may have written meanwhile.
    pub(super) async fn remove_leftovers(&self, id: &WebhookId) -> Result<(), WebhookError> {
        for _ in 0..ATTEMPTS {
            let Some(position) = self.position(id).await? else { break };
            match self.write(id.position(), Some(position.version), None).await {
                Err(WebhookError::Contended) => {}
                written => {
                    written?;
                    break;
                }
            }
        }
        loop {
            let page = self.documents(id.dead_letters(), None).await?;
            if page.is_empty() {
                return Ok(());
            }
            for letter in page {
                let written = self.write(Some(letter.name), Some(letter.version), None).await;
                if !matches!(written, Err(WebhookError::Contended)) {
                    written?;
                }
            }
        }
    }

    /// Disables a subscription whose receiver at `url` is gone, unless it has another one by now.
    pub(super) async fn disable(
        &self,
        id: &WebhookId,
        url: &str,
        why: &str,
    ) -> Result<(), WebhookError> {
        self.change(id, |subscription| {
            if subscription.url != url {
                return Ok(());
            }
            subscription.enabled = false;
            subscription.disabled_because = Some(why.to_owned());
            Ok(())
        })
        .await
    }

    /// Sends an event that says that it is a test.
    pub(crate) async fn test(&self, id: &WebhookId) -> Result<DeliveryBody, WebhookError> {
        let subscription = self.subscription(id).await?.ok_or(WebhookError::NotFound)?.value;
        let message = format!("test_{}", WebhookId::of(draw()?).as_str());
        let message = self.test_message(id, &subscription, message)?;
        Ok(delivery(&self.send(&subscription, &message).await))
    }

    pub(super) async fn send(&self, subscription: &Subscription, message: &Message) -> Outcome {
        let now = self.now();
        let signed = match self.signed(message) {
            Ok(signed) => signed,
            Err(cannot) => return Outcome::failed(cannot.to_string()),
        };
        match subscription.url.parse::<Endpoint>() {
            Ok(endpoint) => {
                self.sender.send(&endpoint, &subscription.secrets(now), &signed, now).await
            }
            Err(invalid) => Outcome::failed(invalid.to_string()),
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

    async fn change(
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

    fn view(&self, id: &WebhookId, of: &Subscription, position: &Position) -> WebhookBody {
        WebhookBody {
            id: id.as_str().to_owned(),
            url: of.url.clone(),
            types: of.types.clone(),
            description: of.description.clone(),
            format: of.format,
            audience: of.audience.clone(),
            enabled: of.enabled,
            disabled_because: of.disabled_because.clone(),
            created: of.created,
            secrets: of.secrets(self.now()).len(),
            state: WebhookState {
                cursor: position.cursor.clone(),
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
    }
}

fn check(url: &str, types: &[String], description: &str) -> Result<(), WebhookError> {
    url.parse::<Endpoint>()?;
    let is_type = |text: &String| {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'_' | b'.');
        text.starts_with("keyfob.") && text.len() <= 64 && text.bytes().all(is_allowed)
    };
    if types.len() > MAX_TYPES || !types.iter().all(is_type) {
        let detail = format!(
            "types: write at most {MAX_TYPES} types such as keyfob.token.revoked, or starts of some such as keyfob.token."
        );
        return Err(WebhookError::Invalid(detail));
    }
    if description.len() > MAX_TEXT || description.contains(char::is_control) {
        let detail =
            format!("description: write at most {MAX_TEXT} bytes without control characters");
        return Err(WebhookError::Invalid(detail));
    }
    Ok(())
}

fn draw() -> Result<[u8; 10], WebhookError> {
    use keyfob::random::Random as _;
    let mut bytes = [0; 10];
    OsRandom.fill(&mut bytes).map_err(Error::from)?;
    Ok(bytes)
}

fn draw_secret() -> Result<Secret, WebhookError> {
    Ok(Secret::draw(&OsRandom).map_err(Error::from)?)
}
