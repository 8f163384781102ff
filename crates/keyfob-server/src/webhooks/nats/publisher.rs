//! One message to one subject, and its acknowledgement by JetStream.

use std::time::Duration;

use async_nats::{HeaderMap, Request, RequestErrorKind};
use keyfob::values::Timestamp;
use keyfob_webhook::answer::Verdict;
use keyfob_webhook::nats::{MESSAGE_ID_HEADER, SubjectPrefix, acknowledged};
use keyfob_webhook::secret::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, sign};
use serde::Deserialize;

use super::super::sender::{CONTENT_TYPE_OF_EVENTS, Message, Outcome};
use super::connection::Connection;
use super::{NatsSettings, NatsUnusable};

/// Publishes messages.
pub(in crate::webhooks) struct Publisher {
    to: Option<(SubjectPrefix, Connection)>,
    timeout: Duration,
}

impl Publisher {
    pub(in crate::webhooks) fn new(settings: Option<NatsSettings>, timeout: Duration) -> Self {
        let to = settings.map(|settings| (settings.subject.clone(), Connection::new(settings)));
        Self { to, timeout }
    }

    /// Checks the prefix of a subscription.
    pub(in crate::webhooks) fn check(&self, prefix: &SubjectPrefix) -> Result<(), NatsUnusable> {
        self.connection(prefix).map(drop)
    }

    fn connection(&self, prefix: &SubjectPrefix) -> Result<&Connection, NatsUnusable> {
        let (allowed, connection) = self.to.as_ref().ok_or(NatsUnusable::NoServers)?;
        match prefix.is_below(allowed) {
            true => Ok(connection),
            false => Err(NatsUnusable::NotBelow(allowed.as_str().to_owned())),
        }
    }

    /// Publishes a message, signed with each of the secrets, and waits until a stream has it.
    pub(in crate::webhooks) async fn publish(
        &self,
        prefix: &SubjectPrefix,
        secrets: &[Secret],
        message: &Message,
        now: Timestamp,
    ) -> Outcome {
        let connection = match self.connection(prefix) {
            Ok(connection) => connection,
            Err(unusable) => return Outcome::failed(unusable.to_string()),
        };
        let attempt = attempt(connection, prefix, secrets, message, now);
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(())) => Outcome { verdict: Verdict::Delivered, status: None, error: None },
            Ok(Err(error)) => Outcome::failed(error),
            Err(_) => Outcome::failed(format!("no acknowledgement within {:?}", self.timeout)),
        }
    }
}

async fn attempt(
    connection: &Connection,
    prefix: &SubjectPrefix,
    secrets: &[Secret],
    message: &Message,
    now: Timestamp,
) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
    }
    let Typed { kind } =
        serde_json::from_slice(&message.body).map_err(|_| "the event has no type")?;
    let subject = prefix.subject(kind);
    let client = connection.client().await?;
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID_HEADER, prefix.message_id(&message.id));
    headers.insert("Content-Type", CONTENT_TYPE_OF_EVENTS);
    headers.insert(ID_HEADER, message.id.clone());
    headers.insert(TIMESTAMP_HEADER, now.as_secs().to_string());
    headers.insert(SIGNATURE_HEADER, sign(secrets, &message.id, now, &message.body));
    let (inbox, mut complaints) = (client.new_inbox(), connection.complaints());
    // An inbox of its own: the client keeps a place in its common inbox for each request that is never answered.
    let request = Request::new()
        .headers(headers)
        .payload(message.body.clone())
        .inbox(inbox.clone())
        .timeout(None);
    let about = [&*subject, &*inbox];
    let answer = tokio::select! {
        answer = client.send_request(subject.clone(), request) => answer,
        complaint = complaints.about(&about) => {
            return Err(format!("the NATS server refuses the message: {complaint}"));
        }
    };
    let answer = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => format!(
            "no stream of JetStream takes the subject {subject}: add one, such as `nats stream add KEYFOB --subjects \
             '{prefix}.>'`"
        ),
        _ => format!("the message cannot be published: {error}"),
    })?;
    acknowledged(&answer.payload)
}
