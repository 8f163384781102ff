//! Streams: subscriptions that their receivers manage (SSF 1.0 section 8.1). A receiver sees its own, and no others.

use http::HeaderValue;
use keyfob::values::Ttl;
use keyfob_api::signals::{
    ChangeStreamBody, CreateStreamBody, POLL, PUSH, StreamBody, StreamDelivery, StreamStatus,
    StreamStatusBody, StreamSubjectBody, VerifyStreamBody,
};
use keyfob_api::webhook::{WebhookFormat, WebhookMethod};
use keyfob_webhook::endpoint::Endpoint;
use keyfob_webhook::set::SIGNALS;
use keyfob_webhook::subject;
use serde_json::Value;

use super::filter::TokenFilter;
use super::registry::{ATTEMPTS, MAX_TEXT, Registry, WebhookError, draw, poll_path};
use super::stored::{self, DisabledBy, SecretHeader, StreamSettings, Subscription, WebhookId};
use super::subscriptions::check;

/// The maximum number of streams of a receiver.
const MAX_STREAMS: usize = 10;
/// The maximum number of signals that a receiver may name.
const MAX_REQUESTED: usize = 64;
const MAX_AUTHORIZATION: usize = 2048;
/// The maximum length of the text that a verification repeats, in bytes.
const MAX_STATE: usize = 1024;
/// How much time has to pass between two verifications.
const VERIFICATION_INTERVAL: Ttl = Ttl::from_mins(1);

impl Registry {
    /// Creates a stream that begins now.
    pub(crate) async fn create_stream(
        &self,
        owner: &str,
        wanted: CreateStreamBody,
    ) -> Result<StreamBody, WebhookError> {
        let issuer = self.issuer().map_err(WebhookError::NotTransmitting)?;
        if self.owned_by(owner).await?.len() >= MAX_STREAMS {
            return Err(WebhookError::TooManyStreams);
        }
        let mut subscription = Subscription {
            url: String::new(),
            method: WebhookMethod::Poll,
            stream: Some(StreamSettings { owner: owner.to_owned(), ..StreamSettings::default() }),
            types: Vec::new(),
            filter: TokenFilter::default(),
            description: String::new(),
            format: WebhookFormat::Set,
            audience: Some(owner.to_owned()),
            enabled: true,
            disabled_by: None,
            disabled_because: None,
            created: self.now(),
            secrets: Vec::new(),
        };
        if let Some(delivery) = &wanted.delivery {
            set_delivery(&mut subscription, delivery)?;
        }
        set_requested(&mut subscription, wanted.events_requested)?;
        set_description(&mut subscription, wanted.description.as_deref().unwrap_or_default())?;
        let (id, _) = self.begin(&subscription).await?;
        Ok(stream_body(&issuer, &id, &subscription))
    }

    /// Returns the streams of a receiver.
    pub(crate) async fn streams(&self, owner: &str) -> Result<Vec<StreamBody>, WebhookError> {
        let issuer = self.issuer().map_err(WebhookError::NotTransmitting)?;
        let all = self.owned_by(owner).await?;
        Ok(all.iter().map(|(id, stream)| stream_body(&issuer, id, stream)).collect())
    }

    /// Returns a stream of a receiver.
    pub(crate) async fn stream(
        &self,
        owner: &str,
        id: &WebhookId,
    ) -> Result<StreamBody, WebhookError> {
        let issuer = self.issuer().map_err(WebhookError::NotTransmitting)?;
        Ok(stream_body(&issuer, id, &self.owned(owner, id).await?))
    }

    /// Changes a stream. What a request that replaces it leaves out is removed.
    pub(crate) async fn change_stream(
        &self,
        owner: &str,
        id: &WebhookId,
        wanted: ChangeStreamBody,
        is_replaced: bool,
    ) -> Result<StreamBody, WebhookError> {
        if is_replaced && wanted.delivery.is_none() {
            return Err(invalid("delivery: it is missing"));
        }
        let found = self.stream(owner, id).await?;
        check_supplied(&found, &wanted)?;
        self.change(id, |subscription| {
            let wanted = wanted.clone();
            if let Some(delivery) = &wanted.delivery {
                set_delivery(subscription, delivery)?;
            }
            if is_replaced || wanted.events_requested.is_some() {
                set_requested(subscription, wanted.events_requested)?;
            }
            match wanted.description {
                Some(description) => set_description(subscription, &description),
                None if is_replaced => set_description(subscription, ""),
                None => Ok(()),
            }
        })
        .await?;
        self.stream(owner, id).await
    }

    /// Deletes a stream with its dead letters.
    pub(crate) async fn delete_stream(
        &self,
        owner: &str,
        id: &WebhookId,
    ) -> Result<(), WebhookError> {
        self.owned(owner, id).await?;
        self.delete(id).await
    }

    /// Returns whether a stream transmits.
    pub(crate) async fn stream_status(
        &self,
        owner: &str,
        id: &WebhookId,
    ) -> Result<StreamStatusBody, WebhookError> {
        let (status, reason) = self.owned(owner, id).await?.status();
        Ok(StreamStatusBody { stream_id: id.as_str().to_owned(), status, reason })
    }

    /// Has a stream transmit, or stop.
    pub(crate) async fn set_stream_status(
        &self,
        owner: &str,
        id: &WebhookId,
        wanted: StreamStatusBody,
    ) -> Result<StreamStatusBody, WebhookError> {
        let found = self.owned(owner, id).await?;
        check_may_change(&found)?;
        let before = found.status().0;
        if before == StreamStatus::Disabled && wanted.status != before {
            self.skip_to_now(id).await?;
        }
        let reason = wanted.reason.as_deref().map(shortened);
        self.change(id, |subscription| {
            check_may_change(subscription)?;
            subscription.enabled = wanted.status == StreamStatus::Enabled;
            subscription.disabled_by = (!subscription.enabled).then_some(DisabledBy::Receiver);
            subscription.disabled_because = None;
            if let Some(stream) = &mut subscription.stream {
                stream.discards = wanted.status == StreamStatus::Disabled;
                stream.reason.clone_from(&reason);
            }
            Ok(())
        })
        .await?;
        self.stream_status(owner, id).await
    }

    /// Has a stream transmit an event that tests it.
    pub(crate) async fn verify_stream(
        &self,
        owner: &str,
        id: &WebhookId,
        wanted: VerifyStreamBody,
    ) -> Result<(), WebhookError> {
        let to = self.owned(owner, id).await?;
        if wanted.state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
            return Err(invalid(&format!("state: it is too long: at most {MAX_STATE} bytes")));
        }
        let message = format!("verify_{}", WebhookId::of(draw()?).digits());
        let message = self.test_message(id, &to, message, wanted.state.as_deref())?;
        let now = self.now();
        self.change(id, |subscription| {
            let Some(stream) = &mut subscription.stream else { return Ok(()) };
            let next = stream.verified_at.map(|at| at + VERIFICATION_INTERVAL);
            if let Some(retry_after) = next.and_then(|next| next.since(now)) {
                return Err(WebhookError::TooSoon { retry_after });
            }
            stream.verified_at = Some(now);
            Ok(())
        })
        .await?;
        self.add_notice(id, &message).await
    }

    /// Has a stream leave out a subject, or have it again.
    pub(crate) async fn change_subject(
        &self,
        owner: &str,
        id: &WebhookId,
        wanted: &StreamSubjectBody,
        is_removed: bool,
    ) -> Result<(), WebhookError> {
        self.owned(owner, id).await?;
        self.change(id, |subscription| {
            let Some(stream) = &mut subscription.stream else { return Ok(()) };
            match is_removed {
                true => subject::remove(&mut stream.removed, &wanted.subject)?,
                false => subject::add(&mut stream.removed, &wanted.subject)?,
            }
            Ok(())
        })
        .await
    }

    /// Drops what has happened so far.
    pub(super) async fn skip_to_now(&self, id: &WebhookId) -> Result<(), WebhookError> {
        for _ in 0..ATTEMPTS {
            let mut position = self.position(id).await?.ok_or(WebhookError::NotFound)?;
            position.value.cursor = self.manager.latest_event().await?.to_string();
            position.value.acknowledged = Vec::new();
            position.value.waiting_since = None;
            let body = stored::body(&position.value);
            match self.write(id.position(), Some(position.version), Some(body)).await {
                Err(WebhookError::Contended) => {}
                written => return written,
            }
        }
        Err(WebhookError::Contended)
    }

    /// Returns a stream, if the receiver manages it.
    pub(super) async fn owned(
        &self,
        owner: &str,
        id: &WebhookId,
    ) -> Result<Subscription, WebhookError> {
        let found = self.subscription(id).await?.map(|found| found.value);
        found.filter(|found| is_owned(owner, found)).ok_or(WebhookError::NotFound)
    }

    async fn owned_by(&self, owner: &str) -> Result<Vec<(WebhookId, Subscription)>, WebhookError> {
        let all = self.subscriptions().await?.into_iter().map(|(id, found)| (id, found.value));
        Ok(all.filter(|(_, found)| is_owned(owner, found)).collect())
    }
}

fn is_owned(owner: &str, subscription: &Subscription) -> bool {
    subscription.stream.as_ref().is_some_and(|stream| stream.owner == owner)
}

/// Checks that the receiver may change the status of its stream.
fn check_may_change(stream: &Subscription) -> Result<(), WebhookError> {
    match stream.is_disabled_by_administrator() {
        true => Err(WebhookError::DisabledByAdministrator),
        false => Ok(()),
    }
}

fn invalid(detail: &str) -> WebhookError {
    WebhookError::Invalid(detail.to_owned())
}

fn stream_body(issuer: &str, id: &WebhookId, of: &Subscription) -> StreamBody {
    let base = issuer.trim_end_matches('/');
    let (method, endpoint_url) = match of.method {
        WebhookMethod::Push => (PUSH, of.url.clone()),
        WebhookMethod::Poll => (POLL, format!("{base}{}", poll_path(id))),
    };
    let method = method.to_owned();
    StreamBody {
        stream_id: id.as_str().to_owned(),
        iss: issuer.to_owned(),
        aud: of.audience().to_owned(),
        delivery: StreamDelivery {
            method,
            endpoint_url: Some(endpoint_url),
            authorization_header: None,
        },
        events_supported: SIGNALS.map(str::to_owned).to_vec(),
        events_requested: of.stream.as_ref().and_then(|stream| stream.requested.clone()),
        events_delivered: of.signals(),
        min_verification_interval: VERIFICATION_INTERVAL.as_secs(),
        description: Some(of.description.clone()).filter(|text| !text.is_empty()),
    }
}

/// Checks that what only the service may say is as it is.
fn check_supplied(found: &StreamBody, wanted: &ChangeStreamBody) -> Result<(), WebhookError> {
    let is_audience = |aud: &Value| match aud {
        Value::Array(all) => matches!(all.as_slice(), [one] if *one == *found.aud),
        one => *one == *found.aud,
    };
    // Where the receiver polls. Where it is pushed to is its own matter.
    let is_endpoint = |delivery: &StreamDelivery| {
        let is_polled = delivery.method == POLL && found.delivery.method == POLL;
        let same =
            delivery.endpoint_url.is_none() || delivery.endpoint_url == found.delivery.endpoint_url;
        !is_polled || same
    };
    let min = found.min_verification_interval;
    let checks = [
        ("iss", wanted.iss.as_ref().is_none_or(|iss| *iss == found.iss)),
        ("aud", wanted.aud.as_ref().is_none_or(is_audience)),
        ("events_supported", is_same(wanted.events_supported.as_ref(), &found.events_supported)),
        ("events_delivered", is_same(wanted.events_delivered.as_ref(), &found.events_delivered)),
        ("min_verification_interval", wanted.min_verification_interval.is_none_or(|it| it == min)),
        ("delivery", wanted.delivery.as_ref().is_none_or(is_endpoint)),
    ];
    match checks.iter().find(|(_, is_right)| !is_right) {
        Some((name, _)) => Err(invalid(&format!("{name}: only the service says this"))),
        None => Ok(()),
    }
}

/// Compares two lists without regard to their order.
fn is_same(wanted: Option<&Vec<String>>, found: &[String]) -> bool {
    wanted.is_none_or(|wanted| {
        wanted.len() == found.len() && found.iter().all(|each| wanted.contains(each))
    })
}

/// Sets how tokens come. An `Authorization` header that is left out stays while the URL stays: it is not shown, so who
/// writes back what was read does not have it.
fn set_delivery(of: &mut Subscription, wanted: &StreamDelivery) -> Result<(), WebhookError> {
    let url = match wanted.method.as_str() {
        POLL => String::new(),
        PUSH => {
            let url = wanted.endpoint_url.as_deref().unwrap_or_default();
            url.parse::<Endpoint>()
                .map_err(|invalid| WebhookError::Invalid(format!("endpoint_url: {invalid}")))?;
            url.to_owned()
        }
        _ => return Err(invalid(&format!("method: it is {PUSH} or {POLL}"))),
    };
    let method = if url.is_empty() { WebhookMethod::Poll } else { WebhookMethod::Push };
    let header = wanted.authorization_header.as_ref().map(|header| header.expose());
    if method == WebhookMethod::Poll && header.is_some() {
        return Err(invalid("authorization_header: nothing is sent to a receiver that polls"));
    }
    let is_header =
        |text: &str| text.len() <= MAX_AUTHORIZATION && HeaderValue::try_from(text).is_ok();
    if !header.is_none_or(is_header) {
        return Err(invalid(&format!(
            "authorization_header: write at most {MAX_AUTHORIZATION} bytes of visible ASCII"
        )));
    }
    of.method = method;
    of.set_url(url);
    if let (Some(header), Some(stream)) = (header, &mut of.stream) {
        stream.authorization = Some(header)
            .filter(|header| !header.is_empty())
            .map(|header| SecretHeader(header.to_owned()));
    }
    Ok(())
}

fn set_requested(
    of: &mut Subscription,
    requested: Option<Vec<String>>,
) -> Result<(), WebhookError> {
    let is_uri = |text: &String| {
        !text.is_empty() && text.len() <= MAX_TEXT && !text.contains(char::is_control)
    };
    let is_right = |all: &Vec<String>| all.len() <= MAX_REQUESTED && all.iter().all(is_uri);
    if !requested.as_ref().is_none_or(is_right) {
        return Err(invalid(&format!(
            "events_requested: write at most {MAX_REQUESTED} URIs of at most {MAX_TEXT} bytes"
        )));
    }
    if let Some(stream) = &mut of.stream {
        stream.requested = requested;
    }
    Ok(())
}

fn set_description(of: &mut Subscription, description: &str) -> Result<(), WebhookError> {
    of.description = shortened(description);
    check(&of.types, &of.description)
}

/// Returns the start of a text, as long as it may be.
fn shortened(text: &str) -> String {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or_default()].to_owned()
}
