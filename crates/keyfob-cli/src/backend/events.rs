//! Reading events, at a store or at a server: pages, and events as they happen.

use keyfob::event::CloudEvent;
use keyfob::handlers::Delivery;
use keyfob::manager::EventStream as StoreStream;
use keyfob::store::Cursor;
use keyfob_api::EventBody;
use keyfob_client::{EventStream as ServerStream, EventsQuery, StreamedEvent};
use serde::Serialize;

use super::either::Backend;
use crate::failure::Failure;

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Feed {
    Events,
    Observations,
}

/// An event as it is written, and the cursor after it.
#[derive(Debug)]
pub(crate) struct EventLine {
    event: Written,
    /// `None` for an observation: only a page of them has a cursor.
    pub(crate) after: Option<Cursor>,
}

#[derive(Debug)]
enum Written {
    Store(Box<keyfob::Event>),
    Observation(Box<keyfob::event::Observation>, String),
    Server(Box<EventBody>),
}

/// One page.
#[derive(Debug)]
pub(crate) struct EventLines {
    pub(crate) lines: Vec<EventLine>,
    pub(crate) cursor: Cursor,
    pub(crate) more: bool,
    pub(crate) trimmed: bool,
}

/// Events as they happen.
#[derive(Debug)]
pub(crate) enum EventFeed {
    Store(StoreStream),
    Server(Box<ServerStream>),
}

impl Backend {
    /// Returns the cursor after the last one that is stored.
    pub(crate) async fn latest(&self, feed: Feed) -> Result<Cursor, Failure> {
        match (self, feed) {
            (Self::Store(store), Feed::Events) => Ok(store.manager().latest_event().await?),
            (Self::Store(store), Feed::Observations) => {
                Ok(store.manager().latest_observation().await?)
            }
            (Self::Server(server), feed) => {
                let query = query(feed).after("latest").limit(1);
                Ok(server.client().events(&query).await?.cursor.parse()?)
            }
        }
    }

    /// Returns one page after a cursor.
    pub(crate) async fn event_lines(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EventLines, Failure> {
        match (self, feed) {
            (Self::Store(store), Feed::Events) => {
                let page = store.manager().events(after, limit).await?;
                let line = |(event, after)| EventLine {
                    event: Written::Store(Box::new(event)),
                    after: Some(after),
                };
                let lines = page.events.into_iter().map(line).collect();
                let (cursor, more, trimmed) = (page.cursor, page.more, page.trimmed);
                Ok(EventLines { lines, cursor, more, trimmed })
            }
            (Self::Store(store), Feed::Observations) => {
                let page = store.manager().observations(after, limit).await?;
                let lines = page.observations.into_iter().map(|(seen, id)| EventLine {
                    event: Written::Observation(Box::new(seen), id),
                    after: None,
                });
                let lines = lines.collect();
                Ok(EventLines { lines, cursor: page.cursor, more: page.more, trimmed: false })
            }
            (Self::Server(server), feed) => {
                let query = query(feed).after(after.to_string()).limit(limit);
                let page = server.client().events(&query).await?;
                let lines: Result<_, _> = page.events.into_iter().map(EventLine::of_body).collect();
                let cursor = page.cursor.parse()?;
                Ok(EventLines { lines: lines?, cursor, more: page.more, trimmed: page.trimmed })
            }
        }
    }

    /// Returns the events after a cursor, as they happen.
    pub(crate) async fn follow(&self, after: Cursor) -> Result<EventFeed, Failure> {
        match self {
            Self::Store(store) => Ok(EventFeed::Store(store.manager().events_from(after))),
            Self::Server(server) => {
                let query = EventsQuery::new().after(after.to_string());
                Ok(EventFeed::Server(Box::new(server.client().follow_events(query).await?)))
            }
        }
    }
}

fn query(feed: Feed) -> EventsQuery {
    match feed {
        Feed::Events => EventsQuery::new(),
        Feed::Observations => EventsQuery::new().observations(),
    }
}

impl EventFeed {
    /// Waits for the next event. `Ok(None)` means that events were deleted before they were read; an
    /// outer `None` is the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Option<EventLine>, Failure>> {
        match self {
            Self::Store(events) => Some(match events.next().await? {
                Ok(Delivery::Event(event)) => {
                    let after = Some(events.cursor().clone());
                    Ok(Some(EventLine { event: Written::Store(event), after }))
                }
                Ok(Delivery::Trimmed) => Ok(None),
                Err(error) => Err(error.into()),
            }),
            Self::Server(events) => Some(match events.next().await {
                Ok(StreamedEvent::Event(event)) => EventLine::of_body(*event).map(Some),
                Ok(StreamedEvent::Trimmed) => Ok(None),
                Err(error) => Err(error.into()),
            }),
        }
    }
}

impl EventLine {
    fn of_body(mut event: EventBody) -> Result<Self, Failure> {
        let after = event.cursor.take().map(|cursor| cursor.parse()).transpose()?;
        Ok(Self { event: Written::Server(Box::new(event)), after })
    }

    /// Returns the event as JSON, with the cursor after it if that is wanted.
    pub(crate) fn view(&self, with_cursor: bool) -> impl Serialize + '_ {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Event<'a> {
            Store(CloudEvent<'a>),
            Server(&'a EventBody),
        }
        #[derive(Serialize)]
        struct View<'a> {
            #[serde(flatten)]
            event: Event<'a>,
            /// An extension attribute. CloudEvents requires a name of lower-case letters and digits.
            #[serde(rename = "keyfobcursor", skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
        }
        let event = match &self.event {
            Written::Store(event) => Event::Store(CloudEvent::new(event)),
            Written::Observation(seen, id) => {
                Event::Store(CloudEvent::for_observation(seen, id.clone()))
            }
            Written::Server(event) => Event::Server(event),
        };
        let cursor = self.after.as_ref().filter(|_| with_cursor).map(ToString::to_string);
        View { event, cursor }
    }
}
