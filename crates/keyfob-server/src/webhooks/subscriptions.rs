//! Subscriptions, as `/v1/webhooks` reads and changes them.

use std::time::Duration;

use keyfob::Error;
use keyfob::random::OsRandom;
use keyfob::store::Document;
use keyfob::values::Ttl;
use keyfob_api::SecretText;
use keyfob_api::webhook::{
    CreateWebhookBody, DeliveryBody, UpdateWebhookBody, WebhookBody, WebhookMethod,
    WebhookSecretBody,
};
use keyfob_webhook::secret::Secret;

use super::filter::TokenFilter;
use super::registry::{ATTEMPTS, MAX_TEXT, Registry, WebhookError, delivery, draw};
use super::stored::{self, DisabledBy, Position, StoredSecret, Subscription, WebhookId};

/// The maximum number of subscriptions.
const MAX_WEBHOOKS: usize = 200;
const MAX_TYPES: usize = 32;
/// The maximum number of secrets that sign at the same time.
const MAX_SECRETS: usize = 3;
/// For how long an older secret signs too, unless the request says otherwise; and the maximum.
const OVERLAP: Ttl = Ttl::from_days(1);
const MAX_OVERLAP: Ttl = Ttl::from_days(30);

impl Registry {
    /// Creates a subscription that begins now.
    pub(crate) async fn create(
        &self,
        wanted: CreateWebhookBody,
    ) -> Result<WebhookSecretBody, WebhookError> {
        let CreateWebhookBody { url, types, filter, description, format, audience } = wanted;
        check(&types, &description)?;
        let filter = TokenFilter::parse(&filter)?;
        self.check_destination(&url, format)?;
        self.check_format(format, audience.as_deref())?;
        let secret = draw_secret()?;
        let stored = StoredSecret { secret: secret.expose().to_string(), until: None };
        let subscription = Subscription {
            url,
            method: WebhookMethod::Push,
            stream: None,
            types,
            filter,
            description,
            format,
            audience,
            enabled: true,
            disabled_by: None,
            disabled_because: None,
            created: self.now(),
            secrets: vec![stored],
        };
        let (id, position) = self.begin(&subscription).await?;
        let webhook = self.view(&id, &subscription, &position);
        Ok(WebhookSecretBody { webhook, secret: SecretText::new(secret.expose().as_str()) })
    }

    /// Writes a subscription that begins now.
    pub(super) async fn begin(
        &self,
        subscription: &Subscription,
    ) -> Result<(WebhookId, Position), WebhookError> {
        if self.subscriptions().await?.len() >= MAX_WEBHOOKS {
            let detail = format!("there are {MAX_WEBHOOKS} webhooks: delete one");
            return Err(WebhookError::Invalid(detail));
        }
        let id = WebhookId::of(draw()?);
        // The position first: without one, a subscription would begin with all that the log holds.
        let cursor = self.manager.latest_event().await?.to_string();
        let position = Position { cursor, ..Position::default() };
        self.write(id.position(), None, Some(stored::body(&position))).await?;
        self.write(id.subscription(), None, Some(stored::body(subscription))).await?;
        self.changed.notify_waiters();
        Ok((id, position))
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
        let found = self.subscription(id).await?.ok_or(WebhookError::NotFound)?.value;
        let is_polled = found.method == WebhookMethod::Poll;
        match &wanted.url {
            Some(_) if is_polled => {
                let detail = "url: nothing is sent to a receiver that polls";
                return Err(WebhookError::Invalid(detail.to_owned()));
            }
            Some(url) => self.check_destination(url, found.format)?,
            None => {}
        }
        let filter = wanted.filter.as_deref().map(TokenFilter::parse).transpose()?;
        if let Some(enabled) = wanted.enabled {
            self.tell_of_status(id, &found, enabled).await?;
        }
        self.change(id, |subscription| {
            let wanted = wanted.clone();
            if let Some(url) = wanted.url {
                subscription.set_url(url);
            }
            if let Some(types) = wanted.types {
                subscription.types = types;
            }
            if let Some(filter) = &filter {
                subscription.filter = filter.clone();
            }
            if let Some(description) = wanted.description {
                subscription.description = description;
            }
            if let Some(enabled) = wanted.enabled {
                subscription.enabled = enabled;
                subscription.disabled_by = (!enabled).then_some(DisabledBy::Administrator);
                subscription.disabled_because = None;
                if let Some(stream) = &mut subscription.stream {
                    stream.discards = false;
                    stream.reason = None;
                }
            }
            check(&subscription.types, &subscription.description)
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
        let found = self.subscription(id).await?.ok_or(WebhookError::NotFound)?.value;
        if found.method == WebhookMethod::Poll {
            let detail = "a receiver that polls has no secret";
            return Err(WebhookError::Invalid(detail.to_owned()));
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
        for folder in [id.notices(), id.dead_letters()] {
            loop {
                let page = self.documents(folder.clone(), None).await?;
                if page.is_empty() {
                    break;
                }
                for document in page {
                    self.drop_document(document).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes a document, unless another has changed it.
    pub(super) async fn drop_document(&self, document: Document) -> Result<(), WebhookError> {
        match self.write(Some(document.name), Some(document.version), None).await {
            Err(WebhookError::Contended) => Ok(()),
            written => written,
        }
    }

    /// Disables a subscription whose receiver at `url` is gone, unless it has another one by now, or is disabled already.
    pub(super) async fn disable(
        &self,
        id: &WebhookId,
        url: &str,
        why: &str,
    ) -> Result<(), WebhookError> {
        self.change(id, |subscription| {
            if subscription.url != url || !subscription.enabled {
                return Ok(());
            }
            subscription.enabled = false;
            subscription.disabled_by = Some(DisabledBy::Service);
            subscription.disabled_because = Some(why.to_owned());
            Ok(())
        })
        .await
    }

    /// Sends an event that says that it is a test, and waits for the answer no longer than `within`.
    pub(crate) async fn test(
        &self,
        id: &WebhookId,
        within: Duration,
    ) -> Result<DeliveryBody, WebhookError> {
        let subscription = self.subscription(id).await?.ok_or(WebhookError::NotFound)?.value;
        let message = format!("test_{}", WebhookId::of(draw()?).as_str());
        let message = self.test_message(id, &subscription, message, None)?;
        if subscription.method == WebhookMethod::Poll {
            self.add_notice(id, &message).await?;
            return Ok(DeliveryBody { delivered: false, status: None, error: None, waits: true });
        }
        Ok(delivery(&self.send_within(within, &subscription, &message).await))
    }
}

/// Checks the types and the description of a subscription.
pub(super) fn check(types: &[String], description: &str) -> Result<(), WebhookError> {
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

fn draw_secret() -> Result<Secret, WebhookError> {
    Ok(Secret::draw(&OsRandom).map_err(Error::from)?)
}
