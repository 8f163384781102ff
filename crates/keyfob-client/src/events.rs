//! Events as they happen, without a gap when the connection breaks.

use std::fmt;
use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use keyfob_api::EventBody;
use keyfob_core::random::{OsRandom, Random as _};

use crate::client::{Client, text_of};
use crate::error::{Error, TransportErrorKind};
use crate::in_process::AnswerBody;
use crate::query::EventsQuery;
use crate::request::Request;
use crate::sse::{Message, Parser};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// After this long without a byte the connection counts as broken. The server sends one each 15
/// seconds.
const MAX_SILENCE: Duration = Duration::from_secs(45);

/// How many connections may end one after the other before one has brought anything.
const MAX_EMPTY_CONNECTIONS: u32 = 8;

/// What a stream of events brings.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamedEvent {
    /// An event. Its `cursor` is set.
    Event(Box<EventBody>),
    /// Events were deleted before they were read. Rebuild what is derived from events.
    Trimmed,
}

/// Events as they happen. If the connection breaks, the stream connects again, and continues after the
/// last event that it has returned.
pub struct EventStream {
    client: Client,
    query: EventsQuery,
    /// After which event the stream continues.
    cursor: String,
    connection: Option<Connection>,
    empty_connections: u32,
}

struct Connection {
    body: AnswerBody,
    parser: Parser,
    has_brought: bool,
}

impl EventStream {
    pub(crate) fn new(client: Client, query: EventsQuery, cursor: String) -> Self {
        let query = query.after(cursor.clone());
        Self { client, query, cursor, connection: None, empty_connections: 0 }
    }

    /// Returns the cursor after the last event that was returned. A stream that starts there misses
    /// nothing.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// Waits for the next event. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the server refuses, or cannot be reached for as long as the
    /// [`RetryPolicy`](crate::RetryPolicy) allows. Another call tries again, at the same place.
    pub async fn next(&mut self) -> Result<StreamedEvent, Error> {
        loop {
            if self.connection.is_none() {
                self.connection = Some(self.connect().await?);
            }
            match self.next_message().await {
                Ok(Some(message)) => {
                    if let Some(event) = self.read(message)? {
                        return Ok(event);
                    }
                }
                // The server drains, or the connection is broken.
                Ok(None) => self.disconnect(None).await?,
                Err(error @ Error::Transport(_)) => self.disconnect(Some(error)).await?,
                Err(error) => {
                    self.connection = None;
                    return Err(error);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let mut request = Request::get(self.query.path())
            .header(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let cursor = HeaderValue::from_str(&self.cursor);
        request = request.header(
            LAST_EVENT_ID,
            cursor.map_err(|_| Error::Request("the cursor is not valid".to_owned()))?,
        );
        let response = self.client.open(&request).await?;
        Ok(Connection { body: response.into_body(), parser: Parser::default(), has_brought: false })
    }

    /// Returns the next message of the connection; `None` at its end.
    async fn next_message(&mut self) -> Result<Option<Message>, Error> {
        let Some(Connection { body, parser, has_brought }) = &mut self.connection else {
            return Ok(None);
        };
        let too_long = |_| Error::UnexpectedAnswer("a line of the stream is too long".to_owned());
        let transport = &self.client.inner.transport;
        loop {
            if let Some(message) = parser.next().map_err(too_long)? {
                return Ok(Some(message));
            }
            let frame = tokio::time::timeout(MAX_SILENCE, body.frame()).await;
            match frame {
                Ok(Some(Ok(frame))) => {
                    *has_brought = true;
                    if let Some(data) = frame.data_ref() {
                        parser.push(data);
                    }
                }
                Ok(Some(Err(error))) => {
                    return Err(transport.failed(TransportErrorKind::Broken, Some(error)));
                }
                Ok(None) => return Ok(None),
                Err(_) => return Err(transport.failed(TransportErrorKind::Timeout, None)),
            }
        }
    }

    /// Ends the connection, and waits before the next one.
    async fn disconnect(&mut self, error: Option<Error>) -> Result<(), Error> {
        let has_brought = self.connection.take().is_some_and(|it| it.has_brought);
        self.empty_connections = if has_brought { 0 } else { self.empty_connections + 1 };
        if self.empty_connections >= MAX_EMPTY_CONNECTIONS {
            self.empty_connections = 0;
            let transport = &self.client.inner.transport;
            return Err(error.unwrap_or_else(|| transport.failed(TransportErrorKind::Broken, None)));
        }
        tracing::debug!(cursor = self.cursor, "a stream of events connects again");
        let retry = &self.client.inner.retry;
        let wait = retry.first_wait.saturating_mul(1 << self.empty_connections).min(retry.max_wait);
        tokio::time::sleep(wait.mul_f64(OsRandom.fraction())).await;
        Ok(())
    }

    /// Reads a message; `None` if it is none that is known.
    fn read(
        &mut self,
        Message { id, event, data }: Message,
    ) -> Result<Option<StreamedEvent>, Error> {
        if event == "trimmed" {
            return Ok(Some(StreamedEvent::Trimmed));
        }
        let Some(cursor) = id else { return Ok(None) };
        let mut body: EventBody = serde_json::from_str(&data)
            .map_err(|error| Error::UnexpectedAnswer(text_of(&error)))?;
        body.cursor = Some(cursor.clone());
        self.cursor = cursor;
        Ok(Some(StreamedEvent::Event(Box::new(body))))
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("client", &self.client)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
